"""The jobs.

`fetch` asks the vendors and stores what they say, `refetch` brings all data up to date, `train` makes a model, `daily` goes from data
to report and first decides on a model that a killed training left undecided, `backfill` loads history again, `purge` forgets old runs.
"""

import datetime as dt
from collections.abc import Sequence

import dagster as dg

from trader_pipeline.defs import checks, contracts, core, coverage, daily, features, training, truncation
from trader_pipeline.defs.backfill import backfill
from trader_pipeline.defs.forced import FORCED_TAG
from trader_pipeline.defs.resources import Trader
from trader_pipeline.operations.janitor import clean
from trader_pipeline.settings import Settings
from trader_pipeline.sources import feeds_of

KEEP_RUNS = dt.timedelta(days=90)

ALONE = {"trader/makes": "features"}
"""Runs with this tag wait for each other in the queue (dagster.yaml): each makes the features as known at its own session."""


def _fetched(settings: Settings, raw: Sequence[dg.AssetsDefinition]) -> dg.AssetSelection:
    """Select the feeds of the dataset, and whether each was answered."""
    mine = {feed.name for feed in feeds_of(settings)}
    assets = [asset for asset in raw if asset.op.name.removeprefix("raw_") in mine]
    asked = [check for name, check in coverage.CHECKS_DEFS.items() if name in mine]
    return dg.AssetSelection.assets(*assets) | dg.AssetSelection.checks(*asked)


@dg.op
def sweep_the_lake(context: dg.OpExecutionContext, trader: dg.ResourceParam[Trader]) -> int:
    """Delete lake parts and old commits that nothing names any more, and what killed writers left."""
    removed = clean(trader.lake, trader.settings.dataset_home, now=dt.datetime.now(dt.UTC))
    context.log.info("%d files removed, %d bytes", len(removed), sum(r.size_bytes for r in removed))
    return len(removed)


@dg.op
def delete_old_runs(context: dg.OpExecutionContext) -> int:
    """Delete finished runs older than 90 days with their events: Dagster keeps them for ever. A run that was forced stays."""
    before = dt.datetime.now(dt.UTC) - KEEP_RUNS
    done = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
    old = [
        run for run in context.instance.get_runs(filters=dg.RunsFilter(statuses=done, created_before=before)) if FORCED_TAG not in run.tags
    ]
    for run in old:
        context.instance.delete_run(run.run_id)
    context.log.info("%d runs older than %d days deleted", len(old), KEEP_RUNS.days)
    return len(old)


@dg.job(name="purge", executor_def=dg.in_process_executor)
def purge() -> None:
    """Forget runs older than 90 days and what the lake no longer names."""
    delete_old_runs()
    sweep_the_lake()


def jobs(settings: Settings, raw: Sequence[dg.AssetsDefinition]) -> list[dg.JobDefinition]:
    """Return the jobs over the raw assets of the settings' dataset."""
    fetched, dataset = _fetched(settings, raw), settings.dataset
    judged = dg.AssetSelection.checks(*checks.CHECKS_DEFS, *truncation.CHECKS_DEFS)
    data = fetched | dg.AssetSelection.assets(*core.ASSETS, *features.ASSETS) | judged
    fitted = dg.AssetSelection.assets(*training.ASSETS) | dg.AssetSelection.checks(*training.CHECKS_DEFS)
    decided = dg.AssetSelection.assets(training.promoted).without_checks()
    made = decided | dg.AssetSelection.assets(*daily.ASSETS) | dg.AssetSelection.checks(*contracts.CHECKS_DEFS)
    executor, market = dg.in_process_executor, {"trader/dataset": dataset}
    return [
        dg.define_asset_job(
            "fetch", fetched, executor_def=executor, tags=market, description="Raw tables alone: the vendors asked, nothing made of it."
        ),
        dg.define_asset_job(
            "refetch", data, executor_def=executor, tags=ALONE | market, description="Raw, core, checks and features brought up to date."
        ),
        dg.define_asset_job(
            "train", fitted, executor_def=executor, tags=market, description="Fit, score and calibrate a model on the features."
        ),
        dg.define_asset_job("daily", data | made, executor_def=executor, tags=ALONE | market, description="Everything for one session."),
        purge,
        *([backfill(settings)] if dataset == "live" else []),
    ]
