"""Run Dagster jobs from the command line: the same jobs as in the UI, recorded in the same instance."""

import datetime as dt
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import dagster as dg
from dagster._core.errors import DagsterAssetCheckFailedError, DagsterExecutionInterruptedError

from trader_pipeline import calendar
from trader_pipeline.defs.console import Progress
from trader_pipeline.defs.environment import prepare_environment
from trader_pipeline.defs.resources import EXCHANGE, Trader, moment_of
from trader_pipeline.errors import BlockedByDataError, NoModelError, TraderError
from trader_pipeline.flows import due, train
from trader_pipeline.flows.check import last_report
from trader_pipeline.flows.due import default_as_of
from trader_pipeline.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What `run_due` did: the jobs it launched, in order, and the session that they speak of."""

    jobs: tuple[str, ...]
    session: dt.date
    as_of: dt.datetime


@dataclass(frozen=True, kw_only=True)
class Launcher:
    """Executes the jobs of `definitions`, which were built over the same `settings` and `progress`."""

    definitions: dg.Definitions
    settings: Settings
    progress: Progress

    @cached_property
    def trader(self) -> Trader:
        """The settings' lake and source."""
        return Trader(self.settings)

    def run_due(self, *, now: dt.datetime, as_of: str | None, tickers: Sequence[str] = (), may_train: bool = True) -> Ran:
        """Run what is due, in order: `refetch` and `train` where no model can serve, `daily` where the session lacks a current forecast.

        A session older than the lake's newest takes bars and features back to what was known then; afterwards a `refetch` brings
        them forward again. Raises `NoModelError` where a model is due and `may_train` is false.
        """
        moment = moment_of(as_of, now=now) if as_of else default_as_of(self.settings, now=now)
        session = calendar.last_closed_session(EXCHANGE, moment)
        newest = due.newest_session(self.trader.lake)
        try:
            ran = self._run_due(session, moment, tickers, may_train=may_train)
        except TraderError:
            self._bring_forward(newest, tickers)
            raise
        self._bring_forward(newest, tickers)
        return Ran(jobs=tuple(ran), session=session, as_of=moment)

    def _bring_forward(self, newest: dt.date | None, tickers: Sequence[str]) -> None:
        now_newest = due.newest_session(self.trader.lake)
        if newest and (now_newest is None or now_newest < newest):
            self.launch("refetch", as_of=calendar.known_at(EXCHANGE, newest), tickers=tickers)

    def _run_due(self, session: dt.date, moment: dt.datetime, tickers: Sequence[str], *, may_train: bool) -> list[str]:
        lake, ran = self.trader.lake, []
        if due.model(lake, as_of=moment):
            if not may_train:
                mend = f"`trader run --source {self.trader.source.source} --as-of {session}`"
                raise NoModelError(f"no model was trained on what was known on {session}; train one: {mend}")
            self.launch("refetch", as_of=moment, tickers=tickers)
            train.require_history(lake, recipe=self.settings.recipe, as_of=moment)
            self.launch("train", as_of=moment)
            ran += ["refetch", "train"]
        if due.daily(lake, self.settings, self.trader.source, session=session, as_of=moment, tickers=tuple(tickers)):
            self.launch("daily", as_of=moment, partition=session, tickers=tickers)
            ran.append("daily")
        return ran

    def launch(self, job: str, *, as_of: dt.datetime, partition: dt.date | None = None, tickers: Sequence[str] = ()) -> None:
        """Run one job to its end in this process, recorded in the home's instance.

        Raises a step's own `TraderError` as it is, `BlockedByDataError` where a blocking check failed, and `KeyboardInterrupt`.
        """
        prepare_environment(self.settings)
        warnings.filterwarnings("ignore", category=dg.PreviewWarning)  # Dagster warns of its own Pipes internals
        definition = self.definitions.resolve_job_def(job)
        self.progress.plan(len(definition.graph.node_names()))
        session = calendar.last_closed_session(EXCHANGE, as_of).isoformat()
        options = {"as_of": session, "tickers": list(tickers)}
        with dg.DagsterInstance.get() as instance:
            try:
                definition.execute_in_process(
                    run_config={"resources": {"options": {"config": options}}, "loggers": {"console": {}}},
                    instance=instance,
                    partition_key=partition.isoformat() if partition else None,
                )
            except DagsterAssetCheckFailedError as error:
                why = last_report(self.trader.lake.snapshot()).explain_block()
                raise BlockedByDataError(f"{why}; `trader status` has all findings, --as-of names an earlier session") from error
            except DagsterExecutionInterruptedError as error:
                raise KeyboardInterrupt from error
