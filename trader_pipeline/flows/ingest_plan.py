"""Which tickers a feed is asked for, and from which day on."""

import datetime as dt
import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from trader_pipeline import calendar
from trader_pipeline.errors import UsageError
from trader_pipeline.flows.accept import outage_hold
from trader_pipeline.flows.followed import followed
from trader_pipeline.flows.ingest_stored import Stored, Subject
from trader_pipeline.flows.symbols import read_symbols
from trader_pipeline.lake import Snapshot
from trader_pipeline.schema import Table
from trader_pipeline.settings import Settings
from trader_pipeline.sources import feeds_of
from trader_pipeline.sources.listings import with_hyphen
from trader_pipeline.sources.source import Feed
from trader_pipeline.standardize.symbols import Symbols

OVERLAP_SESSIONS = 15
"""An incremental fetch asks this far back before the last stored session, so that late corrections are seen."""

EXCHANGE = "XNYS"
"""Calendar of what is no ticker: a series, a file."""

COMPANIES_ONLY = frozenset({"fundamentals", "earnings"})
"""Kinds that the benchmark, a fund, has none of."""

LATE_DAYS = {"news": 3, "macro": 3, "fundamentals": 7}
"""Kinds that grow by the day: asked from the day of the last answer on, less these days for what appears late.

The SEC lists a filing at once and its figures some time after."""


@dataclass(frozen=True)
class Plan:
    """What the lake says about the tickers that are wanted of a feed, and what follows for the fetch.

    `bars` are the sources of bars in their order: those before `feed` come first, and it is asked only for what they lack.
    """

    feed: Feed
    stored: Stored
    as_of: dt.datetime
    bars: tuple[Feed, ...] = ()
    forced: dt.date | None = None
    whole: bool = False
    """Ask for everything again, from the first stored session on."""
    again: bool = False
    """Take no answer as the last word while the last closed session is missing."""
    benchmark: frozenset[str] = frozenset()
    answers_in: Callable[[str], Table] | None = None
    """`Feed.answers_in` under the settings of the run."""

    @cached_property
    def targets(self) -> dict[str, dt.date]:
        """The last closed session by exchange."""
        exchanges = {subject.exchange for subject in self.stored.subjects} or {EXCHANGE}
        return {exchange: calendar.last_closed_session(exchange, self.as_of) for exchange in sorted(exchanges)}

    @cached_property
    def cutoffs(self) -> dict[str, dt.datetime]:
        """An answer since then is the last word, by exchange."""
        back = self.feed.every_sessions - 1
        return {exchange: calendar.known_at(exchange, calendar.offset(exchange, day, -back)) for exchange, day in self.targets.items()}

    @cached_property
    def marks(self) -> dict[str, dict[str, dt.date]]:
        """Last sessions with a close by source of bars and ticker."""
        return {feed.source: self.stored.watermarks(feed, self.targets) for feed in self.bars}

    @cached_property
    def complete(self) -> frozenset[str]:
        """The tickers whose last closed session some source of bars has brought."""
        marks = [mark for found in self.marks.values() for mark in found.items()]
        return frozenset(symbol for symbol, day in marks if day >= self.targets[self.stored.by_symbol[symbol].exchange])

    @cached_property
    def due(self) -> tuple[str, ...]:
        """The tickers to ask for: not complete, and not answered since their last session became known.

        While an outage holds a session back, an answer without that session is not the last word: the ticker is asked again.
        """
        wanted = tuple(subject.asked for subject in self.stored.subjects)
        if self.forced or self.whole:
            return wanted
        if self.bars:
            brought = self._brought()
            wanted = tuple(symbol for symbol in wanted if symbol not in brought)
        answered = self.stored.answered(self.feed, min(self.cutoffs.values()))
        mine = self.marks.get(self.feed.source, {})
        if self.again:
            return wanted
        held = bool(self.bars) and outage_hold(self.stored.snapshot) is not None
        return tuple(s for s in wanted if not self._answered(s, answered) or (held and s in mine))

    def _brought(self) -> set[str]:
        """Return the tickers that this source or one before it made complete."""
        sources = [feed.source for feed in self.bars]
        near = sources[: sources.index(self.feed.source) + 1]
        target = {subject.asked: self.targets[subject.exchange] for subject in self.stored.subjects}
        return {symbol for source in near for symbol, day in self.marks[source].items() if day >= target[symbol]}

    def _answered(self, symbol: str, answered: Mapping[str, dt.datetime]) -> bool:
        return symbol in answered and answered[symbol] >= self.cutoffs[self.stored.by_symbol[symbol].exchange]

    def since(self) -> dict[str, dt.date]:
        """Return the first day to ask for, of every ticker that is due and not asked for all there is."""
        found = self._since_bars() if self.bars else self._since_answers()
        forced = self.forced
        if forced is not None:
            found = {symbol: min(forced, day) for symbol, day in found.items()} | ({} if self.bars else dict.fromkeys(self._begun, forced))
        return found

    def _since_answers(self) -> dict[str, dt.date]:
        late = LATE_DAYS.get(self.feed.kind)
        if late is None or self.whole:
            return {}
        return {symbol: day - dt.timedelta(days=late) for symbol, day in self.stored.last_ok(self.feed).items() if symbol in self._begun}

    @cached_property
    def _begun(self) -> frozenset[str]:
        """The tickers that are due, less those whose answers so far were not what the feed would answer now."""
        if self.answers_in is None:
            return frozenset(self.due)
        return frozenset(self.due) - self.stored.without_rows({symbol: self.answers_in(symbol) for symbol in self.due})

    def _since_bars(self) -> dict[str, dt.date]:
        due = replace(self.stored, subjects=tuple(self.stored.by_symbol[symbol] for symbol in self.due))
        mine = {symbol: day for symbol, day in self.marks[self.feed.source].items() if symbol in due.by_symbol}
        if self.whole:
            return due.first_sessions(self.feed, mine)
        start = dict(mine)
        if self.bars[0] is not self.feed:  # a stand-in overlaps what it stands in for, so that the two can be compared
            for found in self.marks.values():
                start |= {s: min(day, start.get(s, day)) for s, day in found.items() if s in due.by_symbol}
        since = {s: calendar.offset(due.by_symbol[s].exchange, day, -OVERLAP_SESSIONS) for s, day in start.items()}
        gaps = due.gaps(self.feed, mine, self.targets)
        return since | {symbol: min(day, since[symbol]) for symbol, day in gaps.items()}


def bars_in_order(feed: Feed, settings: Settings) -> tuple[Feed, ...]:
    """Return the sources of bars that can be asked, first choice first; at most `feed` when it is none of the dataset's."""
    found = tuple(feed if other.name == feed.name else other for other in feeds_of(settings) if other.kind == "bars" and not other.local)
    return tuple(other for other in (found if feed in found else (feed,)) if other.unready(settings) is None)


def subjects_of(
    snapshot: Snapshot,
    feed: Feed,
    settings: Settings,
    *,
    as_of: dt.datetime,
    tickers: tuple[str, ...] | None,
    shard: tuple[int, int] | None = None,
) -> tuple[Subject, ...]:
    """Return what is wanted of a vendor's feed: its own subjects, or the run's tickers or universe with the benchmark."""
    if feed.subjects is not None:
        return _of_shard([Subject.plain(name) for name in feed.subjects(settings)], shard)
    symbols = read_symbols(snapshot, settings)
    today = as_of.date()
    benchmark = {symbols.security(settings.benchmark, today)}
    named = (
        {symbols.security(with_hyphen(ticker), today) for ticker in tickers} if tickers else followed(snapshot, settings, symbols, today)
    )
    wanted = named - benchmark if feed.kind in COMPANIES_ONLY else named | benchmark
    return _of_shard(_asked(symbols, wanted, today), shard)


def _asked(symbols: Symbols, securities: Iterable[str], today: dt.date) -> list[Subject]:
    """Return the securities that still trade, by today's symbol, with the symbols that they were asked by."""
    found = []
    for security in sorted(securities):
        asked = symbols.asked_as(security, today)
        if asked is not None:
            periods = tuple((i.symbol, _midnight(i.first), _midnight(i.last, days=1)) for i in symbols.intervals(security))
            found.append(Subject(asked, periods))
    return sorted(found, key=lambda subject: subject.asked)


def _midnight(day: dt.date | None, days: int = 0) -> dt.datetime | None:
    return None if day is None else dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC) + dt.timedelta(days=days)


def _of_shard(subjects: Iterable[Subject], shard: tuple[int, int] | None) -> tuple[Subject, ...]:
    """Return the k-th of n parts; a ticker's part never depends on the others."""
    if shard is None:
        return tuple(subjects)
    part, parts = shard
    if not 0 <= part < parts:
        raise UsageError(f"there is no shard {part} of {parts}; count from 0 to {parts - 1}")
    return tuple(s for s in subjects if int(hashlib.sha256(s.asked.encode()).hexdigest(), 16) % parts == part)
