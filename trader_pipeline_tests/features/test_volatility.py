import numpy as np
import pytest

from trader_pipeline.features import volatility
from trader_pipeline_tests.features import markets


def last(feature, **columns):
    return feature.compute(markets.lone(**columns))[0, -1]


def from_log_returns(returns):
    return 100 * np.exp(np.concatenate([[0.0], np.cumsum(returns)]))


def bars_of_shape(count, *, up, down, body):
    """Every session opens at 100 and has the same shape, in logs."""
    one = np.full(count, 100.0)
    return {"open": one, "high": one * np.exp(up), "low": one * np.exp(-down), "close": one * np.exp(body)}


def test_close_to_close_volatility_is_a_sample_standard_deviation():
    returns = 0.01 * (-1.0) ** np.arange(21)  # eleven up, ten down: variance (0.0021 - 0.0001 / 21) / 20
    assert last(volatility.volatility_21d, close=from_log_returns(returns)) == pytest.approx(0.010235326)


def test_parkinson():
    assert last(volatility.parkinson_volatility_21d, **bars_of_shape(21, up=0.02, down=0.0, body=0.0)) == pytest.approx(0.012011224)


def test_garman_klass():
    shape = bars_of_shape(21, up=0.02, down=0.0, body=0.01)  # 0.0002 - 0.38629436 * 0.0001
    assert last(volatility.garman_klass_volatility_21d, **shape) == pytest.approx(0.012703171)


def test_yang_zhang_of_identical_sessions_is_its_rogers_satchell_part():
    shape = bars_of_shape(22, up=0.02, down=0.01, body=0.005)  # (1 - 0.13934426) * (0.02 * 0.015 + 0.01 * 0.015)
    assert last(volatility.yang_zhang_volatility_21d, **shape) == pytest.approx(0.01967981)


def test_a_wild_week_after_a_calm_quarter():
    returns = np.zeros(63)
    returns[-5:] = 0.01 * np.array([1, -1, 1, -1, 1])
    # week: sqrt((5 - 1 / 5) / 4) = 1.0954451; quarter: sqrt((5 - 1 / 63) / 62) = 0.28352978; both times 0.01
    assert last(volatility.volatility_ratio_5d_63d, close=from_log_returns(returns)) == pytest.approx(3.8635979, rel=1e-6)


def test_range_of_the_session():
    assert last(volatility.high_low_range_1d, high=[110.0], low=[100.0], close=[105.0]) == pytest.approx(0.0953101798)  # log 1.1


def test_skewness_of_one_jump_among_still_sessions():
    returns = np.zeros(63)
    returns[20] = 0.05  # (n - 2) / sqrt(n - 1)
    assert last(volatility.return_skewness_63d, close=from_log_returns(returns)) == pytest.approx(7.7470078, rel=1e-6)


def test_a_price_that_stands_still_has_no_volatility_and_nothing_is_divided_by_it():
    still = markets.lone(close=np.full(80, 12.34))
    for feature in volatility.FEATURES:
        value = feature.compute(still)[0, -1]
        assert np.isnan(value) if feature.unit in ("ratio", "-") else value == 0.0, feature.name


def test_one_missing_bar_leaves_the_window_and_five_empty_it():
    close = 100 * np.exp(0.01 * np.sin(np.arange(40.0)))
    close[-3] = np.nan
    assert np.isfinite(last(volatility.volatility_21d, close=close))
    close[[-5, -7, -9]] = np.nan  # 8 of 21 returns lost
    assert np.isnan(last(volatility.volatility_21d, close=close))
