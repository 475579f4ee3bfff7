import datetime as dt

import pytest

from trader_pipeline.schema.core import FUNDAMENTALS
from trader_pipeline_tests.checks.facts import messages, told

ENDS = [dt.date(2016, 3, 31), dt.date(2016, 6, 30), dt.date(2016, 9, 30), dt.date(2016, 12, 31), dt.date(2017, 3, 31), dt.date(2017, 6, 30)]
REVENUE = [100.0, 110.0, 90.0, 130.0, 105.0, 120.0]


def filed(values=REVENUE, *, metric="total_revenue", ticker="A", **others):
    rows = []
    for end, value in zip(ENDS, values, strict=True):
        filed_on = end + dt.timedelta(days=40)
        known_at = dt.datetime.combine(filed_on, dt.time(21), dt.UTC)
        fact = {"ticker": ticker, "metric": metric, "period_end": end, "months": 3, "value": value, "unit": "USD", "source": "sec"}
        rows.append(fact | {"known_at": known_at, "known_at_basis": "assumed", "filed_on": filed_on, **others})
    return rows


def with_value(place, value):
    return [value if i == place else v for i, v in enumerate(REVENUE)]


def test_sound_figures_are_not_told():
    rows = [*filed(), *filed(metric="net_income", values=[5.0, -8.0, 3.0, 0.01, 900.0, -1.0]), *filed(metric="shares_basic")]
    for rule in ("fundamentals_values", "fundamentals_dates", "fundamentals_unit"):
        assert told(rule, FUNDAMENTALS, rows) == []


@pytest.mark.parametrize("metric", ["shares_outstanding", "total_assets", "total_liabilities", "inventory"])
def test_what_cannot_be_negative_is_an_error(metric):
    assert told("fundamentals_values", FUNDAMENTALS, filed(with_value(2, -90.0), metric=metric)) == [
        ("A", "sec", "error", "2016-09-30", 1.0)
    ]


@pytest.mark.parametrize("metric", ["net_income", "shareholders_equity", "retained_earnings", "income_tax"])
def test_what_may_be_negative_is_not_told(metric):
    assert told("fundamentals_values", FUNDAMENTALS, filed(with_value(2, -90.0), metric=metric)) == []


@pytest.mark.parametrize(("place", "day"), [(0, "2016-03-31"), (2, "2016-09-30"), (5, "2017-06-30")])
def test_a_revenue_that_changes_its_sign_for_one_period_is_a_warning(place, day):
    rows = filed(with_value(place, -REVENUE[place]))
    assert told("fundamentals_values", FUNDAMENTALS, rows) == [("A", "sec", "warning", day, 1.0)]


def test_a_revenue_that_stays_negative_is_not_told():
    assert told("fundamentals_values", FUNDAMENTALS, filed([100.0, 110.0, 90.0, -10.0, -12.0, -9.0])) == []


def test_a_period_that_ends_after_its_filing_is_an_error():
    rows = filed()
    rows[3]["filed_on"] = dt.date(2016, 12, 30)
    assert told("fundamentals_dates", FUNDAMENTALS, rows) == [("A", "sec", "error", "2016-12-31", 1.0)]


def test_a_figure_known_before_its_period_ended_is_an_error():
    rows = filed(filed_on=None)
    rows[3]["known_at"] = dt.datetime(2016, 12, 30, 23, tzinfo=dt.UTC)
    rows[4]["known_at"] = dt.datetime(2017, 3, 31, 1, tzinfo=dt.UTC)
    assert told("fundamentals_dates", FUNDAMENTALS, rows) == [("A", "sec", "error", "2016-12-31", 1.0)]


@pytest.mark.parametrize("factor", [1000, 1e6, 0.001])
@pytest.mark.parametrize(("place", "severity"), [(0, "warning"), (2, "error"), (5, "warning")])
def test_thousands_among_units_are_told(factor, place, severity):
    rows = filed(with_value(place, REVENUE[place] * factor))
    assert [f[:3] for f in told("fundamentals_unit", FUNDAMENTALS, rows)] == [("A", "sec", severity)]


@pytest.mark.parametrize(
    "values", [[1.0, 2.0, 100.0, 90.0, 95.0, 99.0], [1.0, 1.0, 1.0, 500.0, 500.0, 500.0], [0.0, 0.0, 5.0, 0.0, 0.0, 1.0]]
)
def test_growth_that_stays_and_zeros_are_no_other_unit(values):
    assert told("fundamentals_unit", FUNDAMENTALS, filed(values)) == []


def test_sources_metrics_and_lengths_are_each_their_own_series():
    year = [row | {"months": 12, "value": row["value"] * 1000} for row in filed()[2:3]]
    other = [row | {"source": "fmp", "value": -row["value"]} for row in filed()[2:3]]
    assert told("fundamentals_unit", FUNDAMENTALS, [*filed(), *year]) == []
    assert told("fundamentals_values", FUNDAMENTALS, [*filed(), *other]) == []


def test_the_finding_names_the_fact_and_the_mend():
    rows = filed([-1.0, 110.0, -90.0, 130.0, 105.0, 120.0], metric="total_assets")
    assert messages("fundamentals_values", FUNDAMENTALS, rows) == [
        "A: total_assets is negative: 2 rows, first 2016-03-31, 2016-09-30; look at the filing, fetch it again"
    ]
