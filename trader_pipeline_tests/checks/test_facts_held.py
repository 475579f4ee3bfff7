"""Rows of the tables beside the bars that are in error are kept out one by one; what is only odd stays."""

import datetime as dt

from trader_pipeline.schema.core import FUNDAMENTALS, MACRO, NEWS, OPTION_QUOTES
from trader_pipeline_tests.checks.facts import at, held
from trader_pipeline_tests.checks.test_fundamentals import filed
from trader_pipeline_tests.checks.test_fundamentals import with_value as figures
from trader_pipeline_tests.checks.test_macro import DAYS, YIELDS, observed
from trader_pipeline_tests.checks.test_macro import with_value as yields
from trader_pipeline_tests.checks.test_options import quote


def test_one_figure_of_a_company_is_kept_out_and_its_others_stay():
    rows = [*filed(figures(2, -90.0), metric="inventory"), *filed()]
    assert held("fundamentals_values", FUNDAMENTALS, rows) == [("A", "2016-09-30", "inventory 3", "sec")]


def test_a_value_in_another_unit_is_kept_out_in_the_middle_and_only_told_at_the_end():
    assert held("macro_unit", MACRO, observed(yields(6, YIELDS[6] * 100))) == [("DGS10", str(DAYS[6]), "", "fred")]
    assert held("macro_unit", MACRO, observed(yields(11, YIELDS[11] * 100))) == []


def test_a_headline_from_the_future_is_kept_out_by_its_id():
    row = {"ticker": "A", "news_id": "x1", "published_at": at("2018-06-01T20:30"), "known_at": at("2018-06-01T20:00"), "source": "fmp"}
    row |= {"known_at_basis": "observed", "title": "Sales rise"}
    sound = row | {"news_id": "x2", "known_at": at("2018-06-01T21:00")}
    assert held("news_clock", NEWS, [row, sound]) == [("A", "2018-06-01", "x1", "fmp")]


def test_one_contract_of_a_chain_is_kept_out():
    rows = [quote(), quote(strike=110.0, expiry=dt.date(2018, 5, 31)), quote(strike=120.0, bid=3.3)]
    assert held("option_quotes", OPTION_QUOTES, rows) == [("A", "2018-06-01", "2018-05-31 call 110.0", "yahoo")]
