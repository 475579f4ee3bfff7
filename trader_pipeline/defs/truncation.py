"""No value of the panel may depend on what was not known: recomputed from cut tables after every build, before anything reads it."""

import dagster as dg

from trader_pipeline.defs.resources import RunOptions, Trader, as_of
from trader_pipeline.features import PANEL
from trader_pipeline.flows.truncation import truncation


@dg.asset_check(
    asset=dg.AssetKey(list(PANEL.path)),
    name="truncation",
    blocking=True,
    description="Every feature of a sample of tickers, from tables cut at a few sessions, has the same bits as from all tables.",
)
def check_truncation(context: dg.AssetCheckExecutionContext, trader: dg.ResourceParam[Trader], options: RunOptions) -> dg.AssetCheckResult:
    """Report the features that come out otherwise."""
    found = truncation(trader.lake.snapshot(), as_of=as_of(context, trader, options))
    return dg.AssetCheckResult(
        passed=not found.violating,
        severity=dg.AssetCheckSeverity.WARN if options.force else dg.AssetCheckSeverity.ERROR,
        metadata={
            "violating": list(found.violating),
            "compared_values": found.compared,
            "tickers": list(found.tickers),
            "cuts": [day.isoformat() for day in found.cuts],
        },
    )


CHECKS_DEFS = [check_truncation]
