import numpy as np
import pyarrow as pa
import pytest

from trader_pipeline.features import targets
from trader_pipeline.schema.features import TARGETS
from trader_pipeline_tests.features import markets

NAN = np.nan


def test_a_label_enters_at_the_next_open_and_leaves_at_the_close_of_t_plus_h():
    opened = np.array([10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0])
    close = np.array([11.0, 22.0, 33.0, 44.0, 55.0, 66.0, 77.0])
    prices = markets.lone(open=opened, close=close, high=close, low=opened).prices
    np.testing.assert_allclose(targets.forward_return(prices, 1), [[0.1, 0.1, 0.1, 0.1, 0.1, 0.1, NAN]])
    np.testing.assert_allclose(targets.forward_return(prices, 5), [[2.3, 77 / 30 - 1, NAN, NAN, NAN, NAN, NAN]])  # 66 / 20


def test_without_any_open_a_label_runs_from_close_to_close():
    close = np.array([10.0, 11.0, 22.0, 33.0, 44.0, 55.0, 66.0])
    none = np.full(7, NAN)
    prices = markets.lone(open=none, close=close, high=none, low=none).prices
    np.testing.assert_allclose(targets.forward_return(prices, 1), [[0.1, 1.0, 0.5, 1 / 3, 0.25, 0.2, NAN]])
    np.testing.assert_allclose(targets.forward_return(prices, 5), [[4.5, 5.0, NAN, NAN, NAN, NAN, NAN]])
    one_open = none.copy()
    one_open[0] = 10.0
    assert np.isnan(targets.forward_return(markets.lone(open=one_open, close=close).prices, 1)).all(), "opens that are lost are not made up"


def test_a_split_inside_the_label_is_no_loss():
    days = markets.sessions(7)
    close = np.array([100.0, 100.0, 100.0, 25.0, 25.0, 27.5, 27.5])
    tables = markets.core(markets.bars(["A"], days, close=close), moves=markets.actions(("A", days[3], "split", 4.0)))
    np.testing.assert_allclose(targets.forward_return(markets.market(tables, days).prices, 5)[0, :2], [0.1, 0.1])


def test_a_dividend_is_earned_by_who_held_it_before_its_ex_date():
    days = markets.sessions(7)
    close = np.array([100.0, 100.0, 95.0, 95.0, 95.0, 95.0, 95.0])
    tables = markets.core(markets.bars(["A"], days, close=close), moves=markets.actions(("A", days[2], "dividend", 5.0)))
    got = targets.forward_return(markets.market(tables, days).prices, 5)[0]
    np.testing.assert_allclose(got[:2], [0.0, 0.0], atol=1e-15)  # bought at 100 before; bought at 95 on the ex-date


def test_a_label_that_begins_or_ends_in_a_hole_is_null_and_one_across_it_is_not():
    close = np.array([1.0, 2.0, 3.0, NAN, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0])
    got = targets.forward_return(markets.lone(close=close).prices, 1)[0]
    np.testing.assert_array_equal(np.isnan(got), [False, False, True, False, False, False, False, False, False, True])
    got = targets.forward_return(markets.lone(close=close).prices, 5)[0]
    np.testing.assert_allclose(got[:5], [6 / 2 - 1, 7 / 3 - 1, NAN, 9 / 5 - 1, 10 / 6 - 1])


def test_a_label_after_the_last_bar_of_a_delisted_ticker_is_null():
    close = np.ones((2, 10))
    close[1, 6:] = NAN
    days = markets.sessions(10)
    got = targets.forward_return(markets.market(markets.core(markets.bars(["A", "B"], days, close=close)), days).prices, 5)
    np.testing.assert_array_equal(np.isfinite(got).sum(axis=1), [5, 1])


def test_rank_normal():
    scores = targets.rank_normal(np.array([[0.3, 1.0], [-0.1, 1.0], [0.1, NAN], [NAN, NAN]]))
    # normal quantiles of 5/6, 1/6, 1/2; of two equals both 1/2
    np.testing.assert_allclose(scores, [[0.96742157, 0.0], [-0.96742157, 0.0], [0.0, NAN], [NAN, NAN]], atol=1e-8)


def test_one_ticker_has_no_rank():
    assert np.isnan(targets.rank_normal(np.array([[0.3]]))).all()


def test_volatility_weighs_recent_moves_and_is_known_at_the_session():
    log_returns = np.concatenate([np.zeros(1), np.full(30, 0.01), [0.05]])
    prices = markets.lone(close=100 * np.exp(np.cumsum(log_returns))).prices
    got = targets.volatility_daily(prices)[0]
    assert np.isnan(got[20])
    np.testing.assert_allclose(got[21:31], 0.01)
    # 0.97^0 * 0.0025 + 0.0001 * (0.97 + … + 0.97^30) = 0.0025 + 0.0001 * 19.3661; weights sum 20.3661
    assert got[31] == pytest.approx(0.0147584, rel=1e-4)


def test_a_still_price_has_no_volatility_and_no_scaled_label():
    table = targets.build_targets(markets.lone(close=np.full(60, 5.0)))
    assert table["volatility_daily"].null_count == 60
    assert table["scaled_return_1d"].null_count == 60
    assert table["forward_return_1d"].null_count == 1


def labelled():
    """Three tickers at one, two and three times the benchmark's log return, the benchmark up 1 % from open to close at the end."""
    index = 0.01 * np.random.default_rng(8).standard_normal(100)
    days = markets.sessions(100)
    close = 100 * np.exp(np.cumsum(np.array([[1.0], [2.0], [3.0]]) * index, axis=1))
    spy = 100 * np.exp(np.cumsum(index))
    opened = close.copy()
    opened[:, -1] = close[:, -1] / np.array([1.05, 1.02, 1.03])
    spy_open = spy.copy()
    spy_open[-1] = spy[-1] / 1.01
    bars = [
        markets.bars(["A", "B", "C"], days, close=close, open=opened),
        markets.bars(["SPY"], days, close=spy[None], open=spy_open[None]),
    ]
    market = markets.market(markets.core(pa.concat_tables(bars), benchmark="SPY"), days)
    return market, targets.build_targets(market)


def test_the_tables_row_by_hand():
    market, table = labelled()
    TARGETS.conform(table)
    assert table.num_rows == 300
    rows = [row for row in table.to_pylist() if row["session"] == market.grid.sessions[-2].item()]
    assert [row["ticker"] for row in rows] == ["A", "B", "C"]
    np.testing.assert_allclose([row["forward_return_1d"] for row in rows], [0.05, 0.02, 0.03])
    np.testing.assert_allclose([row["benchmark_return_1d"] for row in rows], 0.01)
    np.testing.assert_allclose([row["beta"] for row in rows], [1.0, 2.0, 3.0], atol=1e-12)
    # residuals 0.04, 0.00, 0.00: B's and C's differ by rounding alone, A is first
    assert rows[0]["residual_rank_1d"] == pytest.approx(0.96742157)
    for row in rows:
        assert row["scaled_return_1d"] == pytest.approx(row["forward_return_1d"] / row["volatility_daily"])
        assert row["forward_return_5d"] is None
        assert row["benchmark_return_5d"] is None


def test_without_a_benchmark_the_label_is_measured_against_the_mean_of_the_universe():
    days = markets.sessions(3)
    close = np.array([[10.0, 10.0, 11.0], [10.0, 10.0, 13.0]])
    opened = np.array([[10.0, 10.0, 10.0], [10.0, 10.0, 10.0]])
    table = targets.build_targets(markets.market(markets.core(markets.bars(["A", "B"], days, close=close, open=opened)), days))
    assert table["benchmark_return_1d"].to_pylist() == pytest.approx([0.0, 0.2, None] * 2)
