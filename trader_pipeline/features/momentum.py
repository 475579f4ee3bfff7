"""Where the price has been: returns, trend, distance from its highs. Total return where the source has dividends."""

import numpy as np

from trader_pipeline.features import kernels
from trader_pipeline.features.cross_section import ratio
from trader_pipeline.features.feature import feature
from trader_pipeline.features.market import Float, Market, previous
from trader_pipeline.schema.core import ACCEPTED_BARS, CORPORATE_ACTIONS

_PRICES = (ACCEPTED_BARS, CORPORATE_ACTIONS)


@feature(unit="fraction", inputs=_PRICES, lookback_sessions=1, formula="close_t / close_t-1 - 1")
def return_1d(market: Market) -> Float:
    """Return since the previous close."""
    return kernels.growth(market.prices.close, market.prices.dividend_step, 1)


@feature(unit="fraction", inputs=_PRICES, lookback_sessions=5, formula="close_t / close_t-5 - 1")
def return_5d(market: Market) -> Float:
    """Return over a week."""
    return kernels.growth(market.prices.close, market.prices.dividend_step, 5)


@feature(unit="fraction", inputs=_PRICES, lookback_sessions=21, formula="close_t / close_t-21 - 1")
def return_21d(market: Market) -> Float:
    """Return over a month: short-term reversal. Jegadeesh 1990."""
    return kernels.growth(market.prices.close, market.prices.dividend_step, 21)


@feature(unit="fraction", inputs=_PRICES, lookback_sessions=63, formula="close_t / close_t-63 - 1")
def return_63d(market: Market) -> Float:
    """Return over a quarter."""
    return kernels.growth(market.prices.close, market.prices.dividend_step, 63)


@feature(unit="fraction", inputs=_PRICES, lookback_sessions=252, formula="close_t-21 / close_t-252 - 1")
def momentum_12_1(market: Market) -> Float:
    """Return over a year without its last month. Jegadeesh & Titman 1993."""
    return market.momentum_12_1


@feature(unit="fraction", inputs=_PRICES, lookback_sessions=199, formula="close_t / mean(close, 200 sessions) - 1")
def trend_200d(market: Market) -> Float:
    """Distance of the split-adjusted close from its 200-session mean."""
    close = market.prices.close
    return ratio(close, kernels.window_mean(close, 200)) - 1


@feature(unit="fraction", inputs=_PRICES, lookback_sessions=251, formula="close_t / max(high, 252 sessions)")
def price_to_52_week_high(market: Market) -> Float:
    """Split-adjusted close as a share of the highest price of 252 sessions. George & Hwang 2004."""
    return ratio(market.prices.close, kernels.window_maximum(market.prices.high, 252))


@feature(unit="fraction", inputs=_PRICES, lookback_sessions=62, formula="min(wealth / running max(wealth) - 1), 63 sessions")
def drawdown_63d(market: Market) -> Float:
    """Deepest fall from a high within 63 sessions, 0 or negative."""
    return kernels.window_drawdown(market.prices.close, market.prices.dividend_step, 63)


@feature(unit="0-100", inputs=_PRICES, lookback_sessions=14, formula="100 * sum(gains) / sum(|log returns|), 14 sessions")
def rsi_14d(market: Market) -> Float:
    """Relative strength index with simple sums (Cutler), null where no price moved."""
    log_return = market.prices.log_return
    gains = kernels.window_mean(np.maximum(log_return, 0), 14)
    return 100 * ratio(gains, kernels.window_mean(np.abs(log_return), 14))


@feature(unit="fraction", inputs=_PRICES, lookback_sessions=1, formula="open_t / close_t-1 - 1, dividends added")
def overnight_return_1d(market: Market) -> Float:
    """Gap from the previous close to the open."""
    prices = market.prices
    return ratio(prices.open * prices.dividend_step, previous(prices.close)) - 1


@feature(unit="fraction", inputs=_PRICES, lookback_sessions=0, formula="close_t / open_t - 1")
def intraday_return_1d(market: Market) -> Float:
    """Return from the open to the close of the session."""
    return ratio(market.prices.close, market.prices.open) - 1


@feature(unit="fraction", inputs=_PRICES, lookback_sessions=21, formula="mean(log(open_t / close_t-1)), 21 sessions")
def overnight_return_21d(market: Market) -> Float:
    """Mean overnight log return of a month. Lou, Polk & Skouras 2019."""
    prices = market.prices
    overnight = np.log(ratio(prices.open * prices.dividend_step, previous(prices.close)))
    return kernels.window_mean(overnight, 21)


@feature(unit="fraction", inputs=_PRICES, lookback_sessions=21, formula="max(return_1d), 21 sessions")
def maximum_daily_return_21d(market: Market) -> Float:
    """Largest one-day return of a month: lottery demand. Bali, Cakici & Whitelaw 2011."""
    prices = market.prices
    return kernels.window_maximum(kernels.growth(prices.close, prices.dividend_step, 1), 21)


FEATURES = (
    return_1d,
    return_5d,
    return_21d,
    return_63d,
    momentum_12_1,
    trend_200d,
    price_to_52_week_high,
    drawdown_63d,
    rsi_14d,
    overnight_return_1d,
    intraday_return_1d,
    overnight_return_21d,
    maximum_daily_return_21d,
)
