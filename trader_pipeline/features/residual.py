"""What a return was beyond market and sector, and what the others' surprises say about a ticker.

A residual is the log return less yesterday's shrunk beta times the market's, less the mean of its sector's members that
session where five of them traded; a shock is a residual in units of its own standard deviation over the 21 sessions before.
"""

from trader_pipeline.features import cross_section, kernels
from trader_pipeline.features.feature import feature
from trader_pipeline.features.market import BETA_SESSIONS, SHOCK_SESSIONS, Float, Market
from trader_pipeline.schema.core import ACCEPTED_BARS, CORPORATE_ACTIONS, SECTORS, TICKER_MAP, UNIVERSE

_INPUTS = (ACCEPTED_BARS, CORPORATE_ACTIONS, SECTORS, TICKER_MAP, UNIVERSE)
_RESIDUAL = BETA_SESSIONS + 1
_SHOCK = _RESIDUAL + SHOCK_SESSIONS
_DECAY, _DECAY_SESSIONS = 0.8, 30


@feature(
    unit="-",
    inputs=_INPUTS,
    lookback_sessions=BETA_SESSIONS,
    formula="slope of log returns on the market's over 252 sessions (63 at least), shrunk to the day's mean by its standard error",
)
def beta_252d(market: Market) -> Float:
    """Sensitivity to the benchmark, or to the equal-weight universe where there is no benchmark. Vasicek 1973."""
    return market.beta


@feature(
    unit="fraction / sqrt(session)",
    inputs=_INPUTS,
    lookback_sessions=_RESIDUAL + 62,
    formula="standard deviation of residuals, 63 sessions",
)
def idiosyncratic_volatility_63d(market: Market) -> Float:
    """Volatility that market and sector do not explain. Ang, Hodrick, Xing & Zhang 2006."""
    return kernels.window_deviation(market.residual, 63)


@feature(unit="fraction", inputs=_INPUTS, lookback_sessions=_RESIDUAL + 4, formula="5 * mean(residuals), 5 sessions")
def residual_return_5d(market: Market) -> Float:
    """Residual return of a week: what tends to revert. Blitz, Huij, Lansdorp & Verbeek 2013."""
    return 5 * kernels.window_mean(market.residual, 5)


@feature(unit="sigmas", inputs=_INPUTS, lookback_sessions=_SHOCK, formula="residual_t / standard deviation of the 21 residuals before")
def residual_shock_1d(market: Market) -> Float:
    """Today's surprise."""
    return market.shock


@feature(
    unit="sigmas",
    inputs=_INPUTS,
    lookback_sessions=_SHOCK + _DECAY_SESSIONS - 1,
    formula="sum(0.8^age * shock) / sum(0.8^age), 30 sessions",
)
def residual_shock_ewma_30d(market: Market) -> Float:
    """Recent surprises, the newest weighing most."""
    return kernels.window_exponential_mean(market.shock, _DECAY_SESSIONS, _DECAY)


@feature(unit="sigmas", inputs=_INPUTS, lookback_sessions=_SHOCK, formula="mean shock_t of the sector's other members")
def sector_shock_1d(market: Market) -> Float:
    """Today's surprises among the peers; null without a sector."""
    return cross_section.mean_of_peers(market.among(market.shock), market.sector)


@feature(
    unit="sigmas",
    inputs=_INPUTS,
    lookback_sessions=_SHOCK,
    formula="shock_t of the sector's member of largest mean dollar volume over 63 sessions; null for that ticker",
)
def sector_leader_shock_1d(market: Market) -> Float:
    """Today's surprise of the sector's most traded name, which others may follow. Lo & MacKinlay 1990; Hou 2007."""
    size = market.among(kernels.window_mean(market.prices.dollar_volume, 63))
    return cross_section.value_of_leader(market.shock, size, market.sector)


FEATURES = (
    beta_252d,
    idiosyncratic_volatility_63d,
    residual_return_5d,
    residual_shock_1d,
    residual_shock_ewma_30d,
    sector_shock_1d,
    sector_leader_shock_1d,
)
