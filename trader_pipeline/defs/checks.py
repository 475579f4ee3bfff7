"""Every quality rule as a named check of core/daily_bars; a rule that fails at table scope stops what follows."""

from collections.abc import Iterator

import dagster as dg

from trader_pipeline.checks import CHECKS
from trader_pipeline.defs.metadata import records
from trader_pipeline.defs.resources import RunOptions, Trader, as_of
from trader_pipeline.flows.check import check
from trader_pipeline.schema.core import DAILY_BARS
from trader_pipeline.sources import bars_order

_KEY = dg.AssetKey(list(DAILY_BARS.path))


@dg.multi_asset_check(
    name="daily_bars_checks",
    specs=[dg.AssetCheckSpec(r.name, asset=_KEY, blocking=r.blocking, description=r.description) for r in CHECKS],
)
def daily_bars_checks(
    context: dg.AssetCheckExecutionContext, trader: dg.ResourceParam[Trader], options: RunOptions
) -> Iterator[dg.AssetCheckResult]:
    """Run all rules, store what they found, and report each."""
    report = check(
        trader.lake,
        as_of=as_of(context, trader, options),
        settings=trader.settings.checks,
        run_id=context.run.run_id,
        order=bars_order(trader.settings),
    )
    for rule in report.results:
        yield dg.AssetCheckResult(
            asset_key=_KEY,
            check_name=rule.rule,
            passed=rule.passed,
            severity=dg.AssetCheckSeverity.ERROR if rule.severity == "error" else dg.AssetCheckSeverity.WARN,
            metadata={"findings": records(rule.findings), **{name: float(value) for name, value in rule.metrics.items()}},
        )


CHECKS_DEFS = [daily_bars_checks]
