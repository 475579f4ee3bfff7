"""Run Dagster jobs from the command line: the same jobs as in the UI, recorded in the same instance."""

import datetime as dt
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cached_property

import dagster as dg
from dagster._core.errors import DagsterAssetCheckFailedError, DagsterExecutionInterruptedError

from trader_pipeline import calendar
from trader_pipeline.defs.console import Progress
from trader_pipeline.defs.coverage import ShortfallError
from trader_pipeline.defs.environment import prepare_environment
from trader_pipeline.defs.resources import EXCHANGE, Trader, moment_of
from trader_pipeline.errors import BlockedByDataError, NoModelError, TraderError
from trader_pipeline.flows import due, gate, train
from trader_pipeline.flows.due import default_as_of
from trader_pipeline.operations.alerts import alert_full_disk
from trader_pipeline.schema.training import CALIBRATION
from trader_pipeline.settings import Settings
from trader_pipeline.sources.source import Feed


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What the vendors are asked for: `RunOptions` without the instant. Empty is what the universe lacks."""

    tickers: list[str] = field(default_factory=list)
    since: str = ""
    restate: bool = False
    force: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What `run_due` did: the jobs it launched, in order, and the session that they speak of.

    `shortfall` is set when a feed beside the bars fell short: the jobs went on, and are recorded as failed.
    """

    jobs: tuple[str, ...]
    session: dt.date
    as_of: dt.datetime
    shortfall: ShortfallError | None = None


@contextmanager
def _going_on(short: list[ShortfallError]) -> Iterator[None]:
    """Go on after a job whose bars are whole; remember what fell short."""
    try:
        yield
    except ShortfallError as error:
        short.append(error)


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

    def run_due(
        self, *, now: dt.datetime, as_of: str | None, tickers: Sequence[str] = (), may_train: bool = True, force: bool = False
    ) -> Ran:
        """Run what is due, in order: `refetch` and `train` where no model can serve, `daily` where the session lacks a current forecast.

        A session older than the lake's newest takes bars and features back to what was known then; afterwards a `refetch` brings
        them forward again. `force` goes on where the checks block. Raises `NoModelError` where a model is due and `may_train` is false.
        """
        moment = moment_of(as_of, now=now) if as_of else default_as_of(self.settings, now=now)
        session = calendar.last_closed_session(EXCHANGE, moment)
        newest = due.newest_session(self.trader.lake)
        alert_full_disk(self.settings, now=now)
        short: list[ShortfallError] = []
        try:
            ran = self._run_due(session, moment, now, Ask(tickers=list(tickers), force=force), may_train=may_train, short=short)
        except TraderError:
            self._bring_forward(newest, tickers, short)
            raise
        self._bring_forward(newest, tickers, short)
        return Ran(jobs=tuple(ran), session=session, as_of=moment, shortfall=short[-1] if short else None)

    def _bring_forward(self, newest: dt.date | None, tickers: Sequence[str], short: list[ShortfallError]) -> None:
        now_newest = due.newest_session(self.trader.lake)
        if newest and (now_newest is None or now_newest < newest):
            with _going_on(short):
                self.launch("refetch", as_of=calendar.known_at(EXCHANGE, newest), ask=Ask(tickers=list(tickers)))

    def _run_due(
        self, session: dt.date, moment: dt.datetime, now: dt.datetime, ask: Ask, *, may_train: bool, short: list[ShortfallError]
    ) -> list[str]:
        lake, ran = self.trader.lake, []
        if due.model(lake, as_of=moment):
            if not may_train:
                lake.snapshot().require(CALIBRATION)
                raise NoModelError(
                    f"the dataset {self.settings.dataset} has no model that was trained on what was known on {session}; train one: "
                    f"`trader run --as-of {session}`, or name the dataset that you mean in TRADER_DATASET"
                )
            with _going_on(short):
                self.launch("refetch", as_of=moment, ask=ask)
            train.require_history(lake, recipe=self.settings.recipe, as_of=moment)
            self.launch("train", as_of=moment, ask=Ask(force=ask.force))
            ran += ["refetch", "train"]
        tickers = tuple(ask.tickers)
        if due.daily(lake, self.settings, self.trader.feeds, session=session, as_of=moment, now=now, tickers=tickers, force=ask.force):
            with _going_on(short):
                self.launch("daily", as_of=moment, partition=session, ask=ask)
            ran.append("daily")
        return ran

    def fetch(self, feeds: Sequence[Feed], *, now: dt.datetime, ask: Ask, run_id: str) -> None:
        """Ask the `feeds` alone, recorded as the run `run_id` of the job `fetch`. Raises as `launch` does."""
        alert_full_disk(self.settings, now=now)
        keys = [dg.AssetKey(list(table.path)) for feed in feeds for table in feed.raw_tables]
        self.launch("fetch", as_of=default_as_of(self.settings, now=now), ask=ask, only=keys, run_id=run_id)

    def train(
        self,
        *,
        now: dt.datetime,
        as_of: str | None,
        force: bool,
        recipe: str,
        seed: int | None,
        resume: str,
        profile: bool,
        devices: int,
        skip_preflight: bool = False,
    ) -> None:
        """Fit and calibrate a model on the features that are there, or go on with the model `resume`. Raises as `launch` does."""
        moment = moment_of(as_of, now=now) if as_of else default_as_of(self.settings, now=now)
        config = {"recipe": recipe, "resume": resume, "profile": profile, "devices": devices, "skip_preflight": skip_preflight}
        self.launch("train", as_of=moment, ask=Ask(force=force), ops={"trained": config | ({} if seed is None else {"seed": seed})})

    def launch(
        self,
        job: str,
        *,
        as_of: dt.datetime,
        partition: dt.date | None = None,
        ask: Ask | None = None,
        only: Sequence[dg.AssetKey] | None = None,
        run_id: str | None = None,
        ops: Mapping[str, Mapping[str, object]] | None = None,
    ) -> None:
        """Run one job (or `only` these of its assets) to its end in this process, recorded in the home's instance.

        `ops` is what the Launchpad may say of single steps.

        Raises a step's own `TraderError` as it is, `BlockedByDataError` where a blocking check failed, and `KeyboardInterrupt`.
        """
        prepare_environment(self.settings)
        warnings.filterwarnings("ignore", category=dg.PreviewWarning)  # Dagster warns of its own Pipes internals
        definition = self.definitions.resolve_job_def(job)
        self.progress.plan(len(only or definition.graph.node_names()))
        session = calendar.last_closed_session(EXCHANGE, as_of).isoformat()
        options = {"as_of": session} | asdict(ask or Ask())
        with dg.DagsterInstance.get() as instance:
            try:
                definition.execute_in_process(
                    run_config={
                        "resources": {"options": {"config": options}},
                        "loggers": {"console": {}},
                        "ops": {name: {"config": dict(config)} for name, config in (ops or {}).items()},
                    },
                    instance=instance,
                    partition_key=partition.isoformat() if partition else None,
                    asset_selection=only,
                    run_id=run_id,
                )
            except DagsterAssetCheckFailedError as error:
                blocks = gate.failed_checks(self.trader.lake.snapshot())
                why = "; ".join(map(str, blocks)) or str(error)
                said = "`trader status` has all findings, --as-of names an earlier session"
                raise BlockedByDataError(f"{why}; {said}; {gate.FORCE}") from error
            except DagsterExecutionInterruptedError as error:
                raise KeyboardInterrupt from error
