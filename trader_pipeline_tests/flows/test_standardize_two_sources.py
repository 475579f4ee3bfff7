"""Bars of one ticker from two sources: what was known of it on a day stays, in whichever order they are standardized."""

import pytest

from trader_pipeline.schema.raw_fmp import FMP_BARS
from trader_pipeline.sources.fmp_bars import FMP_BARS_FEED
from trader_pipeline.sources.yahoo import YAHOO
from trader_pipeline_tests.flows.raw_fetches import DAYS, after, bar, brought_up, fresh, publish, tables


def fmp(ticker, day, close=10.0):
    prices = dict.fromkeys(("adjOpen", "adjHigh", "adjLow", "adjClose"), close)
    return FMP_BARS, {"ticker": ticker, "date": day, **prices, "volume": 1000.0, "role": "stock"}


def brought(lake):
    return brought_up(lake, feeds=(YAHOO, FMP_BARS_FEED))


def known(lake, as_of):
    query = "select ticker, session, source, close from core.daily_bars where known_at <= ? order by all"
    return lake.snapshot().sql(query, [as_of]).to_pylist()


@pytest.mark.parametrize("ticker", ["A", "B"])
def test_a_stand_in_fills_no_hole_of_the_past_in_yesterdays_answer(tmp_path, ticker):
    lake = fresh(tmp_path)
    publish(lake, after(DAYS[10]), *(bar("A", day) for day in DAYS[:11] if day != DAYS[5]))
    brought(lake)
    before = known(lake, after(DAYS[10]))
    publish(lake, after(DAYS[20]), *(fmp(ticker, day) for day in DAYS[:21]))
    brought(lake)
    then = known(lake, after(DAYS[10]))
    assert [row for row in then if row["ticker"] == "A"] == before
    assert len(then) - len(before) == (11 if ticker == "B" else 0)  # a first load of another ticker is history
    assert len(known(lake, after(DAYS[20]))) == 31


FETCHES = {
    "in turn": [(10, bar, 11), (20, fmp, 21), (22, bar, 23)],
    "the second began earlier and ended later": [(20, bar, 21), (10, fmp, 11), (22, fmp, 23)],
}


@pytest.mark.parametrize("fetches", FETCHES.values(), ids=FETCHES)
def test_one_fetch_at_a_time_ends_as_all_at_once(tmp_path, fetches):
    grown, whole = fresh(tmp_path / "grown"), fresh(tmp_path / "whole")
    for asked, row, through in fetches:
        for lake in (grown, whole):
            publish(lake, after(DAYS[asked]), *(row("A", day) for k, day in enumerate(DAYS[:through]) if k % 3 != asked % 3))
        brought(grown)
    brought(whole)
    assert tables(grown) == tables(whole)
