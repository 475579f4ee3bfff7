import numpy as np
import pytest

from trader_pipeline.features import volume
from trader_pipeline_tests.features import markets


def last(feature, **columns):
    return feature.compute(markets.lone(**columns))[0, -1]


def test_dollar_volume():
    assert last(volume.log_dollar_volume_21d, close=np.full(21, 50.0), volume_shares=np.full(21, 2e4)) == pytest.approx(
        13.8155106
    )  # log 1e6


def test_amihud_is_the_move_of_a_million_dollars():
    close = 100 * 1.01 ** np.arange(22)
    assert last(volume.amihud_illiquidity_21d, close=close, volume_shares=2e6 / close) == pytest.approx(0.005)


def test_amihud_leaves_out_sessions_without_volume():
    close, shares = 100 * 1.01 ** np.arange(22.0), 2e6 / (100 * 1.01 ** np.arange(22.0))
    shares[[5, 9]] = 0.0
    assert last(volume.amihud_illiquidity_21d, close=close, volume_shares=shares) == pytest.approx(0.005)


def test_volume_ratio():
    shares = np.array([100.0] * 58 + [200.0] * 5)
    assert last(volume.volume_ratio_5d_63d, close=np.full(63, 10.0), volume_shares=shares) == pytest.approx(1.85294118)  # 200 / (6800 / 63)


def test_volume_surprise_counts_from_the_quarter_before_today():
    shares = np.array([100.0] * 32 + [10_000.0] * 31 + [100_000.0])  # log10: mean 2.98412698, sd 1.00790526, today 5
    assert last(volume.volume_surprise_1d, close=np.full(64, 10.0), volume_shares=shares) == pytest.approx(2.0000620, rel=1e-6)


def test_volume_that_comes_with_rises():
    close = np.where(np.arange(22) % 2, 101.0, 100.0)
    shares = np.where(np.arange(22) % 2, 3e6, 1e6)
    assert last(volume.return_volume_correlation_21d, close=close, volume_shares=shares) == pytest.approx(1.0)
    assert last(volume.return_volume_correlation_21d, close=close, volume_shares=shares[::-1]) == pytest.approx(-1.0)


def test_a_split_is_no_surprise_in_volume():
    days = markets.sessions(64)
    shares = np.where(np.arange(64) % 2, 100.0, 150.0)
    shares[60:] *= 10
    close = np.full(64, 50.0)
    close[60:] = 5.0
    tables = markets.core(
        markets.bars(["A"], days, close=close, volume_shares=shares), moves=markets.actions(("A", days[60], "split", 10.0))
    )
    assert abs(volume.volume_surprise_1d.compute(markets.market(tables, days))[0, -1]) < 1.1
    assert volume.volume_ratio_5d_63d.compute(markets.market(tables, days))[0, -1] == pytest.approx(0.96305732)  # 120 * 63 / 7850
