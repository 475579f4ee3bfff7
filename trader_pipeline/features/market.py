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
from trader_pipeline.features.known import Known
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
FACTORS = ("market", "size", "value", "momentum", "quality")
FACTOR_LEG_TICKERS = 3
"""Fewer names a leg are bets on names."""
EXPOSURE_SESSIONS = 252


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
    close_usd: Float
    """As traded, unlike the others."""

    @cached_property
    def log_return(self) -> Float:
        """Log total return from the previous session's close; NaN after a hole."""
        return np.log1p(kernels.growth(self.close, self.dividend_step, 1))

    @property
    def entry(self) -> Float:
        """Price at which what was said the session before enters: the open; in a universe without any open, the close before.

        A source of closes alone has close-to-close labels.
        """
        if np.isfinite(self.open).any():
            return self.open
        before = np.full_like(self.close, np.nan)
        before[:, 1:] = self.close[:, :-1]
        return before

    def rows(self, keep: npt.NDArray[np.bool_]) -> "Prices":
        """Return the bars of the tickers that `keep` marks."""
        return Prices(**{name: np.ascontiguousarray(values[keep]) for name, values in self._arrays().items()})

    def columns(self, start: int, stop: int) -> "Prices":
        """Return the bars of the sessions from `start` up to `stop`."""
        return Prices(**{name: np.ascontiguousarray(values[:, start:stop]) for name, values in self._arrays().items()})

    def _arrays(self) -> dict[str, Float]:
        names = ("open", "high", "low", "close", "volume", "dividend_step", "dollar_volume", "close_usd")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, eq=False, kw_only=True)
class Market:
    """One market at one `as_of`. The grid's tickers are what can be predicted; the benchmark stands apart, None where there is none.

    `rows` marks the ticker-sessions with an accepted bar: the rows of the panel; `members` those of them that were in the universe on
    that session, over whom statistics of a session are taken. `sector` is a code, -1 where unknown.
    `statements` and `reports` are what filings and earnings reports had told by each session. `first` is the number of the first
    session in the whole history, where these arrays begin later.
    """

    grid: Grid
    rows: Flag
    members: Flag
    prices: Prices
    benchmark: Prices | None
    sector: Index
    statements: Known
    reports: Known
    characteristics: Mapping[str, Float] = field(default_factory=dict)
    macro: Mapping[str, Float] = field(default_factory=dict)
    news: Mapping[str, Float] = field(default_factory=dict)
    options: Mapping[str, Float] = field(default_factory=dict)
    first: int = 0

    def columns(self, start: int, stop: int) -> "Market":
        """Return the market of the sessions from `start` up to `stop`, and nothing from before or after them."""

        def cut(arrays: Mapping[str, Float]) -> Mapping[str, Float]:
            return {name: np.ascontiguousarray(x_NT[:, start:stop]) for name, x_NT in arrays.items()}

        return Market(
            grid=Grid(self.grid.tickers, self.grid.sessions[start:stop]),
            rows=self.rows[:, start:stop],
            members=self.members[:, start:stop],
            prices=self.prices.columns(start, stop),
            benchmark=None if self.benchmark is None else self.benchmark.columns(start, stop),
            sector=np.ascontiguousarray(self.sector[:, start:stop]),
            statements=self.statements.columns(start, stop),
            reports=self.reports.columns(start, stop),
            characteristics=cut(self.characteristics),
            macro=cut(self.macro),
            news=cut(self.news),
            options=cut(self.options),
            first=self.first + start,
        )

    @cached_property
    def market_log_return(self) -> Float:
        """[1, T]: the benchmark's log return; without a benchmark, that of the equal-weight mean of the session's members."""
        if self.benchmark is not None:
            return self.benchmark.log_return
        return np.log1p(cross_section.day_mean(self.among(np.expm1(self.prices.log_return)))[0])

    @cached_property
    def beta(self) -> Float:
        """Slope of log returns on the market's over 252 sessions ending at t, Vasicek-shrunk to the mean beta of the day's members."""
        slope, error, _ = kernels.window_regression(self.prices.log_return, self.market_log_return, BETA_SESSIONS, BETA_MINIMUM_SESSIONS)
        return cross_section.vasicek(slope, error, self.members)

    @cached_property
    def residual(self) -> Float:
        """Log return less yesterday's beta times the market's, less the sector's mean of that where five members traded."""
        excess = self.prices.log_return - previous(self.beta) * self.market_log_return
        return cross_section.less_group_mean(excess, self.sector, SECTOR_MINIMUM_TICKERS, self.members)

    @cached_property
    def shock(self) -> Float:
        """Residual return in units of its own standard deviation over the 21 sessions before."""
        deviation = kernels.window_deviation(self.residual, SHOCK_SESSIONS)
        return cross_section.ratio(self.residual, previous(deviation))

    @cached_property
    def market_value(self) -> Float:
        """Shares outstanding times the close, in USD; NaN without either, or for a statement in another currency."""
        figures = self.statements.figures
        return self.statements.at_sessions(figures["shares"] * figures["is_usd"]) * self.statements.share_growth * self.prices.close_usd

    @cached_property
    def book_to_market(self) -> Float:
        """Shareholders' equity over market value; NaN where equity is not positive."""
        equity_E = self.statements.figures["shareholders_equity"]
        return cross_section.ratio(self.statements.at_sessions(np.where(equity_E > 0, equity_E, np.nan)), self.market_value)

    @cached_property
    def gross_profitability(self) -> Float:
        """Gross profit of twelve months, as filed, else revenue less its cost, over total assets."""
        figures = self.statements.figures
        filed_E = figures["gross_profit_year"]
        profit_E = np.where(np.isfinite(filed_E), filed_E, figures["total_revenue_year"] - figures["cost_of_revenue_year"])
        return self.statements.at_sessions(cross_section.ratio(profit_E, figures["total_assets"]))

    @cached_property
    def momentum_12_1(self) -> Float:
        """Return over a year without its last month."""
        return kernels.growth(self.prices.close, self.prices.dividend_step, 252, 21)

    @cached_property
    def factor_returns(self) -> Float:
        """[FACTORS, T]: simple returns of the own universe's factors: the market, and thirds of members by sorts of the session before.

        Size is small less big, all others high less low; weights are equal. A factor without data is NaN.
        """
        earned = np.expm1(self.prices.log_return)
        sorts = (-self.market_value, self.book_to_market, self.momentum_12_1, self.gross_profitability)
        legs = [kernels.long_short(self.among(sort), earned, FACTOR_LEG_TICKERS) for sort in sorts]
        return np.concatenate([np.expm1(self.market_log_return), *legs])

    @cached_property
    def exposures(self) -> Float:
        """[N, FACTORS + 1, T]: slopes on all five factors together over 252 sessions, and the deviation of what they leave."""
        return kernels.window_exposures(np.expm1(self.prices.log_return), self.factor_returns, EXPOSURE_SESSIONS, self.first)

    @cached_property
    def price_exposures(self) -> Float:
        """[N, 3, T]: the same on market and momentum alone, which need no filings."""
        wanted = [FACTORS.index("market"), FACTORS.index("momentum")]
        return kernels.window_exposures(np.expm1(self.prices.log_return), self.factor_returns[wanted], EXPOSURE_SESSIONS, self.first)

    @cached_property
    def alpha158(self) -> Float32:
        """[158, N, T]: Qlib's features; the mean traded price, which daily bars lack, is the typical price (high + low + close) / 3."""
        prices = self.prices
        typical = (prices.high + prices.low + prices.close) / 3
        return alpha158((prices.open, prices.high, prices.low, prices.close, prices.volume, typical))

    def among(self, x_NT: Float) -> Float:
        """Return x of each session's members, NaN for the others."""
        return cross_section.among(x_NT, self.members)

    def empty(self) -> Float:
        """Return NaN everywhere: what a feature without data yields."""
        return np.full(self.grid.shape, np.nan)


def previous(x_NT: Float, sessions: int = 1) -> Float:
    """Return the value of `sessions` sessions before; NaN at the start."""
    out_NT = np.full_like(x_NT, np.nan)
    out_NT[:, sessions:] = x_NT[:, :-sessions]
    return out_NT
