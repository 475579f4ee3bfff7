"""The arithmetic of the ticker page, worked out by hand."""

import datetime as dt

import pytest

from trader_pipeline import lake
from trader_pipeline.dashboard import chart
from trader_pipeline_tests import published


def test_bars_before_a_split_are_divided_and_the_last_is_as_traded(home):
    snapshot = lake.open(home / "deep")
    traded = {
        row["session"]: row
        for row in snapshot.sql("select session, close, volume_shares from core.accepted_bars where ticker = 'AAPL'").to_pylist()
    }
    view = {row["session"]: row for row in chart.bars(snapshot, "AAPL").to_pylist()}
    before, on = dt.date(2019, 5, 31), published.SPLIT_SESSION  # 4:1 takes effect at the open of 2019-06-03
    assert view[before]["close"] == pytest.approx(traded[before]["close"] / 4)
    assert view[before]["volume_shares"] == pytest.approx(traded[before]["volume_shares"] * 4)
    assert view[on]["close"] == pytest.approx(traded[on]["close"])
    assert view[published.SESSION]["close"] == pytest.approx(320.0)


def test_the_fan_starts_at_the_close_and_meets_the_quantiles_at_each_horizon():
    quantiles = {"q05": -0.10, "q25": -0.02, "q50": 0.01, "q75": 0.04, "q95": 0.12}
    forecasts = [{"horizon_sessions": 4} | quantiles, {"horizon_sessions": 9} | dict.fromkeys(quantiles, 0.5)]
    points = chart.fan("XNYS", dt.date(2020, 2, 7), 200.0, forecasts[::-1])  # whatever their order
    assert [p["time"] for p in points[:3]] == ["2020-02-07", "2020-02-10", "2020-02-11"]
    assert len(points) == 10
    assert points[-1]["time"] == "2020-02-21"  # the 17th is Washington's Birthday
    assert points[0]["q05"] == points[0]["q95"] == 200.0
    assert points[4]["q05"] == pytest.approx(180.0)
    assert points[4]["q95"] == pytest.approx(224.0)
    # sqrt(1) is half way between sqrt(0) and sqrt(4)
    assert points[1]["q05"] == pytest.approx(190.0)
    assert points[9]["q50"] == pytest.approx(300.0)


def test_a_missing_quantile_leaves_a_gap_not_a_number():
    row = {"horizon_sessions": 1, "q05": None, "q25": 0.0, "q50": 0.0, "q75": 0.0, "q95": 0.0}
    assert chart.fan("XNYS", dt.date(2020, 2, 7), 10.0, [row])[1]["q05"] is None


def test_a_ticker_without_bars_draws_nothing(home):
    payload = chart.payload(lake.open(home / "deep"), "NONE", "XNYS", published.SESSION, [])
    assert payload["candles"] == payload["fan"] == []
