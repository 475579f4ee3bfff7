"""One multi-asset a feed: all exist, a job selects those that fill its dataset.

A source of bars that stands in for another is asked after it, for what is lacking; the last of them answers for all. Too few bars
stop what follows. A feed of another kind that falls short stops nothing: its check `coverage` fails the run when the rest is done.
"""

import datetime as dt
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import dagster as dg

from trader_pipeline.defs.metadata import records, table_result, table_spec
from trader_pipeline.defs.reporting import reporter
from trader_pipeline.defs.resources import RunOptions, Trader, as_of
from trader_pipeline.errors import TraderError
from trader_pipeline.flows.ingest import IngestOutcome, ingest
from trader_pipeline.lake import Snapshot
from trader_pipeline.schema import Table
from trader_pipeline.settings import Settings
from trader_pipeline.sources import FEEDS, feeds_of
from trader_pipeline.sources.source import Feed

NAMING = frozenset({"members", "symbols"})
"""Kinds that say which tickers the others are asked for, and by which symbols."""

FAILED_SHOWN = 200
"""Rows of the table of failed tickers: every one of them is stored with every run."""

_COUNTED = """
select outcome, count(*)::bigint as tickers, sum("rows")::bigint as "rows", sum(requests)::bigint as requests,
       sum(retries)::bigint as retries, coalesce(sum(throttled), 0)::bigint as throttled
from raw.fetch_attempts where run_id = $run_id and source = $source and kind = $kind
group by outcome order by outcome = 'ok', tickers desc"""
_FAILED = """
select ticker, outcome, requests, retries, throttled, left(coalesce(detail, ''), 200) as detail
from raw.fetch_attempts where run_id = $run_id and source = $source and kind = $kind and outcome <> 'ok'
order by outcome = 'no_data', outcome, ticker limit $limit"""


def assets(settings: Settings) -> list[dg.AssetsDefinition]:
    """Return the asset of every feed; sources of bars in the order of the settings, what names tickers before all."""
    bars = bars_feeds(settings)
    before = {feed.name: earlier.raw_tables[:1] for earlier, feed in pairwise(bars)}
    naming = [table for feed in feeds_of(settings) if feed.kind in NAMING for table in feed.raw_tables[:1]]
    return [raw_asset(feed, after=(*before.get(feed.name, ()), *(naming if _asks_for_tickers(feed) else ()))) for feed in FEEDS]


def _asks_for_tickers(feed: Feed) -> bool:
    return not feed.local and feed.subjects is None


def bars_feeds(settings: Settings) -> list[Feed]:
    """Return the sources of the dataset's bars, first choice first."""
    return [feed for feed in feeds_of(settings) if feed.kind == "bars"]


def raw_asset(feed: Feed, *, after: Sequence[Table] = ()) -> dg.AssetsDefinition:
    """Return the asset that fetches everything of one feed, when the tables `after` which it comes are there."""

    @dg.multi_asset(
        name=f"raw_{feed.name}",
        specs=[table_spec(t, group="raw", deps=after) for t in feed.raw_tables],
        pool=pool_of(feed),
    )
    def fetch(
        context: dg.AssetExecutionContext, trader: dg.ResourceParam[Trader], options: RunOptions
    ) -> Iterator[dg.MaterializeResult | dg.AssetObservation]:
        shown: dict[str, Any] = {}
        try:
            outcome = ingest(
                trader.lake,
                feed,
                trader.settings,
                as_of=as_of(context, trader, options),
                fetched_at=dt.datetime.now(dt.UTC),
                run_id=context.run.run_id,
                tickers=tuple(options.tickers) or None,
                since=options.first_day,
                restate=options.restate,
                fallback=options.fallback,
                report=reporter(context.log, trader.progress),
            )
            shown = facts_of(outcome)
            if outcome.skipped:
                context.log.warning("%s is not asked: %s", feed.name, outcome.skipped)
        except TraderError as error:
            shown = {"unavailable": str(error)}
            if feed.kind == "bars":
                yield observation(trader.lake.snapshot(), feed, context.run.run_id, shown)  # the step ends without a materialization
                raise
            context.log.warning(str(error))
        snapshot = trader.lake.snapshot()
        for position, table in enumerate(feed.raw_tables):
            yield table_result(snapshot, table, shown | (outcomes(snapshot, feed, context.run.run_id) if position == 0 else {}))

    return fetch


def pool_of(feed: Feed) -> str | None:
    """Return the vendor's pool: one step at a time asks it. What is local has none."""
    return None if feed.local else feed.source


def facts_of(outcome: IngestOutcome) -> dict[str, int | str]:
    """Return what a fetch cost and brought, for the UI."""
    counted: dict[str, int | str] = {name: getattr(outcome, name) for name in ("requests", "retries", "throttled", "new_rows")}
    return counted | {"restated": len(outcome.restated)} | ({"skipped": outcome.skipped} if outcome.skipped else {})


def outcomes(snapshot: Snapshot, feed: Feed, run_id: str) -> dict[str, dg.MetadataValue]:
    """Return the run's outcomes, counted, and the tickers that did not end well, worst first."""
    mine = {"run_id": run_id, "source": feed.source, "kind": feed.kind}
    counted, failed = snapshot.sql(_COUNTED, mine), snapshot.sql(_FAILED, mine | {"limit": FAILED_SHOWN})
    if not counted.num_rows:
        return {}
    return {"outcomes": records(counted)} | ({"failed": records(failed, FAILED_SHOWN)} if failed.num_rows else {})


def observation(snapshot: Snapshot, feed: Feed, run_id: str, shown: dict[str, Any]) -> dg.AssetObservation:
    """Return what the UI shows of a fetch that makes no materialization."""
    return dg.AssetObservation(asset_key=dg.AssetKey(list(feed.raw_tables[0].path)), metadata=shown | outcomes(snapshot, feed, run_id))
