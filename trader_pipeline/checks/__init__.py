"""Quality rules over the core tables: what is missing, null, old, impossible, double or contradictory, and what must not go on."""

from trader_pipeline.checks import (
    capital_gains,
    completeness,
    cross_source,
    decided,
    dividends,
    duplicates,
    freshness,
    fundamentals,
    macro,
    news,
    nulls,
    options,
    outliers,
    prices,
    quarantined,
    securities,
    spikes,
    splits,
    stand_ins,
    stuck,
    units,
    volumes,
)
from trader_pipeline.checks.rule import Rule

CHECKS: tuple[Rule, ...] = (
    *units.RULES,
    *splits.RULES,
    *completeness.RULES,
    *nulls.RULES,
    *freshness.RULES,
    *prices.RULES,
    *duplicates.RULES,
    *dividends.RULES,
    *capital_gains.RULES,
    *stuck.RULES,
    *volumes.RULES,
    *spikes.RULES,
    *outliers.RULES,
    *decided.RULES,
    *quarantined.RULES,
    *stand_ins.RULES,
    *cross_source.RULES,
    *securities.RULES,
    *fundamentals.RULES,
    *macro.RULES,
    *news.RULES,
    *options.RULES,
)
"""Every rule, in the order in which they run and are shown. A rule sees what those before it quarantined, and what of their repairs is
applied; hence those that know the right price come first."""
