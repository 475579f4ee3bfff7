"""The state of the market as a whole, and its products with characteristics, so that a linear model can use it.

A macro feature has one value a session for all tickers: of each series the newest observation that was released by then, with the
vintage of then. A series past the span of its frequency is absent, not stale.
"""

import numpy as np

from trader_pipeline.features import kernels
from trader_pipeline.features.characteristics import MAXIMUM_AGE_SESSIONS, standardized
from trader_pipeline.features.cross_section import ratio
from trader_pipeline.features.feature import feature
from trader_pipeline.features.market import Float, Market, previous
from trader_pipeline.schema.core import ACCEPTED_BARS, CHARACTERISTICS, MACRO, UNIVERSE
from trader_pipeline.schema.features import MARKET_STATE

DAILY, MONTHLY = MAXIMUM_AGE_SESSIONS, 80
"""Sessions after its day that an observation may be the newest: a month's figure comes out six weeks to 75 days after its first."""
MONTHLY_SERIES = frozenset({"CPIAUCSL", "moodys_aaa_yield", "moodys_baa_yield"})
PRICES = "CPIAUCSL"
INFLATION, INFLATION_SESSIONS = "CPIAUCSL over a year", 252 + MONTHLY
"""Under this name market.macro holds its growth, from a month that is at most so many sessions old."""
_INPUTS = (MACRO, CHARACTERISTICS, ACCEPTED_BARS, UNIVERSE)
STATE = "features.market_state"
"""Under this name market.macro holds the probability of turbulence."""
_PER_PERCENT = "percentage points"


def maximum_age(series: str) -> int:
    """Return after how many sessions an observation of a series is absent."""
    return MONTHLY if series in MONTHLY_SERIES else DAILY


@feature(unit="per series", inputs=(MACRO,), lookback_sessions=DAILY, formula="newest known value of the series regime")
def regime(market: Market) -> Float:
    """Market regime of core.macro, five sessions old at most: +1 calm, -1 turbulent."""
    return _everywhere(market, _known(market, "regime"))


@feature(unit="z", inputs=_INPUTS, lookback_sessions=DAILY, formula="characteristic_z * regime")
def characteristic_z_by_regime(market: Market) -> Float:
    """Characteristic z with the sign and size of the regime."""
    return standardized(market, "z") * regime.compute(market)


@feature(unit="z", inputs=_INPUTS, lookback_sessions=DAILY, formula="characteristic_w * regime")
def characteristic_w_by_regime(market: Market) -> Float:
    """Characteristic w with the sign and size of the regime."""
    return standardized(market, "w") * regime.compute(market)


@feature(
    unit="fraction",
    inputs=(MARKET_STATE,),
    lookback_sessions=0,
    formula="filtered probability of the turbulent of two Markov states of the benchmark's returns (features.market_state)",
)
def turbulence_probability(market: Market) -> Float:
    """Probability that the market is turbulent, fitted each January on the past and filtered, never smoothed. Hamilton 1989."""
    return _everywhere(market, _known(market, STATE))


@feature(unit="percent / year", inputs=(MACRO,), lookback_sessions=DAILY, formula="DGS3MO")
def short_rate(market: Market) -> Float:
    """Yield of three-month Treasury bills. Fama & Schwert 1977."""
    return _everywhere(market, _known(market, "DGS3MO"))


@feature(unit=_PER_PERCENT, inputs=(MACRO,), lookback_sessions=21 + DAILY, formula="DGS3MO_t - DGS3MO_t-21")
def short_rate_change_21d(market: Market) -> Float:
    """Whether money became dearer within a month. Bernanke & Kuttner 2005."""
    return _everywhere(market, _change(_known(market, "DGS3MO")))


@feature(unit=_PER_PERCENT, inputs=(MACRO,), lookback_sessions=DAILY, formula="DGS10 - DGS3MO")
def term_slope(market: Market) -> Float:
    """Yield of ten years above that of three months. Estrella & Hardouvelis 1991."""
    return _everywhere(market, _slope(market))


@feature(unit=_PER_PERCENT, inputs=(MACRO,), lookback_sessions=21 + DAILY, formula="term_slope_t - term_slope_t-21")
def term_slope_change_21d(market: Market) -> Float:
    """Whether the yield curve steepened within a month. Estrella & Hardouvelis 1991."""
    return _everywhere(market, _change(_slope(market)))


@feature(unit="z", inputs=(MACRO,), lookback_sessions=251 + DAILY, formula="(term_slope - mean) / standard deviation, 252 sessions")
def term_slope_z_252d(market: Market) -> Float:
    """Yield curve against its own year. Estrella & Hardouvelis 1991."""
    return _everywhere(market, _z(_slope(market)))


@feature(unit=_PER_PERCENT, inputs=(MACRO,), lookback_sessions=DAILY, formula="BAA10Y")
def credit_spread(market: Market) -> Float:
    """Yield of Baa bonds above that of ten-year Treasuries. Gilchrist & Zakrajsek 2012."""
    return _everywhere(market, _known(market, "BAA10Y"))


@feature(unit=_PER_PERCENT, inputs=(MACRO,), lookback_sessions=21 + DAILY, formula="BAA10Y_t - BAA10Y_t-21")
def credit_spread_change_21d(market: Market) -> Float:
    """Whether credit became dearer within a month. Gilchrist & Zakrajsek 2012."""
    return _everywhere(market, _change(_known(market, "BAA10Y")))


@feature(unit="z", inputs=(MACRO,), lookback_sessions=251 + DAILY, formula="(BAA10Y - mean) / standard deviation, 252 sessions")
def credit_spread_z_252d(market: Market) -> Float:
    """Credit spread against its own year. Gilchrist & Zakrajsek 2012."""
    return _everywhere(market, _z(_known(market, "BAA10Y")))


@feature(
    unit=_PER_PERCENT,
    inputs=(MACRO,),
    lookback_sessions=MONTHLY,
    formula="BAA10Y - AAA10Y, else moodys_baa_yield - moodys_aaa_yield (monthly means)",
)
def default_spread(market: Market) -> Float:
    """Yield of Baa bonds above that of Aaa bonds. Fama & French 1989."""
    daily_1T = _known(market, "BAA10Y") - _known(market, "AAA10Y")
    monthly_1T = _known(market, "moodys_baa_yield") - _known(market, "moodys_aaa_yield")
    return _everywhere(market, _else(daily_1T, monthly_1T))


@feature(unit="percent / sqrt(year)", inputs=(MACRO,), lookback_sessions=DAILY, formula="vix_close (Cboe), else VIXCLS (FRED)")
def vix(market: Market) -> Float:
    """Volatility that options on the S&P 500 expect. Whaley 2000."""
    return _everywhere(market, _vix(market))


@feature(unit="percent / sqrt(year)", inputs=(MACRO,), lookback_sessions=21 + DAILY, formula="vix_t - vix_t-21")
def vix_change_21d(market: Market) -> Float:
    """Whether expected volatility rose within a month. Ang, Hodrick, Xing & Zhang 2006."""
    return _everywhere(market, _change(_vix(market)))


@feature(unit="z", inputs=(MACRO,), lookback_sessions=251 + DAILY, formula="(vix - mean) / standard deviation, 252 sessions")
def vix_z_252d(market: Market) -> Float:
    """Volatility that is expected, against its own year. Whaley 2000."""
    return _everywhere(market, _z(_vix(market)))


@feature(unit="percent / year", inputs=(MACRO,), lookback_sessions=DAILY, formula="T10YIE")
def breakeven_inflation(market: Market) -> Float:
    """Inflation that ten-year Treasuries expect beside indexed ones. Gurkaynak, Sack & Wright 2010."""
    return _everywhere(market, _known(market, "T10YIE"))


@feature(
    unit="fraction",
    inputs=(MACRO,),
    lookback_sessions=INFLATION_SESSIONS,
    formula="log(CPIAUCSL of the newest month / of the month 12 before), both as known at t",
)
def inflation_12m(market: Market) -> Float:
    """Rise of consumer prices in a year, of the figures released by then, as first told or revised. Fama & Schwert 1977."""
    return _everywhere(market, _known(market, INFLATION))


def _known(market: Market, series: str) -> Float:
    """Return a series, [1, T]; NaN where the dataset has none."""
    return market.macro.get(series, np.full((1, market.grid.shape[1]), np.nan))


def _else(first_1T: Float, second_1T: Float) -> Float:
    """Return the first where it is known on the session, else the second: a series that begins later leaves the past as it was."""
    return np.where(np.isfinite(first_1T), first_1T, second_1T)


def _everywhere(market: Market, x_1T: Float) -> Float:
    return np.repeat(x_1T, market.grid.shape[0], axis=0)


def _slope(market: Market) -> Float:
    return _known(market, "DGS10") - _known(market, "DGS3MO")


def _vix(market: Market) -> Float:
    return _else(_known(market, "vix_close"), _known(market, "VIXCLS"))


def _change(x_1T: Float) -> Float:
    return x_1T - previous(x_1T, 21)


def _z(x_1T: Float) -> Float:
    return ratio(x_1T - kernels.window_mean(x_1T, 252), kernels.window_deviation(x_1T, 252))


FEATURES = (
    regime,
    characteristic_z_by_regime,
    characteristic_w_by_regime,
    turbulence_probability,
    short_rate,
    short_rate_change_21d,
    term_slope,
    term_slope_change_21d,
    term_slope_z_252d,
    credit_spread,
    credit_spread_change_21d,
    credit_spread_z_252d,
    default_spread,
    vix,
    vix_change_21d,
    vix_z_252d,
    breakeven_inflation,
    inflation_12m,
)
