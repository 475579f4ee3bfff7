"""The one code location: `dagster dev -m trader_pipeline.definitions`, or `trader dev`."""

import dagster as dg

from trader_pipeline.defs import checks, contracts, core, coverage, daily, features, raw, training, truncation
from trader_pipeline.defs.console import Progress, console_logger
from trader_pipeline.defs.drift import on_drift
from trader_pipeline.defs.environment import prepare_environment
from trader_pipeline.defs.freshness import with_policy
from trader_pipeline.defs.jobs import jobs
from trader_pipeline.defs.resources import RunOptions, Trader
from trader_pipeline.defs.schedules import after_close, weekly_purge, weekly_training
from trader_pipeline.defs.sensors import on_failure, on_full_disk
from trader_pipeline.defs.stale import on_stale_data
from trader_pipeline.defs.ticks import heartbeat
from trader_pipeline.settings import Settings


def build_defs(settings: Settings | None = None, *, progress: Progress | None = None) -> dg.Definitions:
    """Return all assets, checks, jobs, the schedule and the sensors over one set of settings.

    `progress` replaces Dagster's event lines on the terminal of a run that this process executes itself.
    """
    trader = Trader(settings or Settings(), progress)
    fetching = raw.assets(trader.settings)
    return dg.Definitions(
        assets=with_policy([*fetching, *core.ASSETS, *features.ASSETS, *training.ASSETS, *daily.ASSETS], trader.settings),
        asset_checks=[
            *checks.CHECKS_DEFS,
            *coverage.CHECKS_DEFS.values(),
            *contracts.CHECKS_DEFS,
            *truncation.CHECKS_DEFS,
            *training.CHECKS_DEFS,
        ],
        jobs=jobs(trader.settings, fetching),
        schedules=[after_close(running=trader.live), weekly_training(running=trader.live), weekly_purge(running=trader.live)],
        sensors=[
            on_stale_data(trader, running=trader.live),
            on_drift(trader, running=trader.live),
            on_failure(trader),
            on_full_disk(trader),
            heartbeat(trader),
        ],
        resources={"trader": trader, "options": RunOptions(), "pipes": dg.PipesSubprocessClient()},
        executor=dg.in_process_executor,  # what the UI materializes one by one, too: a spawned step costs seconds before it works
        loggers={"console": console_logger(progress)} if progress else None,
    )


@dg.definitions
def defs() -> dg.Definitions:
    """Return what `dagster` loads: the definitions over the environment's settings."""
    settings = Settings()
    prepare_environment(settings)
    return build_defs(settings)
