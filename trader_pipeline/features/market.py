"""What features compute on: dense arrays of one market, and the quantities that several features share.

Prices are forward-adjusted for splits (factor 1 at the ticker's first session), so a later split changes no history.
Dividends enter returns as a growth of share count, `dividend_step`; a source without dividends yields price returns.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from trader_pipeline.features import cross_section, kernels
from trader_pipeline.features.alpha158 import alpha158
from trader_pipeline.panel import Flag, Grid

Float = npt.NDArray[np.float64]
Float32 = npt.NDArray[np.float32]
Index = npt.NDArray[np.int64]

BETA_SESSIONS = 252
BETA_MINIMUM_SESSIONS = 63
"""Shrinkage carries a beta from this many returns on; a full window would cost every new listing its first year."""
SECTOR_MINIMUM_TICKERS = 5
"""A smaller sector's mean is mostly the ticker itself."""
SHOCK_SESSIONS = 21


@dataclass(frozen=True, eq=False, kw_only=True)
class Prices:
    """Bars on a grid, all [N, T] float64, NaN where there is no bar."""

    open: Float
    high: Float
    low: Float
    close: Float
    volume: Float
    dividend_step: Float
    dollar_volume: Float

    @cached_property
    def log_return(self) -> Float:
        """Log total return from the previous session's close; NaN after a hole."""
        return np.log1p(kernels.growth(self.close, self.dividend_step, 1))

    def rows(self, keep: npt.NDArray[np.bool_]) -> "Prices":
        """Return the bars of the tickers that `keep` marks."""
        return Prices(**{name: np.ascontiguousarray(values[keep]) for name, values in self._arrays().items()})

    def _arrays(self) -> dict[str, Float]:
        names = ("open", "high", "low", "close", "volume", "dividend_step", "dollar_volume")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, eq=False, kw_only=True)
class Market:
    """One market at one `as_of`. The grid's tickers are what can be predicted; the benchmark stands apart, None where there is none.

    `rows` marks the ticker-sessions with an accepted bar: the rows of the panel. `sector` is a code, -1 where unknown.
    """

    grid: Grid
    rows: Flag
    prices: Prices
    benchmark: Prices | None
    sector: Index
    characteristics: Mapping[str, Float] = field(default_factory=dict)
    macro: Mapping[str, Float] = field(default_factory=dict)

    @cached_property
    def market_log_return(self) -> Float:
        """[1, T]: the benchmark's log return; without a benchmark, that of the equal-weight mean of the session's tickers."""
        if self.benchmark is not None:
            return self.benchmark.log_return
        return np.log1p(cross_section.day_mean(np.expm1(self.prices.log_return))[0])

    @cached_property
    def beta(self) -> Float:
        """Slope of log returns on the market's over 252 sessions ending at t, Vasicek-shrunk to the day's mean beta."""
        slope, error, _ = kernels.window_regression(self.prices.log_return, self.market_log_return, BETA_SESSIONS, BETA_MINIMUM_SESSIONS)
        return cross_section.vasicek(slope, error)

    @cached_property
    def residual(self) -> Float:
        """Log return less yesterday's beta times the market's, less the sector's mean of that where five names traded."""
        excess = self.prices.log_return - previous(self.beta) * self.market_log_return
        return cross_section.less_group_mean(excess, self.sector, SECTOR_MINIMUM_TICKERS)

    @cached_property
    def shock(self) -> Float:
        """Residual return in units of its own standard deviation over the 21 sessions before."""
        deviation = kernels.window_deviation(self.residual, SHOCK_SESSIONS)
        return cross_section.ratio(self.residual, previous(deviation))

    @cached_property
    def alpha158(self) -> Float32:
        """[158, N, T]: Qlib's features; the mean traded price, which daily bars lack, is the typical price (high + low + close) / 3."""
        prices = self.prices
        typical = (prices.high + prices.low + prices.close) / 3
        return alpha158((prices.open, prices.high, prices.low, prices.close, prices.volume, typical))

    def empty(self) -> Float:
        """Return NaN everywhere: what a feature without data yields."""
        return np.full(self.grid.shape, np.nan)


def previous(x_NT: Float, sessions: int = 1) -> Float:
    """Return the value of `sessions` sessions before; NaN at the start."""
    out_NT = np.full_like(x_NT, np.nan)
    out_NT[:, sessions:] = x_NT[:, :-sessions]
    return out_NT
