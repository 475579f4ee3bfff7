"""Features and labels: declared functions of what was known, computed on dense [ticker, session] arrays."""

from trader_pipeline.features import (
    alpha,
    characteristics,
    factors,
    growth,
    macro,
    momentum,
    options,
    quality,
    residual,
    sentiment,
    valuation,
    volatility,
    volume,
)
from trader_pipeline.features.feature import Feature
from trader_pipeline.schema.features import panel_table

FEATURES: tuple[Feature, ...] = (
    *momentum.FEATURES,
    *volatility.FEATURES,
    *volume.FEATURES,
    *residual.FEATURES,
    *valuation.FEATURES,
    *quality.FEATURES,
    *growth.FEATURES,
    *factors.FEATURES,
    *characteristics.FEATURES,
    *macro.FEATURES,
    *sentiment.FEATURES,
    *options.FEATURES,
    *alpha.FEATURES,
)
"""Every feature, in the order of the panel's columns."""

PANEL = panel_table(tuple(feature.column for feature in FEATURES))

__all__ = ["FEATURES", "PANEL", "Feature"]
