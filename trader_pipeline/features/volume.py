"""How much is traded. Shares are split-adjusted; dollars are the as-traded close in USD times as-traded shares."""

import numpy as np

from trader_pipeline.features import kernels
from trader_pipeline.features.cross_section import ratio
from trader_pipeline.features.feature import feature
from trader_pipeline.features.market import Float, Market, previous
from trader_pipeline.schema.core import ACCEPTED_BARS, CORPORATE_ACTIONS

_BARS = (ACCEPTED_BARS,)
_PRICES = (ACCEPTED_BARS, CORPORATE_ACTIONS)
_MILLION = 1e6


@feature(unit="log USD", inputs=_BARS, lookback_sessions=20, formula="log(mean(close_usd * volume_shares)), 21 sessions")
def log_dollar_volume_21d(market: Market) -> Float:
    """Size of the daily turnover of a month."""
    return _log(kernels.window_mean(market.prices.dollar_volume, 21))


@feature(
    unit="fraction / million USD",
    inputs=_PRICES,
    lookback_sessions=21,
    formula="1e6 * mean(|return_1d| / (close_usd * volume_shares)), 21 sessions",
)
def amihud_illiquidity_21d(market: Market) -> Float:
    """Price move a million dollars traded; sessions without volume are left out. Amihud 2002."""
    move = np.abs(kernels.growth(market.prices.close, market.prices.dividend_step, 1))
    return _MILLION * kernels.window_mean(ratio(move, market.prices.dollar_volume), 21)


@feature(unit="ratio", inputs=_PRICES, lookback_sessions=62, formula="mean volume over 5 / over 63 sessions")
def volume_ratio_5d_63d(market: Market) -> Float:
    """Whether the last week traded more than the quarter."""
    volume = market.prices.volume
    return ratio(kernels.window_mean(volume, 5), kernels.window_mean(volume, 63))


@feature(
    unit="sigmas",
    inputs=_PRICES,
    lookback_sessions=63,
    formula="(log volume_t - mean(log volume)) / standard deviation, over the 63 sessions before t",
)
def volume_surprise_1d(market: Market) -> Float:
    """Today's turnover against the quarter before; null without volume or where volume never changes."""
    log_volume = _log(market.prices.volume)
    mean = previous(kernels.window_mean(log_volume, 63))
    return ratio(log_volume - mean, previous(kernels.window_deviation(log_volume, 63)))


@feature(unit="-", inputs=_PRICES, lookback_sessions=21, formula="correlation of log return and log volume, 21 sessions")
def return_volume_correlation_21d(market: Market) -> Float:
    """Whether volume comes with rises or with falls."""
    return kernels.window_regression(market.prices.log_return, _log(market.prices.volume), 21)[2]


def _log(x: Float) -> Float:
    return np.log(x, out=np.full_like(x, np.nan), where=x > 0)


FEATURES = (log_dollar_volume_21d, amihud_illiquidity_21d, volume_ratio_5d_63d, volume_surprise_1d, return_volume_correlation_21d)
