"""One multi-asset a source: all exist, a job selects those of its dataset."""

import datetime as dt
from collections.abc import Iterator

import dagster as dg

from trader_pipeline.defs.metadata import records, table_result, table_spec
from trader_pipeline.defs.resources import RunOptions, Trader, as_of
from trader_pipeline.flows.ingest import ingest
from trader_pipeline.sources import FEEDS
from trader_pipeline.sources.source import Feed


def raw_asset(source: Feed) -> dg.AssetsDefinition:
    """Return the asset that fetches everything of one source."""

    @dg.multi_asset(
        name=f"raw_{source.name}",
        specs=[table_spec(t, group="raw") for t in source.raw_tables],
        pool=None if source.local else source.source,
    )
    def fetch(context: dg.AssetExecutionContext, trader: dg.ResourceParam[Trader], options: RunOptions) -> Iterator[dg.MaterializeResult]:
        outcome = ingest(
            trader.lake,
            source,
            trader.settings,
            as_of=as_of(context, trader, options),
            fetched_at=dt.datetime.now(dt.UTC),
            run_id=context.run.run_id,
            tickers=tuple(options.tickers) or None,
        )
        snapshot = trader.lake.snapshot()
        attempts = snapshot.sql(
            "select * exclude (run_id) from raw.fetch_attempts where run_id = ? order by outcome <> 'ok' desc, ticker", [context.run.run_id]
        )
        for table in source.raw_tables:
            yield table_result(snapshot, table, {"outcomes": records(attempts), "requests": outcome.requests, "new_rows": outcome.new_rows})

    return fetch


ASSETS = [raw_asset(source) for source in FEEDS]
