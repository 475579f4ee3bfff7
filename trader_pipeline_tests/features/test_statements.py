"""Quarters, years, versions, splits and ages of what was filed, each against figures worked out by hand."""

import datetime as dt

import numpy as np
import pytest

from trader_pipeline import calendar
from trader_pipeline.errors import SchemaError
from trader_pipeline.features import growth, quality, valuation
from trader_pipeline.features.statements import MAXIMUM_AGE_DAYS
from trader_pipeline_tests.features import filings, markets

NAN = np.nan
DAYS = calendar.sessions("XNYS", dt.date(2019, 1, 2), dt.date(2020, 12, 31))


def market(*rows, close=10.0, moves=None, **more):
    facts = filings.filed(*(("A", *row) for row in rows), **more)
    bars = markets.bars(["A"], DAYS, close=np.broadcast_to(close, len(DAYS)))
    return markets.market(markets.core(bars, filed=facts, moves=moves), DAYS)


def figure(made, name, session):
    """What was known of a figure at the close of a session."""
    return made.statements.at_sessions(made.statements.figures[name])[0, np.searchsorted(DAYS, np.datetime64(session))]


def on(feature, made, session):
    return feature.compute(made)[0, np.searchsorted(DAYS, np.datetime64(session))]


YEAR = (
    ("net_income", "2018-03-31", 3, "2018-05-01", 1.0),
    ("net_income", "2018-06-30", 3, "2018-08-01", 2.0),
    ("net_income", "2018-06-30", 6, "2018-08-01", 3.0),
    ("net_income", "2018-09-30", 9, "2018-11-01", 7.0),
    ("net_income", "2018-12-31", 12, "2019-02-20", 15.0),
)


def test_the_fourth_quarter_is_the_year_less_nine_months_and_the_third_nine_less_six():
    made = market(*YEAR)
    assert figure(made, "net_income_quarter", "2019-02-20") == 7.0 - 3.0
    assert figure(made, "net_income_quarter", "2019-02-21") == 15.0 - 7.0
    assert figure(made, "net_income_year", "2019-02-21") == 15.0
    assert np.isnan(figure(made, "net_income_year", "2019-02-20"))


def test_twelve_months_are_four_known_quarters_where_no_year_is_filed():
    made = market(*YEAR, ("net_income", "2019-03-31", 3, "2019-05-01", 5.0))
    assert figure(made, "net_income_year", "2019-05-02") == 2.0 + 4.0 + 8.0 + 5.0


def test_a_quarter_that_is_not_known_leaves_the_year_unknown():
    made = market(*(row for row in YEAR if row[1] != "2018-09-30"), ("net_income", "2019-03-31", 3, "2019-05-01", 5.0))
    assert np.isnan(figure(made, "net_income_year", "2019-05-02"))
    assert figure(made, "net_income_quarter", "2019-05-02") == 5.0


def test_a_year_of_52_weeks_keeps_its_quarters():
    made = market(("net_income", "2018-06-30", 9, "2018-08-01", 9.0), ("net_income", "2018-10-03", 12, "2018-11-20", 12.5))
    assert figure(made, "net_income_quarter", "2019-01-02") == 3.5


def test_statements_ignore_a_filing_not_yet_known_and_a_restatement_before_its_own():
    made = market(*YEAR, ("net_income", "2018-12-31", 12, "2019-06-03", 11.0))
    assert figure(made, "net_income_year", "2019-06-03") == 15.0
    assert figure(made, "net_income_year", "2019-06-04") == 11.0
    assert figure(made, "net_income_quarter", "2019-06-04") == 11.0 - 7.0


def test_late_news_of_an_older_period_does_not_replace_the_newest():
    made = market(*YEAR, ("net_income", "2018-09-30", 9, "2019-06-03", 6.0))
    assert figure(made, "net_income_year", "2019-06-04") == 15.0
    assert figure(made, "net_income_quarter", "2019-06-04") == 15.0 - 6.0


def test_a_balance_and_the_one_a_year_before():
    made = market(*YEAR, ("total_assets", "2017-12-31", 0, "2018-02-20", 80.0), ("total_assets", "2018-12-31", 0, "2019-02-20", 100.0))
    assert on(quality.asset_growth, made, "2019-02-21") == pytest.approx(0.25)
    assert np.isnan(on(quality.asset_growth, made, "2019-02-20"))


def test_a_statement_is_absent_400_days_after_it_came_out():
    made = market(*YEAR, ("total_assets", "2018-12-31", 0, "2019-02-20", 100.0))
    last = dt.date(2019, 2, 21) + dt.timedelta(MAXIMUM_AGE_DAYS)
    ages = quality.days_since_statement.compute(made)[0]
    assert ages[np.searchsorted(DAYS, np.datetime64("2019-02-21"))] == 0
    assert np.nanmax(ages) == MAXIMUM_AGE_DAYS
    assert np.isnan(ages[np.datetime64(last) < DAYS]).all()


def test_a_restatement_makes_a_statement_no_younger():
    made = market(*YEAR, ("net_income", "2018-12-31", 12, "2020-01-15", 11.0))
    assert on(quality.days_since_statement, made, "2020-01-16") == (dt.date(2020, 1, 16) - dt.date(2019, 2, 21)).days


def test_a_ticker_without_net_income_is_not_dated_by_the_one_before():
    facts = filings.filed(
        *(("A", *row) for row in YEAR),
        ("B", "shares_outstanding", "2018-12-31", 0, "2019-02-20", 3.0),
        ("B", *YEAR[0][:3], "2019-06-03", 5.0),
    )
    made = markets.market(markets.core(markets.bars(["A", "B"], DAYS, close=np.full((2, len(DAYS)), 10.0)), filed=facts), DAYS)
    ages, known = quality.days_since_statement.compute(made)[1], np.datetime64("2019-06-04") <= DAYS
    assert np.isnan(ages[~known]).all()
    assert ages[known][0] == 0


def test_figures_in_another_currency_are_not_mixed_and_have_no_value_in_dollars():
    euros = market(*YEAR, ("shares_outstanding", "2018-12-31", 0, "2019-02-20", 3.0), currency="EUR")
    assert figure(euros, "net_income_year", "2019-02-21") == 15.0
    assert np.isnan(on(valuation.earnings_yield, euros, "2019-02-21"))
    mixed = filings.filed(*(("A", *row) for row in YEAR[:-1])), filings.filed(("A", *YEAR[-1]), currency="EUR")
    bars = markets.bars(["A"], DAYS, close=np.full(len(DAYS), 10.0))
    made = markets.market(markets.core(bars, filed=markets.pa.concat_tables(mixed)), DAYS)
    assert np.isnan(figure(made, "net_income_quarter", "2019-02-21"))


def test_what_the_sec_tells_counts_before_what_a_vendor_tells_of_the_same():
    first, second = ("A", *YEAR[-1]), ("A", "net_income", "2018-12-31", 12, "2019-03-20", 99.0)
    bars = markets.bars(["A"], DAYS, close=np.full(len(DAYS), 10.0))
    for sources, expected in ((("sec", "fmp"), 15.0), (("fmp", "sec"), 99.0)):
        facts = [filings.filed(row, source=source) for row, source in zip((first, second), sources, strict=True)]
        made = markets.market(markets.core(bars, filed=markets.pa.concat_tables(facts)), DAYS)
        assert figure(made, "net_income_year", "2019-03-21") == expected


def test_a_source_without_a_rank_is_refused_by_name():
    with pytest.raises(SchemaError, match=r"no rank for the sources.*mystery"):
        market(*YEAR, source="mystery")


def split(session, ratio):
    return markets.actions(("A", np.datetime64(session), "split", ratio))


def test_market_value_brings_the_filed_shares_over_a_later_split_and_does_not_jump():
    shares = ("shares_outstanding", "2018-12-31", 0, "2019-02-20", 3e6)
    close = np.where(np.datetime64("2019-04-01") <= DAYS, 5.0, 20.0)
    made = market(*YEAR, shares, close=close, moves=split("2019-04-01", 4.0))
    value = made.market_value[0]
    assert value[np.searchsorted(DAYS, np.datetime64("2019-03-29"))] == 60e6
    assert value[np.searchsorted(DAYS, np.datetime64("2019-04-01"))] == 60e6
    assert on(valuation.log_market_value, made, "2019-04-01") == np.log(60.0)
    assert on(valuation.earnings_yield, made, "2019-04-01") == 15.0 / 60e6


def test_a_split_before_the_filing_is_in_its_shares_already():
    shares = ("shares_outstanding", "2018-12-31", 0, "2019-02-20", 3e6)
    made = market(*YEAR, shares, moves=split("2019-02-19", 4.0))
    assert made.market_value[0, np.searchsorted(DAYS, np.datetime64("2019-02-21"))] == 30e6


def test_average_shares_stand_for_the_outstanding_where_those_are_not_told():
    made = market(*YEAR, ("shares_basic", "2018-12-31", 12, "2019-02-20", 7.0))
    assert figure(made, "shares", "2019-02-21") == 7.0
    both = market(*YEAR, ("shares_basic", "2018-12-31", 12, "2019-02-20", 7.0), ("shares_outstanding", "2019-02-08", 0, "2019-02-20", 8.0))
    assert figure(both, "shares", "2019-02-21") == 8.0


def test_issuance_compares_counts_in_the_same_shares():
    counts = (("shares_outstanding", "2018-02-02", 0, "2018-02-20", 10.0), ("shares_outstanding", "2019-02-08", 0, "2019-02-20", 44.0))
    made = market(*YEAR, *counts, moves=split("2018-07-02", 4.0))
    assert on(quality.share_issuance, made, "2019-02-21") == pytest.approx(np.log(1.1))


EPS = [1.0, 2.0, 3.0, 4.0, 1.5, 2.2, 3.4, 4.1, 1.7, 2.9, 3.9, 4.8, 2.7]
"""Quarters of 2016 to 2018, and the first of 2019."""


def earnings_per_share(values):
    ends = [dt.date(year, month, 30) for year in (2016, 2017, 2018, 2019) for month in (3, 6, 9, 12)][: len(values)]
    rows = [("earnings_per_share", end, 3, end + dt.timedelta(30), value) for end, value in zip(ends, values, strict=True)]
    return [*rows, *(("net_income", end, 3, end + dt.timedelta(30), 1.0) for end in ends)]


def test_unexpected_earnings_are_seasonal_differences_in_their_own_deviations():
    made = market(*earnings_per_share(EPS))
    before = [0.5, 0.2, 0.4, 0.1, 0.2, 0.7, 0.5, 0.7]
    assert on(growth.standardized_unexpected_earnings, made, "2019-05-01") == pytest.approx(1.0 / np.std(before, ddof=1))


def test_unexpected_earnings_do_not_change_by_a_split():
    rows = earnings_per_share(EPS)
    after = [row if row[0] != "earnings_per_share" or row[3] < dt.date(2018, 7, 2) else (*row[:4], row[4] / 3) for row in rows]
    plain, made = market(*rows), market(*after, moves=split("2018-07-02", 3.0))
    assert on(growth.standardized_unexpected_earnings, made, "2019-05-01") == pytest.approx(
        on(growth.standardized_unexpected_earnings, plain, "2019-05-01")
    )


def test_unexpected_earnings_need_six_differences_and_some_that_differ():
    assert np.isnan(on(growth.standardized_unexpected_earnings, market(*earnings_per_share(EPS[3:])), "2019-01-31"))
    same = market(*earnings_per_share([1.0, 2.0, 3.0, 4.0, 2.0, 3.0, 4.0, 5.0, 3.0, 4.0, 5.0, 6.0, 9.0]))
    assert np.isnan(on(growth.standardized_unexpected_earnings, same, "2019-05-01"))


def whole_statement():
    last = dict(filings.LEVELS)
    before = {name: 0.8 * value for name, value in last.items()}
    rows = []
    for end, filed_on, values in (("2017-12-31", "2018-02-20", before), ("2018-12-31", "2019-02-20", last)):
        for name, value in values.items():
            months = 0 if filings.METRIC_OF[name].balance else 12
            rows.append((name, end, months, filed_on, value))
    return rows


@pytest.mark.parametrize(
    ("feature", "expected"),
    [
        (valuation.log_market_value, np.log(24.0 * 10 / 1e6)),
        (valuation.earnings_yield, 12 / 240),
        (valuation.book_to_market, 400 / 240),
        (valuation.sales_to_price, 100 / 240),
        (valuation.free_cash_flow_yield, (15 - 6) / 240),
        (valuation.ebitda_to_enterprise_value, 25 / (240 + 200 - 50)),
        (quality.return_on_equity, 12 / 400),
        (quality.gross_profitability, 40 / 800),
        (quality.operating_margin, 0.2),
        (quality.leverage, 0.5),
        (quality.current_ratio, 2.0),
        (quality.accruals, (12 - 15) / ((800 + 640) / 2)),
        (quality.asset_growth, 0.25),
        (quality.share_issuance, np.log(1.25)),
        (growth.revenue_growth_year, 0.25),
        (growth.earnings_growth_year, (12 - 0.8 * 12) / 640),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_a_formula_by_hand(feature, expected):
    assert on(feature, market(*whole_statement()), "2019-02-21") == pytest.approx(expected)


def test_growth_of_a_quarter_by_hand():
    rows = [
        (metric, end, 3, filed_on, value)
        for end, filed_on, values in (("2018-03-31", "2018-05-01", (50.0, 4.0)), ("2019-03-31", "2019-05-01", (60.0, -1.0)))
        for metric, value in zip(("total_revenue", "net_income"), values, strict=True)
    ]
    made = market(*rows, ("total_assets", "2018-03-31", 0, "2018-05-01", 100.0))
    assert on(growth.revenue_growth_quarter, made, "2019-05-02") == pytest.approx(0.2)
    assert on(growth.earnings_growth_quarter, made, "2019-05-02") == pytest.approx(-0.05)


def test_a_gross_profit_as_filed_counts_before_the_difference():
    made = market(*whole_statement(), ("gross_profit", "2018-12-31", 12, "2019-02-20", 44.0))
    assert on(quality.gross_profitability, made, "2019-02-21") == pytest.approx(44 / 800)


def test_a_loss_of_all_equity_has_no_book_to_market_and_no_return_on_equity():
    rows = [row if row[0] != "shareholders_equity" else (*row[:4], -5.0) for row in whole_statement()]
    made = market(*rows)
    assert np.isnan(on(valuation.book_to_market, made, "2019-02-21"))
    assert np.isnan(on(quality.return_on_equity, made, "2019-02-21"))


def reported(*rows, close=10.0, moves=None):
    bars = markets.bars(["A"], DAYS, close=np.broadcast_to(close, len(DAYS)))
    return markets.market(markets.core(bars, reports=filings.reports(*(("A", *row) for row in rows)), moves=moves), DAYS)


def test_a_surprise_counts_from_when_its_report_was_known_and_keeps_its_first_figures():
    made = reported(("2019-02-05", "2019-02-05", 0.50, 0.60), ("2019-02-05", "2019-02-20", 0.55, 0.61))
    assert np.isnan(on(growth.earnings_surprise, made, "2019-02-05"))
    assert on(growth.earnings_surprise, made, "2019-02-06") == pytest.approx(0.01)
    assert on(growth.earnings_surprise, made, "2019-03-05") == pytest.approx(0.01)
    assert on(growth.days_since_report, made, "2019-02-06") == 1


def test_a_surprise_is_absent_130_days_after_its_report_and_before_it_has_a_figure():
    made = reported(("2019-02-04", "2019-02-04", 0.5, 0.6), ("2019-11-05", "2019-08-01", 0.7, None))
    assert np.nanmax(growth.days_since_report.compute(made)) == 130
    assert np.isnan(on(growth.earnings_surprise, made, "2019-08-05"))


def test_a_surprise_is_in_todays_shares():
    close = np.where(np.datetime64("2019-04-01") <= DAYS, 5.0, 20.0)
    made = reported(("2019-02-05", "2019-02-05", 0.5, 0.7), close=close, moves=split("2019-04-01", 4.0))
    assert on(growth.earnings_surprise, made, "2019-03-29") == pytest.approx(0.01)
    assert on(growth.earnings_surprise, made, "2019-04-01") == pytest.approx(0.01)


def test_late_news_of_an_older_report_does_not_replace_the_newest():
    made = reported(("2019-05-05", "2019-05-05", 0.5, 0.6), ("2019-02-05", "2019-05-20", 0.5, 0.9))
    assert on(growth.earnings_surprise, made, "2019-05-21") == pytest.approx(0.01)


def test_what_was_known_does_not_depend_on_where_the_sessions_begin():
    names = [f"T{number}" for number in range(5)]
    facts, told = filings.random_filings(names, dt.date(2015, 1, 1), dt.date(2020, 9, 30))
    moves = markets.actions(("T1", np.datetime64("2019-05-01"), "split", 3.0), ("T2", np.datetime64("2017-05-01"), "split", 0.3))
    close = np.exp(np.cumsum(0.02 * np.random.default_rng(0).standard_normal((5, len(DAYS))), axis=1))
    later = DAYS[300:]
    tables = [
        markets.core(markets.bars(names, days, close=close[:, -len(days) :]), filed=facts, reports=told, moves=moves)
        for days in (DAYS, later)
    ]
    whole, tail = (markets.market(table, days) for table, days in zip(tables, (DAYS, later), strict=True))
    for feature in (*valuation.FEATURES, *quality.FEATURES, *growth.FEATURES):
        got, expected = feature.compute(tail), feature.compute(whole)[:, 300:]
        assert np.isfinite(got).any(), feature.name
        np.testing.assert_array_equal(got, expected, err_msg=feature.name)


def test_nothing_depends_on_periods_that_ended_four_years_before_the_newest():
    facts, _ = filings.random_filings(["T0"], dt.date(2013, 1, 1), dt.date(2019, 12, 31))
    ends = facts["period_end"].to_numpy()
    late = facts.filter(markets.pa.array(ends > np.datetime64("2015-12-31")))
    assert late.num_rows < facts.num_rows
    bars = markets.bars(["T0"], DAYS, close=np.full(len(DAYS), 10.0))
    whole, short = (markets.market(markets.core(bars, filed=table), DAYS) for table in (facts, late))
    for feature in (*valuation.FEATURES, *quality.FEATURES, *growth.FEATURES):
        got, expected = (feature.compute(made)[:, np.datetime64("2020-03-02") <= DAYS] for made in (short, whole))
        np.testing.assert_array_equal(got, expected, err_msg=feature.name)
