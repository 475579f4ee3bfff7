import numpy as np
import pytest

from trader_pipeline.decisions.backtest import Costs, backtest

FREE = Costs(half_spread=0.0, commission=0.0)


def test_one_tranche_by_hand():
    """All in once, decided at t = 0: open to close at 1, close to close at 2, out at the close of 2."""
    weights = np.array([[1.0, 0, 0, 0, 0]])
    paper = backtest(
        weights,
        intraday_return_NT=np.array([[0.5, 0.02, 0.5, 0.5, 0.5]]),
        daily_return_NT=np.array([[0.7, 0.7, 0.10, 0.7, 0.7]]),
        holding=2,
        costs=Costs(half_spread=0.0002, commission=0.0),
    )
    assert paper.gross_return == pytest.approx([0, 0.5 * 0.02, 0.5 * 1.02 * 0.10, 0, 0])
    assert paper.exposure == pytest.approx([0, 0.5, 0.5 * 1.02, 0, 0])
    assert paper.turnover == pytest.approx([0, 0.5, 0.5 * 1.02 * 1.10, 0, 0])
    assert paper.cost == pytest.approx(0.0002 * paper.turnover)
    assert paper.strategy_return == pytest.approx(paper.gross_return - paper.cost)


def test_the_whole_profit_of_a_tranche_is_the_labels_return():
    """Enter at the next open, leave at the close of t + 5: the same span as forward_return_5d."""
    rng = np.random.default_rng(0)
    intraday, daily = rng.normal(0, 0.02, (1, 12)), rng.normal(0, 0.02, (1, 12))
    weights = np.zeros((1, 12))
    weights[0, 3] = 1.0
    paper = backtest(weights, intraday_return_NT=intraday, daily_return_NT=daily, holding=5, costs=FREE)
    label = (1 + intraday[0, 4]) * np.prod(1 + daily[0, 5:9]) - 1
    assert paper.gross_return.sum() == pytest.approx(label / 5)


def test_a_full_book_holds_its_gross_and_trades_two_fifths_a_day():
    paper = backtest(
        np.full((4, 40), 0.25), intraday_return_NT=np.zeros((4, 40)), daily_return_NT=np.zeros((4, 40)), holding=5, costs=Costs()
    )
    assert paper.exposure[10:] == pytest.approx(1.0)
    assert paper.turnover[10:] == pytest.approx(0.4)
    assert paper.cost[10] == pytest.approx(0.4 * 0.00025)


def test_today_does_not_know_today():
    weights, moves = np.zeros((1, 6)), np.zeros((1, 6))
    weights[0, 3] = 1.0
    moves[0, 3] = 0.5
    paper = backtest(weights, intraday_return_NT=moves, daily_return_NT=moves, holding=1, costs=FREE)
    assert paper.gross_return.sum() == 0


def test_a_session_without_a_price_moves_nothing():
    holes = np.full((1, 5), np.nan)
    paper = backtest(np.ones((1, 5)), intraday_return_NT=holes, daily_return_NT=holes, holding=2, costs=FREE)
    assert paper.gross_return == pytest.approx(np.zeros(5))
