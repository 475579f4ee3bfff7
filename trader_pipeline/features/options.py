"""What option prices expect of volatility: at the money by tenor, its skew and slope, against what was realised, and who trades puts.

A snapshot holds for its session and the next; later it is stale and the column null. Volatility is a year's, inverted from mid prices
under the 3-month Treasury rate known then (core.macro DGS3MO; null without it).
"""

import math

from trader_pipeline.features import kernels
from trader_pipeline.features.chains import MAXIMUM_AGE_SESSIONS
from trader_pipeline.features.feature import feature
from trader_pipeline.features.macro import DAILY
from trader_pipeline.features.market import Float, Market
from trader_pipeline.schema.core import ACCEPTED_BARS, CORPORATE_ACTIONS, MACRO, OPTION_QUOTES

_INPUTS = (OPTION_QUOTES, MACRO)
_LOOKBACK = MAXIMUM_AGE_SESSIONS + DAILY
_YEAR = "fraction / sqrt(year)"
_ATM = "implied volatility at the forward, total variance linear to"
_SESSIONS_A_YEAR = 252


def known(market: Market, name: str) -> Float:
    """Return one quantity of the newest snapshot at each session; NaN without option quotes."""
    values = market.options.get(name)
    return market.empty() if values is None else values


@feature(unit=_YEAR, inputs=_INPUTS, lookback_sessions=_LOOKBACK, formula=f"{_ATM} 30 days")
def implied_volatility_30d(market: Market) -> Float:
    """Volatility that options of a month expect at the money. Black 1976."""
    return known(market, "atm_30d")


@feature(unit=_YEAR, inputs=_INPUTS, lookback_sessions=_LOOKBACK, formula=f"{_ATM} 60 days")
def implied_volatility_60d(market: Market) -> Float:
    """Volatility that options of two months expect at the money. Black 1976."""
    return known(market, "atm_60d")


@feature(unit=_YEAR, inputs=_INPUTS, lookback_sessions=_LOOKBACK, formula=f"{_ATM} 90 days")
def implied_volatility_90d(market: Market) -> Float:
    """Volatility that options of a quarter expect at the money. Black 1976."""
    return known(market, "atm_90d")


@feature(
    unit=_YEAR,
    inputs=_INPUTS,
    lookback_sessions=_LOOKBACK,
    formula="implied volatility of the 25-delta put - of the 25-delta call, each to 30 days in total variance",
)
def implied_skew_30d(market: Market) -> Float:
    """How much dearer the fear of a fall is than the hope of a rise. Xing, Zhang & Zhao 2010."""
    return known(market, "skew")


@feature(unit=_YEAR, inputs=_INPUTS, lookback_sessions=_LOOKBACK, formula="implied_volatility_90d - implied_volatility_30d")
def implied_term_slope(market: Market) -> Float:
    """Whether volatility is expected to rise. Vasquez 2017."""
    return known(market, "atm_90d") - known(market, "atm_30d")


@feature(
    unit=_YEAR,
    inputs=(*_INPUTS, ACCEPTED_BARS, CORPORATE_ACTIONS),
    lookback_sessions=21,
    formula="implied_volatility_30d - sqrt(252) * standard deviation of 21 log returns",
)
def implied_less_realised_volatility(market: Market) -> Float:
    """Cost of insurance beyond the month behind. Goyal & Saretto 2009; Bollerslev, Tauchen & Zhou 2009."""
    realised = kernels.window_deviation(market.prices.log_return, 21)
    return known(market, "atm_30d") - math.sqrt(_SESSIONS_A_YEAR) * realised


@feature(
    unit="ratio",
    inputs=(OPTION_QUOTES,),
    lookback_sessions=MAXIMUM_AGE_SESSIONS,
    formula="put / call contracts traded, all stored strikes and expiries",
)
def put_call_volume(market: Market) -> Float:
    """Count of puts traded for each call; null without calls. Pan & Poteshman 2006."""
    return known(market, "puts_per_call")


FEATURES = (
    implied_volatility_30d,
    implied_volatility_60d,
    implied_volatility_90d,
    implied_skew_30d,
    implied_term_slope,
    implied_less_realised_volatility,
    put_call_volume,
)
