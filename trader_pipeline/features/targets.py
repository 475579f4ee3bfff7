"""Labels: what a prediction made after the close of t would have earned from the next open to the close of t + h.

Null where the future is not known, where entry or exit falls in a hole, and where the window that scales them is
incomplete; a rank also where the ticker was no member of the day's universe. A label that would end after the
ticker's last bar is null too: core tables hold neither the cash terms of a merger nor the listing venue that the
delisting returns of Shumway (1997) and Shumway & Warther (1999) depend on.
"""

import numpy as np
import pyarrow as pa
from scipy.special import ndtri
from scipy.stats import rankdata

from trader_pipeline import panel
from trader_pipeline.features import kernels
from trader_pipeline.features.cross_section import day_mean, ratio
from trader_pipeline.features.market import BETA_SESSIONS, Float, Market, Prices
from trader_pipeline.panel import Grid
from trader_pipeline.schema.columns import HORIZONS_SESSIONS

VOLATILITY_SESSIONS = 126
VOLATILITY_MINIMUM_SESSIONS = 21
VOLATILITY_DECAY = 0.97
"""Weights halve every 23 sessions."""
LOOKBACK_SESSIONS = BETA_SESSIONS
"""How many sessions before t what scales the label of t looks at."""


def build_targets(market: Market, *, start: int = 0) -> pa.Table:
    """Return the rows of features.targets, one for each row of the panel of the sessions from `start` on."""
    volatility = volatility_daily(market.prices)
    columns = {"volatility_daily": volatility, "beta": market.beta}
    for horizon in HORIZONS_SESSIONS:
        earned = forward_return(market.prices, horizon)
        benchmark = np.broadcast_to(benchmark_return(market, earned, horizon), earned.shape)
        scale = volatility * np.sqrt(horizon)
        columns[f"forward_return_{horizon}d"] = earned
        columns[f"benchmark_return_{horizon}d"] = np.where(np.isfinite(earned), benchmark, np.nan)
        columns[f"scaled_return_{horizon}d"] = ratio(earned, scale)
        columns[f"residual_rank_{horizon}d"] = rank_normal(market.among(ratio(earned - market.beta * benchmark, scale)))
    grid = Grid(market.grid.tickers, market.grid.sessions[start:])
    return panel.long(grid, market.rows[:, start:], {name: x_NT[:, start:] for name, x_NT in columns.items()})


def volatility_daily(prices: Prices) -> Float:
    """Return the root mean square of 126 log returns ending at t, weights 0.97^age; NaN under 21 returns or without any move."""
    squares = kernels.window_exponential_mean(prices.log_return**2, VOLATILITY_SESSIONS, VOLATILITY_DECAY, VOLATILITY_MINIMUM_SESSIONS)
    return np.sqrt(np.where(squares > 0, squares, np.nan))


def forward_return(prices: Prices, horizon: int) -> Float:
    """Return the simple return from the open of t + 1 to the close of t + horizon; in a universe without opens from the close of t."""
    return kernels.holding_return(prices.entry, prices.close, prices.dividend_step, horizon)


def benchmark_return(market: Market, earned: Float, horizon: int) -> Float:
    """Return the benchmark's return over the same span, [1, T]; without a benchmark, the equal-weight mean of the members' `earned`."""
    return forward_return(market.benchmark, horizon) if market.benchmark is not None else day_mean(market.among(earned))[0]


def rank_normal(x_NT: Float) -> Float:
    """Return the normal score of (rank - 0.5) / n within each session, ties averaged; NaN kept, and where n < 2."""
    out_NT = np.full_like(x_NT, np.nan)
    for t in range(x_NT.shape[1]):
        known = np.isfinite(x_NT[:, t])
        n = int(known.sum())
        if n > 1:
            out_NT[known, t] = ndtri((rankdata(x_NT[known, t]) - 0.5) / n)
    return out_NT
