"""Run Dagster jobs from the command line: the same jobs as in the UI, recorded in the same instance."""

import datetime as dt
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import dagster as dg

from trader_pipeline import calendar
from trader_pipeline.definitions import build_defs
from trader_pipeline.defs.console import Progress
from trader_pipeline.defs.environment import prepare_environment
from trader_pipeline.defs.resources import EXCHANGE, Trader, moment_of
from trader_pipeline.errors import BlockedByDataError, TraderError
from trader_pipeline.flows import due, train
from trader_pipeline.flows.due import default_as_of
from trader_pipeline.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What `run_due` did: the jobs it launched, in order, and the session that they speak of."""

    jobs: tuple[str, ...]
    session: dt.date
    as_of: dt.datetime


def launch(
    settings: Settings, job: str, *, as_of: dt.datetime, progress: Progress, partition: dt.date | None = None, tickers: Sequence[str] = ()
) -> None:
    """Run one job to its end in this process. A step's `TraderError` is raised as it is; a blocking check as `BlockedByDataError`."""
    prepare_environment(settings)
    warnings.filterwarnings("ignore", category=dg.PreviewWarning)  # Dagster warns of its own Pipes internals
    defs = build_defs(settings, progress=progress)
    session = calendar.last_closed_session(EXCHANGE, as_of).isoformat()
    config = {"resources": {"options": {"config": {"as_of": session, "tickers": list(tickers)}}}, "loggers": {"console": {}}}
    definition = defs.resolve_job_def(job)
    progress.plan(len(definition.graph.node_names()))
    with dg.DagsterInstance.get() as instance:
        try:
            definition.execute_in_process(
                run_config=config, instance=instance, partition_key=partition.isoformat() if partition else None, raise_on_error=True
            )
        except dg.DagsterExecutionStepExecutionError as error:
            raise _cause(error) from error
        except dg.DagsterError as error:
            if type(error).__name__ == "DagsterAssetCheckFailedError":
                raise BlockedByDataError(f"{error}; see `trader status`, mend the data or pass --as-of of a session that has it") from error
            raise


def _cause(error: BaseException) -> BaseException:
    """Return the step's own error where it is one of ours."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, TraderError):
            return cause
        cause = cause.__cause__ or getattr(cause, "user_exception", None)
    return error


def run_due(settings: Settings, *, now: dt.datetime, as_of: str | None, progress: Progress, tickers: Sequence[str] = ()) -> Ran:
    """Run what is due, in order: `refetch` and `train` where no model exists, then `daily` where the session has no current prediction."""
    prepare_environment(settings)
    trader = Trader(settings)
    moment = moment_of(as_of) if as_of else default_as_of(settings, now=now)
    session = calendar.last_closed_session(EXCHANGE, moment)
    ran: list[str] = []
    if due.model(trader.lake, as_of=moment):
        launch(settings, "refetch", as_of=moment, progress=progress, tickers=tickers)
        train.require_history(trader.lake, recipe=settings.recipe, as_of=moment)
        launch(settings, "train", as_of=moment, progress=progress)
        ran += ["refetch", "train"]
    if due.daily(trader.lake, settings, trader.source, session=session, as_of=moment, tickers=tuple(tickers)):
        launch(settings, "daily", as_of=moment, progress=progress, partition=session, tickers=tickers)
        ran.append("daily")
    return Ran(jobs=tuple(ran), session=session, as_of=moment)
