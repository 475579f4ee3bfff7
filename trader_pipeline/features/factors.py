"""What a ticker's returns have in common with the market's known drivers: slopes of 252 sessions on factors of the own universe.

Factors are simple returns: the market's (the benchmark's, else the universe's mean), and the highest third less the lowest by a sort
of the session before among its members, equal weights, three names a leg at least: size (small less big market value, Banz 1981),
value (book to market, Fama & French 1993), momentum (12-1, Carhart 1997), quality (gross profitability, Novy-Marx 2013).
Ken French's own arrive weeks late:
flows/factor_agreement.py holds ours against them.

Two regressions, never mixed: on all five, null where one of them has no data (no filings, no exposure), and on market and momentum
alone, which every dataset has. No risk-free rate is taken off: over 252 sessions it is all but constant and goes into the intercept.
"""

from trader_pipeline.features.feature import feature
from trader_pipeline.features.market import EXPOSURE_SESSIONS, FACTORS, Float, Market
from trader_pipeline.schema.core import ACCEPTED_BARS, CORPORATE_ACTIONS, FUNDAMENTALS, TICKER_MAP, UNIVERSE

_PRICES = (ACCEPTED_BARS, CORPORATE_ACTIONS, TICKER_MAP, UNIVERSE)
_ALL = (*_PRICES, FUNDAMENTALS)
_MOMENTUM = 252 + 1
_LOOKBACK = EXPOSURE_SESSIONS - 1 + _MOMENTUM
"""The oldest return of the window is of a sort of the session before, and momentum reaches back from there."""
_SLOPE = "slope on {} in a regression of returns on all five factors, 252 sessions (202 at least)"
_DEVIATION = "standard deviation of the residuals of a regression of returns on {}, 252 sessions (202 at least)"


@feature(unit="-", inputs=_ALL, lookback_sessions=_LOOKBACK, formula=_SLOPE.format("the market"))
def market_exposure_252d(market: Market) -> Float:
    """Sensitivity to the market beside the other factors. Fama & French 1993."""
    return market.exposures[:, FACTORS.index("market")]


@feature(unit="-", inputs=_ALL, lookback_sessions=_LOOKBACK, formula=_SLOPE.format("size"))
def size_exposure_252d(market: Market) -> Float:
    """Sensitivity to small companies beating big ones. Fama & French 1993."""
    return market.exposures[:, FACTORS.index("size")]


@feature(unit="-", inputs=_ALL, lookback_sessions=_LOOKBACK, formula=_SLOPE.format("value"))
def value_exposure_252d(market: Market) -> Float:
    """Sensitivity to cheap companies beating dear ones. Fama & French 1993."""
    return market.exposures[:, FACTORS.index("value")]


@feature(unit="-", inputs=_ALL, lookback_sessions=_LOOKBACK, formula=_SLOPE.format("momentum"))
def momentum_exposure_252d(market: Market) -> Float:
    """Sensitivity to winners beating losers. Carhart 1997."""
    return market.exposures[:, FACTORS.index("momentum")]


@feature(unit="-", inputs=_ALL, lookback_sessions=_LOOKBACK, formula=_SLOPE.format("quality"))
def quality_exposure_252d(market: Market) -> Float:
    """Sensitivity to profitable companies beating others. Novy-Marx 2013."""
    return market.exposures[:, FACTORS.index("quality")]


@feature(unit="fraction / sqrt(session)", inputs=_ALL, lookback_sessions=_LOOKBACK, formula=_DEVIATION.format("all five factors"))
def idiosyncratic_volatility_252d(market: Market) -> Float:
    """Volatility that no factor explains. Ang, Hodrick, Xing & Zhang 2006."""
    return market.exposures[:, len(FACTORS)]


@feature(
    unit="-",
    inputs=_PRICES,
    lookback_sessions=_LOOKBACK,
    formula="slope on momentum in a regression of returns on market and momentum, 252 sessions (202 at least)",
)
def momentum_exposure_prices_252d(market: Market) -> Float:
    """Sensitivity to winners beating losers beside the market's alone, for datasets without filings."""
    return market.price_exposures[:, 1]


@feature(unit="fraction / sqrt(session)", inputs=_PRICES, lookback_sessions=_LOOKBACK, formula=_DEVIATION.format("market and momentum"))
def idiosyncratic_volatility_prices_252d(market: Market) -> Float:
    """Volatility that market and momentum do not explain, for datasets without filings."""
    return market.price_exposures[:, 2]


FEATURES = (
    market_exposure_252d,
    size_exposure_252d,
    value_exposure_252d,
    momentum_exposure_252d,
    quality_exposure_252d,
    idiosyncratic_volatility_252d,
    momentum_exposure_prices_252d,
    idiosyncratic_volatility_prices_252d,
)
