import numpy as np
import pyarrow as pa
import pytest

from trader_pipeline.features import residual
from trader_pipeline_tests.features import markets

COUNT = 130


def moves(seed, count=COUNT):
    return 0.01 * np.random.default_rng(seed).standard_normal(count)


def priced(log_returns):
    return 100 * np.exp(np.cumsum(log_returns, axis=-1))


def with_index(returns_NT, index_T, sectors=None, **columns):
    """Tickers A, B, … with the given log returns beside the benchmark SPY."""
    days = markets.sessions(returns_NT.shape[1])
    names = [chr(ord("A") + i) for i in range(len(returns_NT))]
    bars = [markets.bars(names, days, close=priced(returns_NT), **columns), markets.bars(["SPY"], days, close=priced(index_T)[None])]
    return markets.market(markets.core(pa.concat_tables(bars), benchmark="SPY", sectors=sectors), days)


def test_beta_of_a_ticker_that_moves_twice_as_much_as_the_benchmark():
    index = moves(1)
    market = with_index(np.stack([2 * index]), index)
    assert market.grid.tickers == ("A",)
    np.testing.assert_allclose(residual.beta_252d.compute(market)[0, 63:], 2.0)
    assert np.isnan(residual.beta_252d.compute(market)[0, 62])  # 63 returns need 64 closes


def test_without_a_benchmark_the_equal_weight_universe_stands_in():
    days = markets.sessions(COUNT)
    returns = np.stack([moves(1), moves(1)])
    market = markets.market(markets.core(markets.bars(["A", "B"], days, close=priced(returns))), days)
    assert market.benchmark is None
    np.testing.assert_allclose(residual.beta_252d.compute(market)[:, -1], [1.0, 1.0])


def test_a_residual_is_what_beta_and_sector_leave():
    index = moves(2)
    surprise = np.zeros((6, COUNT))
    surprise[0, -1] = 0.06
    sectors = dict.fromkeys("ABCDEF", "tech")
    market = with_index(index + surprise, index, sectors)
    # beta is 1 for all; the sector's mean surprise is 0.01
    np.testing.assert_allclose(market.residual[:, -1], [0.05, -0.01, -0.01, -0.01, -0.01, -0.01], atol=1e-12)
    np.testing.assert_allclose(residual.residual_return_5d.compute(market)[:, -1], [0.05, -0.01, -0.01, -0.01, -0.01, -0.01], atol=1e-12)


def test_a_sector_of_four_is_too_small_to_be_taken_out():
    index = moves(2)
    surprise = np.zeros((4, COUNT))
    surprise[0, -1] = 0.06
    market = with_index(index + surprise, index, dict.fromkeys("ABCD", "tech"))
    np.testing.assert_allclose(market.residual[:, -1], [0.06, 0.0, 0.0, 0.0], atol=1e-12)


def test_shocks_reach_peers_and_followers_of_the_largest_name_but_not_itself():
    own = np.stack([moves(seed) for seed in range(10, 14)])
    index = moves(3)
    shares = np.array([[1e6], [9e6], [2e6], [5e6]]) * np.ones((4, COUNT))
    market = with_index(own + index, index, {"A": "tech", "B": "tech", "C": "tech"}, volume_shares=shares)
    shock = residual.residual_shock_1d.compute(market)[:, -1]
    leader = residual.sector_leader_shock_1d.compute(market)[:, -1]
    np.testing.assert_array_equal(leader, [shock[1], np.nan, shock[1], np.nan])  # B leads; D has no sector
    peers = residual.sector_shock_1d.compute(market)[:, -1]
    np.testing.assert_allclose(peers, [(shock[1] + shock[2]) / 2, (shock[0] + shock[2]) / 2, (shock[0] + shock[1]) / 2, np.nan])


def test_the_mean_of_shocks_forgets_a_fifth_a_day():
    own = np.stack([moves(seed, 160) for seed in range(10, 13)])
    market = with_index(own, moves(4, 160))
    shock, mean = market.shock[0], residual.residual_shock_ewma_30d.compute(market)[0]
    # one day later the mean moves a fifth of the way to the new shock, but for the weight that leaves the window (0.8^30)
    assert mean[-1] == pytest.approx(0.8 * mean[-2] + 0.2 * shock[-1], abs=0.005)
