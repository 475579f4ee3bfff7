"""A paper portfolio that trades the way the labels are defined."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """Fractions of the amount traded. No market impact: these portfolios are small beside the volume of the names."""

    half_spread: float = 0.0002
    commission: float = 0.00005

    @property
    def per_trade(self) -> float:
        """Cost of buying or selling one unit."""
        return self.half_spread + self.commission


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Backtest:
    """Daily figures [T]; fractions of equity."""

    gross_return: Floats
    cost: Floats
    turnover: Floats
    exposure: Floats

    @property
    def strategy_return(self) -> Floats:
        """Net of cost."""
        return self.gross_return - self.cost


def backtest(weights_NT: Floats, *, intraday_return_NT: Floats, daily_return_NT: Floats, holding: int, costs: Costs) -> Backtest:
    """Return the portfolio that puts 1 / `holding` of the equity into each session's weights and keeps it `holding` sessions.

    Weights decided after the close of t enter at the open of t + 1 and leave at the close of t + holding: the first session
    earns open to close, the later ones close to close. A tranche is bought and held; its profit is related to the equity at
    entry. A session without a price moves nothing. Jegadeesh & Titman 1993 (overlapping portfolios).
    """
    sessions = weights_NT.shape[1]
    intraday, daily = np.nan_to_num(intraday_return_NT), np.nan_to_num(daily_return_NT)
    gross, turnover, exposure = np.zeros(sessions), np.zeros(sessions), np.zeros(sessions)
    held = np.nan_to_num(weights_NT) / holding
    for age in range(1, holding + 1):
        entered = np.zeros_like(held)
        entered[:, 1:] = held[:, :-1]
        moves = entered * (intraday if age == 1 else daily)
        gross += moves.sum(axis=0)
        exposure += np.abs(entered).sum(axis=0)
        if age == 1:
            turnover += np.abs(entered).sum(axis=0)
        held = entered + moves
    turnover += np.abs(held).sum(axis=0)
    return Backtest(gross_return=gross, cost=turnover * costs.per_trade, turnover=turnover, exposure=exposure)
