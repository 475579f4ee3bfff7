"""What every asset needs: the settings, the lake, and the one instant that a run speaks of."""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property

import dagster as dg

from trader_pipeline import calendar
from trader_pipeline.defs.console import Progress
from trader_pipeline.defs.running import alive
from trader_pipeline.errors import UsageError
from trader_pipeline.flows.due import EXCHANGE, default_as_of
from trader_pipeline.lake import Lake
from trader_pipeline.settings import Settings
from trader_pipeline.sources import bars_feed, feeds_of
from trader_pipeline.sources.source import Feed

__all__ = ["EXCHANGE", "RunOptions", "Trader", "as_of", "moment_of", "started_at"]

FALLBACK = "fallback"


class Trader:
    """Settings of this code location, the lake that they point at, and the terminal of the process that executes the runs itself."""

    def __init__(self, settings: Settings, progress: Progress | None = None) -> None:
        self.settings = settings
        self.progress = progress

    @cached_property
    def lake(self) -> Lake:
        """The current dataset's lake."""
        return Lake(self.settings.dataset_home / "lake", self.settings.dataset)

    @cached_property
    def feeds(self) -> tuple[Feed, ...]:
        """The feeds of the current dataset, first choice first within a kind."""
        return feeds_of(self.settings)

    @property
    def source(self) -> Feed:
        """The first choice for the current dataset's bars."""
        return bars_feed(self.settings)

    @property
    def live(self) -> bool:
        """Whether the dataset grows with every session."""
        return self.settings.dataset == "live"


class RunOptions(dg.ConfigurableResource):
    """What the Launchpad may say of one run."""

    as_of: str = ""
    """Session (YYYY-MM-DD) whose close + 30 min the run speaks of; empty is the partition, else the newest that the dataset has."""
    tickers: list[str] = []  # noqa: RUF012 - a pydantic field; the default is copied
    """Tickers to fetch; empty is the whole universe."""
    since: str = ""
    """First day (YYYY-MM-DD) to ask the vendors for; empty is what each ticker lacks."""
    restate: bool = False
    """Ask for the whole history again and keep what it says otherwise."""
    source: str = ""
    """`fallback` asks the sources of bars after the first choice again for what is lacking, the only source where there is one."""

    force: bool = False
    """Go on although the checks block; the run's tag `trader/forced` then names what was overridden."""

    @property
    def first_day(self) -> dt.date | None:
        """`since` as a day; None is what each ticker lacks. Raises `UsageError`."""
        try:
            return dt.date.fromisoformat(self.since) if self.since else None
        except ValueError as error:
            raise UsageError(f"since is {self.since!r}, no date; write YYYY-MM-DD") from error

    @property
    def fallback(self) -> bool:
        """Whether `source` says so. Raises `UsageError` for any other word."""
        if self.source not in ("", FALLBACK):
            raise UsageError(f"source is {self.source!r}; write {FALLBACK!r}, or leave it empty to ask the sources in their order")
        return self.source == FALLBACK

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator["RunOptions"]:
        """Show that the run is alive while it lasts."""
        with alive(context.instance, context.run.run_id):
            yield self


def as_of(context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext, trader: Trader, options: RunOptions) -> dt.datetime:
    """Return the one instant of the run: option, partition, a sample's last session, or now.

    Raises `UsageError` when option and partition are two sessions: a forecast of one would rest on what was known at the other.
    """
    partition = context.run.tags.get("dagster/partition")
    if options.as_of and partition and options.as_of != partition:
        raise UsageError(f"as_of is {options.as_of}, the partition {partition}; leave as_of empty, or launch that partition")
    session = options.as_of or partition
    if session:
        return moment_of(session, now=started_at(context))
    return default_as_of(trader.settings, now=started_at(context))


def moment_of(session: str, *, now: dt.datetime) -> dt.datetime:
    """Return close + 30 min of a session written YYYY-MM-DD; raise `UsageError` for any other day and for one that is not over at `now`."""
    try:
        day = dt.date.fromisoformat(session)
    except ValueError as error:
        raise UsageError(f"{session!r} is no date; write YYYY-MM-DD") from error
    if day <= now.date() and not calendar.is_session(EXCHANGE, day):
        raise UsageError(f"{session} is no {EXCHANGE} session; the one before it is {calendar.offset(EXCHANGE, day, 0)}")
    if day > now.date() or calendar.known_at(EXCHANGE, day) > now:
        raise UsageError(f"{session} is not over yet; the last closed session is {calendar.last_closed_session(EXCHANGE, now)}")
    return calendar.known_at(EXCHANGE, day)


def started_at(context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext) -> dt.datetime:
    """Return when the run was created, the same for all of its steps."""
    record = context.instance.get_run_record_by_id(context.run.run_id)
    return record.create_timestamp if record else dt.datetime.now(dt.UTC)
