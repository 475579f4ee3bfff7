"""Scenario sums, price arrays and intervals, worked out by hand."""

import datetime as dt

import numpy as np
import pytest
from matplotlib.figure import Figure

from trader_pipeline.lake import Lake
from trader_pipeline.reports import figures, statistics
from trader_pipeline.reports.prices import Closes, adjusted_closes
from trader_pipeline.reports.sections.scenarios import weighted
from trader_pipeline.settings import Settings
from trader_pipeline_tests import published


def test_a_scenario_is_the_weighted_quantile_and_a_short_takes_the_mirrored_one():
    rows = [{"ticker": "A", "q05": -0.10, "q50": 0.02, "q95": 0.20}, {"ticker": "B", "q05": -0.30, "q50": 0.00, "q95": 0.40}]
    weights = {"A": 0.5, "B": -0.1}
    assert weighted(rows, weights, "q05") == pytest.approx(0.5 * -0.10 - 0.1 * 0.40)
    assert weighted(rows, weights, "q50") == pytest.approx(0.01)
    assert weighted(rows, weights, "q95") == pytest.approx(0.5 * 0.20 - 0.1 * -0.30)
    assert np.isnan(weighted(rows, {"A": 0.5, "C": 0.5}, "q50"))


def test_closes_are_split_adjusted_and_returns_cross_the_split(tmp_path):
    settings = Settings(home=tmp_path, dataset="deep", _env_file=None)
    snapshot = published.publish(settings).snapshot()
    closes = adjusted_closes(snapshot, published.SESSION, 253)
    assert len(closes.sessions) == 253
    assert closes.sessions[-1] == published.SESSION
    assert len(closes.tickers) == 12
    assert closes.of("AAPL")[-1] == pytest.approx(320.0)
    assert np.abs(np.diff(np.log(closes.of("AAPL")))).max() < 0.1  # a 4:1 split unadjusted would be 1.39
    assert np.isnan(closes.of("NONE")).all()


def test_trailing_and_book_returns():
    days = (dt.date(2020, 1, 2), dt.date(2020, 1, 3), dt.date(2020, 1, 6))
    closes = Closes(sessions=days, tickers=("A", "B"), close_TN=np.array([[100.0, 50.0], [110.0, np.nan], [99.0, 60.0]]))
    assert closes.trailing_return(2) == pytest.approx({"A": -0.01, "B": 0.2})
    assert np.isnan(closes.trailing_return(3)["A"])
    assert closes.daily_returns({"A": 0.5, "B": 0.5}) == pytest.approx([0.05, -0.05])


def test_no_bars_give_empty_closes(tmp_path):
    closes = adjusted_closes(Lake(tmp_path / "lake", "deep").snapshot(), published.SESSION, 253)
    assert closes.sessions == closes.tickers == ()


def test_a_series_that_doubles_in_a_year_grows_by_100_percent():
    assert statistics.annual_return(np.full(252, 2 ** (1 / 252) - 1)) == pytest.approx(1.0)
    assert np.isnan(statistics.annual_return([]))


def test_annual_volatility_of_alternating_returns():
    # +1 % and -1 % in turn: sample variance 1e-4 * n / (n - 1)
    returns = np.tile([0.01, -0.01], 126)
    assert statistics.annual_volatility(returns) == pytest.approx(0.01 * np.sqrt(252 / 251) * np.sqrt(252))


def test_the_sharpe_interval_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(3)
    truth = 0.05 * np.sqrt(252)
    held = 0
    for _ in range(60):
        estimate = statistics.sharpe_interval(rng.normal(0.05, 1, 400) * 0.01)
        held += estimate.low <= truth <= estimate.high
    assert 51 <= held <= 60  # 57 expected of 60 at 95 %


def test_too_little_data_is_no_number():
    assert np.isnan(statistics.sharpe_interval([0.01]).value)


def test_filtered_returns_take_the_latest_volatility():
    # decay 0.5, squares 4, 4, 16 started at their mean 8: variances 8, 6, 5, then 10.5
    filtered = statistics.volatility_filtered([2.0, -2.0, 4.0], decay=0.5)
    assert filtered == pytest.approx([2 * np.sqrt(10.5 / 8), -2 * np.sqrt(10.5 / 6), 4 * np.sqrt(10.5 / 5)])


def test_an_interval_of_a_share_is_drawn_between_0_and_100(monkeypatch):
    paints = []
    monkeypatch.setattr(figures, "draw", lambda paint, **_: paints.append(paint))
    figures.accuracy((5, 60), np.array([0.6, 0.7]), np.array([0.05, 0.9]), np.array([0.5, 0.6]), 0.7, source="Source: x")
    axes = Figure().subplots()
    paints[0]([axes])
    assert [sorted(line[:, 0].round(6)) for line in axes.collections[0].get_segments()] == [[55, 65], [0, 100]]


def test_a_picture_is_the_same_bytes_with_its_source_and_without_addresses():
    def picture():
        return figures.scenarios((1, 5), np.array([-0.1, -0.2]), np.array([0.0, 0.0]), np.array([0.1, 0.3]), source="Source: x")

    assert picture() == picture()
    assert "http" not in picture()
    assert picture().startswith("<svg")
