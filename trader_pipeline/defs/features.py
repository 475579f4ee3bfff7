"""The state of the market, the feature panel and the labels."""

from collections.abc import Iterator

import dagster as dg

from trader_pipeline.defs.metadata import table_result, table_spec
from trader_pipeline.defs.resources import RunOptions, Trader, as_of
from trader_pipeline.features import PANEL
from trader_pipeline.flows.build_features import INPUTS, build_features
from trader_pipeline.flows.market_state import market_state
from trader_pipeline.schema.core import ACCEPTED_BARS, CORPORATE_ACTIONS, TICKER_MAP
from trader_pipeline.schema.features import COVERAGE, MARKET_STATE, TARGETS


@dg.multi_asset(
    name="market_state", specs=[table_spec(MARKET_STATE, group="features", deps=[ACCEPTED_BARS, CORPORATE_ACTIONS, TICKER_MAP])]
)
def states(context: dg.AssetExecutionContext, trader: dg.ResourceParam[Trader], options: RunOptions) -> dg.MaterializeResult:
    """Say of each session how probable turbulence was."""
    market_state(trader.lake, as_of=as_of(context, trader, options), run_id=context.run.run_id)
    return table_result(trader.lake.snapshot(), MARKET_STATE)


@dg.multi_asset(name="features", specs=[table_spec(t, group="features", deps=INPUTS) for t in (PANEL, TARGETS, COVERAGE)])
def features(context: dg.AssetExecutionContext, trader: dg.ResourceParam[Trader], options: RunOptions) -> Iterator[dg.MaterializeResult]:
    """Build the panel and the labels from what was known, and count how far the panel has values."""
    build_features(trader.lake, as_of=as_of(context, trader, options), run_id=context.run.run_id)
    snapshot = trader.lake.snapshot()
    for table in (PANEL, TARGETS, COVERAGE):
        yield table_result(snapshot, table)


ASSETS = [states, features]
