"""A feature that looks ahead, for tests of what must notice it."""

from trader_pipeline.features import Feature
from trader_pipeline.features.market import previous


def _shifted(market):
    return previous(market.prices.close[:, ::-1])[:, ::-1]


TOMORROW = Feature(name="tomorrow", unit="-", description="-", formula="-", inputs=(), lookback_sessions=0, compute=_shifted)
