"""Whether the last fetch of a feed beside the bars brought what it was asked for.

Predictions do not wait for headlines: a run whose news fell short goes on, and fails when all the rest is done.
"""

from collections.abc import Iterator

import dagster as dg

from trader_pipeline.errors import SourceUnavailableError
from trader_pipeline.sources import FEEDS
from trader_pipeline.sources.source import Feed


class ShortfallError(SourceUnavailableError):
    """A feed beside the bars fell short; all the rest of the run is done."""


LAST = {"dagster/priority": "-10"}
"""After every step that is ready: what came is used before the run is called failed."""


def coverage_check(feed: Feed) -> dg.AssetChecksDefinition:
    """Return the check of one feed."""
    key = dg.AssetKey(list(feed.raw_tables[0].path))
    spec = dg.AssetCheckSpec(
        "coverage", asset=key, description="The last fetch was answered for enough of its tickers, in the known shape."
    )

    @dg.multi_asset_check(name=f"{feed.name}_coverage", specs=[spec], op_tags=LAST)
    def check(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult | dg.AssetCheckEvaluation]:
        found = context.instance.get_latest_materialization_event(key)
        said = found.asset_materialization.metadata if found and found.asset_materialization else {}
        text = str(said["unavailable"].value) if "unavailable" in said else None
        verdict = {"asset_key": key, "check_name": "coverage", "passed": text is None, "metadata": {"unavailable": text} if text else {}}
        if text and found.run_id == context.run.run_id:
            yield dg.AssetCheckEvaluation(**verdict)  # stored before the step fails
            raise ShortfallError(text)
        yield dg.AssetCheckResult(**verdict)

    return check


CHECKS_DEFS = {feed.name: coverage_check(feed) for feed in FEEDS if feed.kind != "bars"}
