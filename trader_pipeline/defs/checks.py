"""Every quality rule as a named check of the table that it judges; a rule that fails at table scope stops what follows."""

from collections.abc import Iterator

import dagster as dg

from trader_pipeline.checks import CHECKS
from trader_pipeline.checks.overrides import read_overrides
from trader_pipeline.checks.report import RuleReport
from trader_pipeline.dashboard.trend import Trend, trends
from trader_pipeline.defs.metadata import records
from trader_pipeline.defs.resources import RunOptions, Trader, as_of, started_at
from trader_pipeline.flows.check import check
from trader_pipeline.flows.column_statistics import column_statistics
from trader_pipeline.schema import Table
from trader_pipeline.sources import bars_order

_LEVELS = "▁▂▃▄▅▆▇█"
_DRAWN = 60
"""Checks in the picture: a quarter of daily ones."""


def drawn(trend: Trend) -> dg.MetadataValue:
    """Return a picture of the findings in the last checks, in letters: the UI shows no image that is not served to it."""
    counts, days = trend.findings[-_DRAWN:], trend.days[-_DRAWN:]
    most = max(1, *counts)
    bars = "".join(_LEVELS[round(count / most * (len(_LEVELS) - 1))] for count in counts)
    return dg.MetadataValue.md(f"`{bars}` {days[0]} to {days[-1]}: at most {max(counts)}, now {counts[-1]}")


def _checks_of(table: Table) -> dg.AssetChecksDefinition:
    """Return the checks of one table: a check that two assets shared would block strangers (dagster #20659)."""
    key = dg.AssetKey(list(table.path))

    @dg.multi_asset_check(
        name=f"{table.name}_checks",
        specs=[dg.AssetCheckSpec(r.name, asset=key, blocking=r.blocking, description=r.description) for r in CHECKS if r.table is table],
    )
    def checks_of_table(
        context: dg.AssetCheckExecutionContext, trader: dg.ResourceParam[Trader], options: RunOptions
    ) -> Iterator[dg.AssetCheckResult]:
        """Report what each rule of the table said. The first table's turn runs all rules and stores what they found; the others read it."""
        moment = as_of(context, trader, options)
        report = check(
            trader.lake,
            as_of=moment,
            settings=trader.settings.checks,
            run_id=context.run.run_id,
            order=bars_order(trader.settings),
            overrides=read_overrides(trader.settings.overrides_file, CHECKS, today=started_at(context).date()),
        )
        snapshot = trader.lake.snapshot()
        columns = records(column_statistics(snapshot, table, as_of=moment))
        past = trends(snapshot)
        for rule in report.results:
            if rule.table == table.full_name:
                yield dg.AssetCheckResult(
                    asset_key=key,
                    check_name=rule.rule,
                    passed=rule.passed,
                    severity=_severity(rule, forced=options.force),
                    metadata={
                        "findings": records(rule.findings),
                        "findings_over_time": drawn(past[rule.rule]),
                        "columns": columns,
                        **{name: float(value) for name, value in rule.metrics.items()},
                    },
                )

    return checks_of_table


def _severity(rule: RuleReport, *, forced: bool) -> dg.AssetCheckSeverity:
    """Return an error for what blocks; a run that is forced is warned, and goes on."""
    return dg.AssetCheckSeverity.ERROR if rule.severity == "error" and not forced else dg.AssetCheckSeverity.WARN


CHECKS_DEFS = [_checks_of(table) for table in dict.fromkeys(rule.table for rule in CHECKS)]
