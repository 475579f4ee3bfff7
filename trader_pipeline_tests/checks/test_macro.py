import datetime as dt

import pytest

from trader_pipeline.schema.core import MACRO
from trader_pipeline_tests.checks.build import DAYS
from trader_pipeline_tests.checks.facts import messages, told

YIELDS = [2.46, 2.44, 2.47, 2.49, 2.55, 2.55, 2.54, 2.55, 2.54, 2.57, 2.62, 2.64]


def observed(values=YIELDS, **others):
    return [
        {"series": "DGS10", "observed_on": day, "source": "fred", "vintage": "final", "value": value, "known_at_basis": "assumed"}
        | {"known_at": dt.datetime.combine(day, dt.time(21), dt.UTC) + dt.timedelta(days=1)}
        | others
        for day, value in zip(DAYS, values, strict=False)
    ]


def with_value(place, value):
    return [value if i == place else v for i, v in enumerate(YIELDS)]


def test_sound_observations_are_not_told():
    for rule in ("macro_clock", "macro_versions", "macro_unit"):
        assert told(rule, MACRO, observed()) == []


def test_known_before_its_day_is_an_error():
    rows = observed()
    rows[4]["known_at"] = dt.datetime.combine(DAYS[3], dt.time(23), dt.UTC)
    assert told("macro_clock", MACRO, rows) == [("DGS10", "fred", "error", str(DAYS[4]), 1.0)]


def test_an_unknown_vintage_and_a_version_given_twice_are_errors():
    assert told("macro_versions", MACRO, observed(vintage="preliminary"))[0][:3] == ("DGS10", "fred", "error")
    rows = observed()
    assert told("macro_versions", MACRO, [*rows, rows[4]]) == [("DGS10", "fred", "error", str(DAYS[4]), 1.0)]


@pytest.mark.parametrize("factor", [0.01, 100])
@pytest.mark.parametrize(("place", "severity"), [(0, "warning"), (2, "error"), (6, "error"), (11, "warning")])
def test_percent_among_fractions_is_told(factor, place, severity):
    rows = observed(with_value(place, YIELDS[place] * factor))
    assert told("macro_unit", MACRO, rows) == [("DGS10", "fred", severity, str(DAYS[place]), 1.0)]


@pytest.mark.parametrize(
    "values",
    [
        [0.31, 0.22, 0.15, 0.09, 0.04, 0.001, -0.05, -0.11, -0.14, -0.2, -0.24, -0.3],  # a spread that turns negative
        [1.6, 1.5, 1.1, 0.9, 0.4, 0.02, 0.03, 0.02, 0.04, 0.02, 0.03, 0.02],  # March 2020
        [0.0, 0.0, 0.0, 0.0, 0.0, 0.04, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        [9.1, 9.3, 9.2, 10.1, 9.9, 37.3, 29.1, 27.7, 33.5, 26.1, 22.0, 19.3],  # February 2018
    ],
)
def test_what_series_do_of_themselves_is_not_told(values):
    assert told("macro_unit", MACRO, observed(values)) == []


def test_the_finding_names_the_fact_and_the_mend():
    assert messages("macro_unit", MACRO, observed(with_value(6, 254.0))) == [
        f"DGS10: far larger than beside it, as in another unit: 1 row, first {DAYS[6]}; look at the unit, fetch the series again"
    ]
