"""How much the price moves. Range estimators read split-adjusted prices; volatility is per square root of a session."""

import numpy as np

from trader_pipeline.features import kernels
from trader_pipeline.features.cross_section import ratio
from trader_pipeline.features.feature import feature
from trader_pipeline.features.market import Float, Market, previous
from trader_pipeline.schema.core import ACCEPTED_BARS, CORPORATE_ACTIONS

_PRICES = (ACCEPTED_BARS, CORPORATE_ACTIONS)
_UNIT = "fraction / sqrt(session)"
_LN2 = 0.6931471805599453


@feature(unit=_UNIT, inputs=_PRICES, lookback_sessions=21, formula="standard deviation of log returns (n - 1), 21 sessions")
def volatility_21d(market: Market) -> Float:
    """Close-to-close volatility of a month."""
    return kernels.window_deviation(market.prices.log_return, 21)


@feature(unit=_UNIT, inputs=_PRICES, lookback_sessions=20, formula="sqrt(mean(log(high / low)^2) / (4 log 2)), 21 sessions")
def parkinson_volatility_21d(market: Market) -> Float:
    """Volatility from the daily range. Parkinson 1980."""
    range_squared = np.log(ratio(market.prices.high, market.prices.low)) ** 2
    return np.sqrt(kernels.window_mean(range_squared, 21) / (4 * _LN2))


@feature(
    unit=_UNIT,
    inputs=_PRICES,
    lookback_sessions=20,
    formula="sqrt(mean(log(high / low)^2 / 2 - (2 log 2 - 1) log(close / open)^2)), 21 sessions",
)
def garman_klass_volatility_21d(market: Market) -> Float:
    """Volatility from open, high, low and close. Garman & Klass 1980."""
    prices = market.prices
    daily = np.log(ratio(prices.high, prices.low)) ** 2 / 2 - (2 * _LN2 - 1) * np.log(ratio(prices.close, prices.open)) ** 2
    return np.sqrt(np.maximum(kernels.window_mean(daily, 21), 0))


@feature(
    unit=_UNIT,
    inputs=_PRICES,
    lookback_sessions=21,
    formula="sqrt(var(overnight) + k var(open to close) + (1 - k) mean(Rogers-Satchell)), k = 0.34 / (1.34 + 22 / 20), 21 sessions",
)
def yang_zhang_volatility_21d(market: Market) -> Float:
    """Volatility with overnight gaps and without drift bias. Yang & Zhang 2000."""
    prices = market.prices
    overnight = np.log(ratio(prices.open, previous(prices.close)))
    up, down, body = (np.log(ratio(x, prices.open)) for x in (prices.high, prices.low, prices.close))
    rogers_satchell = up * (up - body) + down * (down - body)
    k = 0.34 / (1.34 + 22 / 20)
    variance = (
        kernels.window_deviation(overnight, 21) ** 2
        + k * kernels.window_deviation(body, 21) ** 2
        + (1 - k) * kernels.window_mean(rogers_satchell, 21)
    )
    return np.sqrt(np.maximum(variance, 0))


@feature(unit="ratio", inputs=_PRICES, lookback_sessions=63, formula="volatility over 5 / over 63 sessions")
def volatility_ratio_5d_63d(market: Market) -> Float:
    """Whether the last week was wilder than the quarter."""
    log_return = market.prices.log_return
    quarter = kernels.window_deviation(log_return, 63)
    return ratio(kernels.window_deviation(log_return, 5), quarter)


@feature(unit="fraction", inputs=_PRICES, lookback_sessions=0, formula="log(high_t / low_t)")
def high_low_range_1d(market: Market) -> Float:
    """Range of the session."""
    return np.log(ratio(market.prices.high, market.prices.low))


@feature(unit="-", inputs=_PRICES, lookback_sessions=63, formula="third standardized moment of log returns, 63 sessions")
def return_skewness_63d(market: Market) -> Float:
    """Asymmetry of a quarter's returns; null where the price stood still."""
    return kernels.window_skewness(market.prices.log_return, 63)


FEATURES = (
    volatility_21d,
    parkinson_volatility_21d,
    garman_klass_volatility_21d,
    yang_zhang_volatility_21d,
    volatility_ratio_5d_63d,
    high_low_range_1d,
    return_skewness_63d,
)
