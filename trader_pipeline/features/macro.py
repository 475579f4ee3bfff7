"""The state of the market as a whole, and its products with characteristics, so that a linear model can use it.

A macro feature has one value a session for all tickers. A series past its declared span is absent, not stale.
"""

import numpy as np

from trader_pipeline.features.characteristics import MAXIMUM_AGE_SESSIONS, standardized
from trader_pipeline.features.feature import feature
from trader_pipeline.features.market import Float, Market
from trader_pipeline.schema.core import ACCEPTED_BARS, CHARACTERISTICS, MACRO

_INPUTS = (MACRO, CHARACTERISTICS, ACCEPTED_BARS)


@feature(unit="per series", inputs=(MACRO,), lookback_sessions=MAXIMUM_AGE_SESSIONS, formula="newest known value of the series regime")
def regime(market: Market) -> Float:
    """Market regime of core.macro, five sessions old at most: +1 calm, -1 turbulent."""
    values_1T = market.macro.get("regime")
    return market.empty() if values_1T is None else np.repeat(values_1T, market.grid.shape[0], axis=0)


@feature(unit="z", inputs=_INPUTS, lookback_sessions=MAXIMUM_AGE_SESSIONS, formula="characteristic_z * regime")
def characteristic_z_by_regime(market: Market) -> Float:
    """Characteristic z with the sign and size of the regime."""
    return standardized(market, "z") * regime.compute(market)


@feature(unit="z", inputs=_INPUTS, lookback_sessions=MAXIMUM_AGE_SESSIONS, formula="characteristic_w * regime")
def characteristic_w_by_regime(market: Market) -> Float:
    """Characteristic w with the sign and size of the regime."""
    return standardized(market, "w") * regime.compute(market)


FEATURES = (regime, characteristic_z_by_regime, characteristic_w_by_regime)
