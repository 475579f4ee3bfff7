"""Prices made so that each answer can be worked out on paper."""

import numpy as np
import pytest

from trader_pipeline.features import momentum
from trader_pipeline_tests.features import markets


def last(feature, **columns):
    return feature.compute(markets.lone(**columns))[0, -1]


def path(length, *tail, level=100.0):
    """`level` for the first sessions, then `tail`."""
    return np.array([level] * (length - len(tail)) + list(tail))


def test_returns_compare_two_closes():
    close = path(64, 100.0)
    close[[0, 42, 58, 62, 63]] = 80.0, 96.0, 60.0, 100.0, 120.0
    assert last(momentum.return_1d, close=close) == pytest.approx(0.2)  # 120 / 100
    assert last(momentum.return_5d, close=close) == pytest.approx(1.0)  # 120 / 60
    assert last(momentum.return_21d, close=close) == pytest.approx(0.25)  # 120 / 96
    assert last(momentum.return_63d, close=close) == pytest.approx(0.5)  # 120 / 80


def test_momentum_leaves_out_the_last_month():
    close = path(253, 70.0)
    close[0], close[231] = 50.0, 110.0
    assert last(momentum.momentum_12_1, close=close) == pytest.approx(1.2)  # 110 / 50, not 70 / 50


def test_trend_is_the_distance_from_the_mean_of_200_closes():
    assert last(momentum.trend_200d, close=path(200, 150.0)) == pytest.approx(0.49625935)  # 150 / 100.25 - 1


def test_52_week_high_is_the_highest_high_not_the_highest_close():
    close, high = path(252, 150.0), path(252, 151.0)
    high[3] = 200.0
    assert last(momentum.price_to_52_week_high, close=close, high=high) == pytest.approx(0.75)


def test_drawdown_is_the_deepest_fall_and_not_the_first():
    assert last(momentum.drawdown_63d, close=path(63, 100.0, 80.0, 120.0, 90.0, 110.0)) == pytest.approx(-0.25)  # 120 to 90


def test_rsi_counts_gains_among_all_moves():
    ten_up_four_down = 100 * np.exp(0.01 * np.cumsum([0] + [1] * 10 + [-1] * 4))
    assert last(momentum.rsi_14d, close=ten_up_four_down) == pytest.approx(71.428571)
    assert np.isnan(last(momentum.rsi_14d, close=path(15)))


def test_overnight_and_intraday_parts():
    close, opened = np.array([100.0, 110.0]), np.array([100.0, 104.0])
    assert last(momentum.overnight_return_1d, open=opened, close=close) == pytest.approx(0.04)
    assert last(momentum.intraday_return_1d, open=opened, close=close) == pytest.approx(0.0576923)  # 110 / 104 - 1
    steady = last(momentum.overnight_return_21d, open=np.full(22, 100 * np.exp(0.003)), close=np.full(22, 100.0))
    assert steady == pytest.approx(0.003)


def test_the_largest_daily_return_of_a_month_forgets_what_is_older():
    close = path(30, 100.0, 130.0, 117.0)  # +30 % then -10 %
    assert last(momentum.maximum_daily_return_21d, close=close) == pytest.approx(0.3)
    assert last(momentum.maximum_daily_return_21d, close=np.concatenate([close, [117.0] * 19])) == pytest.approx(0.3)
    assert last(momentum.maximum_daily_return_21d, close=np.concatenate([close, [117.0] * 20])) == pytest.approx(0.0)


def dividend_market():
    """100, then an ex-date with a dividend of 5 that closes at 95."""
    days = markets.sessions(3)
    tables = markets.core(
        markets.bars(["A"], days, close=np.array([100.0, 95.0, 95.0])), moves=markets.actions(("A", days[1], "dividend", 5.0))
    )
    return markets.market(tables, days)


def test_a_dividend_is_part_of_the_return():
    np.testing.assert_allclose(momentum.return_1d.compute(dividend_market())[0, 1:], [0.0, 0.0], atol=1e-15)


def test_a_split_is_no_return():
    days = markets.sessions(3)
    tables = markets.core(
        markets.bars(["A"], days, close=np.array([700.0, 101.0, 102.01])), moves=markets.actions(("A", days[1], "split", 7.0))
    )
    np.testing.assert_allclose(momentum.return_1d.compute(markets.market(tables, days))[0, 1:], [0.01, 0.01])


def test_a_hole_stays_null_and_so_does_the_return_after_it():
    got = momentum.return_1d.compute(markets.lone(close=np.array([100.0, np.nan, 110.0, 121.0])))[0]
    np.testing.assert_allclose(got, [np.nan, np.nan, np.nan, 0.1])
