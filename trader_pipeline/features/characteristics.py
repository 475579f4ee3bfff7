"""Facts about companies, each as it was known at the close + 30 minutes, standardized over the members of the session's universe.

The simulated market publishes `z` and `w`; a source that publishes other names adds a declaration here. A
characteristic that a dataset does not have leaves its column null.
"""

from trader_pipeline.features.cross_section import day_z
from trader_pipeline.features.feature import feature
from trader_pipeline.features.market import Float, Market
from trader_pipeline.schema.core import ACCEPTED_BARS, CHARACTERISTICS, UNIVERSE

MAXIMUM_AGE_SESSIONS = 5
"""A daily characteristic older than this is absent, not stale."""
_INPUTS = (CHARACTERISTICS, ACCEPTED_BARS, UNIVERSE)


def standardized(market: Market, name: str) -> Float:
    """Return the cross-sectional z of one characteristic over the members with a bar that session; NaN for others and without data."""
    values = market.characteristics.get(name)
    return market.empty() if values is None else day_z(market.among(values))


@feature(unit="z", inputs=_INPUTS, lookback_sessions=MAXIMUM_AGE_SESSIONS, formula="cross-sectional z of the newest known z")
def characteristic_z(market: Market) -> Float:
    """Characteristic z of core.characteristics, five sessions old at most."""
    return standardized(market, "z")


@feature(unit="z", inputs=_INPUTS, lookback_sessions=MAXIMUM_AGE_SESSIONS, formula="cross-sectional z of the newest known w")
def characteristic_w(market: Market) -> Float:
    """Characteristic w of core.characteristics, five sessions old at most."""
    return standardized(market, "w")


FEATURES = (characteristic_z, characteristic_w)
