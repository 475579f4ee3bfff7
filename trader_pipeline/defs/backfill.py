"""The whole history again, a thirty-second of the universe a run: started by hand, from the UI as a backfill of all shards."""

import datetime as dt

import dagster as dg

from trader_pipeline.defs import raw
from trader_pipeline.defs.reporting import reporter
from trader_pipeline.defs.resources import RunOptions, Trader, started_at
from trader_pipeline.flows.due import default_as_of
from trader_pipeline.flows.ingest import first_session, ingest
from trader_pipeline.settings import Settings
from trader_pipeline.sources.source import Feed

SHARDS = dg.StaticPartitionsDefinition([f"{shard:02d}" for shard in range(1, 33)])
"""A ticker's shard depends on its name only, so a list that grows moves nobody."""


def _op(feed: Feed) -> dg.OpDefinition:
    @dg.op(name=f"backfill_{feed.name}", ins={"after": dg.In(dg.Nothing)}, out=dg.Out(dg.Nothing), pool=raw.pool_of(feed))
    def fetch(context: dg.OpExecutionContext, trader: dg.ResourceParam[Trader], options: RunOptions) -> None:
        """Ask for the shard's history from the first session on."""
        outcome = ingest(
            trader.lake,
            feed,
            trader.settings,
            as_of=default_as_of(trader.settings, now=started_at(context)),
            fetched_at=dt.datetime.now(dt.UTC),
            run_id=context.run.run_id,
            tickers=tuple(options.tickers) or None,
            since=options.first_day or first_session(trader.settings, None),
            shard=(SHARDS.get_partition_keys().index(context.partition_key), len(SHARDS.get_partition_keys())),
            report=reporter(context.log, trader.progress),
        )
        context.log_event(raw.observation(trader.lake.snapshot(), feed, context.run.run_id, raw.facts_of(outcome)))

    return fetch


def backfill(settings: Settings) -> dg.JobDefinition:
    """Return the job: every source of bars in its order, for one shard."""
    ops = [_op(feed) for feed in raw.bars_feeds(settings)]

    @dg.job(
        name="backfill",
        partitions_def=SHARDS,
        executor_def=dg.in_process_executor,
        tags={"trader/dataset": settings.dataset},
        description="The whole history of one shard of the universe, asked for again; core and features follow with the next refetch.",
    )
    def job() -> None:
        done = ops[0]()
        for op in ops[1:]:
            done = op(done)

    return job
