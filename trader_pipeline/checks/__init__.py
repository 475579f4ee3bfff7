"""Quality rules over core.daily_bars: what is missing, null, old, impossible or double, and what must not go on."""

from trader_pipeline.checks import completeness, decided, duplicates, freshness, nulls, prices, quarantined, stand_ins
from trader_pipeline.checks.rule import Rule

CHECKS: tuple[Rule, ...] = (
    *completeness.RULES,
    *nulls.RULES,
    *freshness.RULES,
    *prices.RULES,
    *duplicates.RULES,
    *decided.RULES,
    *quarantined.RULES,
    *stand_ins.RULES,
)
"""Every rule, in the order in which they run and are shown. A rule sees what those before it quarantined."""
