"""Which quantiles a prediction states, and at which coverages their factor is kept."""

from trader_pipeline.schema.columns import number
from trader_pipeline.schema.table import Column

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
QUANTILE_NAMES = ("q05", "q25", "q50", "q75", "q95")
LEVELS = (0.50, 0.60, 0.70, 0.80, 0.85, 0.90, 0.925, 0.95, 0.975, 0.99)
"""Coverages of q05..q95 of which the factor is kept."""
SCALE_COLUMNS = tuple(f"interval_scale_{1000 * level:.0f}" for level in LEVELS)
"""Their columns, in thousandths."""


def quantiles(unit: str, prefix: str = "") -> tuple[Column, ...]:
    """Return one column a quantile, in order."""
    return tuple(number(f"{prefix}{name}", unit, f"{level:.0%} quantile.") for name, level in zip(QUANTILE_NAMES, QUANTILES, strict=True))
