"""Standardized tables, and the bars that passed the checks."""

from collections.abc import Iterator

import dagster as dg

from trader_pipeline.defs.forced import record
from trader_pipeline.defs.metadata import table_result, table_spec
from trader_pipeline.defs.resources import RunOptions, Trader, as_of
from trader_pipeline.flows.accept import accept
from trader_pipeline.flows.gate import failed_checks
from trader_pipeline.flows.score_news import score_news, text_scorers
from trader_pipeline.flows.standardize import DERIVED, standardize
from trader_pipeline.schema import Table, core
from trader_pipeline.sources import FEEDS, bars_order

RAW = [table for source in FEEDS for table in source.raw_tables]
STANDARDIZED: tuple[Table, ...] = DERIVED


@dg.multi_asset(name="core", specs=[table_spec(t, group="core", deps=RAW) for t in STANDARDIZED])
def standardized(
    context: dg.AssetExecutionContext, trader: dg.ResourceParam[Trader], options: RunOptions
) -> Iterator[dg.MaterializeResult]:
    """Turn raw rows into tables of one meaning."""
    outcome = standardize(
        trader.lake,
        trader.feeds,
        as_of=as_of(context, trader, options),
        run_id=context.run.run_id,
        symbols_file=trader.settings.symbols_file,
    )
    if outcome.presumed_delisted:
        context.log.info("presumed delisted, one source cannot tell: %s", ", ".join(outcome.presumed_delisted))
    snapshot = trader.lake.snapshot()
    for table in STANDARDIZED:
        yield table_result(snapshot, table)


@dg.multi_asset(name="accepted_bars", specs=[table_spec(core.ACCEPTED_BARS, group="core", deps=[core.DAILY_BARS, core.TICKER_MAP])])
def accepted(context: dg.AssetExecutionContext, trader: dg.ResourceParam[Trader], options: RunOptions) -> dg.MaterializeResult:
    """Keep the bars that passed, one source a ticker-session."""
    outcome = accept(
        trader.lake,
        as_of=as_of(context, trader, options),
        run_id=context.run.run_id,
        order=bars_order(trader.settings),
        force=options.force,
    )
    snapshot = trader.lake.snapshot()
    shown = record(context, map(str, failed_checks(snapshot))) if options.force else {}
    return table_result(snapshot, core.ACCEPTED_BARS, {"quarantined_rows": outcome.quarantined, **shown})


@dg.multi_asset(name="news_scores", specs=[table_spec(core.NEWS_SCORES, group="core", deps=[core.NEWS])])
def scored(context: dg.AssetExecutionContext, trader: dg.ResourceParam[Trader], options: RunOptions) -> dg.MaterializeResult:
    """Score the headlines that no text model has scored yet."""
    scorers = text_scorers(trader.settings)
    outcome = score_news(trader.lake, scorers, as_of=as_of(context, trader, options), run_id=context.run.run_id)
    return table_result(trader.lake.snapshot(), core.NEWS_SCORES, {"newly_scored": outcome.scored})


ASSETS = [standardized, accepted, scored]
