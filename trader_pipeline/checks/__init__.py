"""Quality rules over core.daily_bars: what is missing, null, old, impossible or double, and what must not go on."""

from trader_pipeline.checks import (
    completeness,
    cross_source,
    decided,
    duplicates,
    freshness,
    nulls,
    outliers,
    prices,
    quarantined,
    stand_ins,
    stuck,
    volumes,
)
from trader_pipeline.checks.rule import Rule

CHECKS: tuple[Rule, ...] = (
    *completeness.RULES,
    *nulls.RULES,
    *freshness.RULES,
    *prices.RULES,
    *duplicates.RULES,
    *stuck.RULES,
    *volumes.RULES,
    *outliers.RULES,
    *decided.RULES,
    *quarantined.RULES,
    *stand_ins.RULES,
    *cross_source.RULES,
)
"""Every rule, in the order in which they run and are shown. A rule sees what those before it quarantined."""
