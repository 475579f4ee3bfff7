"""What the lake holds of the tickers that a fetch is about. Every query names its tickers and days: raw tables grow to millions of rows.

Raw rows belong to a security by the symbol that was asked for and the day on which it was asked, so that the rows of a company
that had the symbol before are not taken for its own.
"""

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa

from trader_pipeline import calendar
from trader_pipeline.errors import SchemaError
from trader_pipeline.lake import Snapshot
from trader_pipeline.schema import Table
from trader_pipeline.sources.listings import listing_of
from trader_pipeline.sources.source import Feed

RECENT_SESSIONS = 60
"""Holes as old as this are asked for again; most last sessions lie inside, so the whole table need not be read for them."""

_CLOSES = ("close", "Close", "adjClose")
"""How vendors call the close, adjusted or not: a row without it says nothing of its session."""

_ANSWERED = ("ok", "no_data", "unknown_symbol")

_MINE = """
with mine as (
    select unnest($asked::varchar[]) as asked, unnest($symbol::varchar[]) as symbol,
           unnest($low::timestamptz[]) as low, unnest($high::timestamptz[]) as high, unnest($first::date[]) as first
)"""
_JOIN = """
join mine on r.ticker = mine.symbol
    and (mine.low is null or r.fetched_at >= mine.low) and (mine.high is null or r.fetched_at < mine.high)"""


@dataclass(frozen=True, slots=True)
class Subject:
    """One ticker of a fetch: the symbol by which vendors know it today, and the symbols it had, each with the time when that was so."""

    asked: str
    symbols: tuple[tuple[str, dt.datetime | None, dt.datetime | None], ...]

    @classmethod
    def plain(cls, symbol: str) -> "Subject":
        """Return a ticker that never changed its symbol."""
        return cls(symbol, ((symbol, None, None),))

    @property
    def exchange(self) -> str:
        """MIC of the calendar."""
        return listing_of(self.asked).exchange


@dataclass(frozen=True)
class Stored:
    """One snapshot of the lake, asked about `subjects`."""

    snapshot: Snapshot
    subjects: tuple[Subject, ...]

    @cached_property
    def by_symbol(self) -> Mapping[str, Subject]:
        """The subjects by the symbol that is asked for."""
        return {subject.asked: subject for subject in self.subjects}

    def watermarks(self, feed: Feed, targets: Mapping[str, dt.date]) -> dict[str, dt.date]:
        """Return the last session with a close of each ticker that has any. `targets` are the last closed sessions by exchange."""
        table = feed.raw_tables[0]
        if not (self.snapshot.rows(table) and self.subjects):
            return {}
        recent = min(calendar.offset(exchange, day, -RECENT_SESSIONS) for exchange, day in targets.items())
        found = self._spans(feed, self.subjects, 'max("{date}")', since=recent)
        rest = [subject for subject in self.subjects if subject.asked not in found]
        return found | (self._spans(feed, rest, 'max("{date}")') if rest else {})

    def first_sessions(self, feed: Feed, symbols: Collection[str]) -> dict[str, dt.date]:
        """Return the first stored session of the symbols that have any."""
        return self._spans(feed, [self.by_symbol[symbol] for symbol in symbols], 'min("{date}")')

    def _spans(self, feed: Feed, subjects: Iterable[Subject], what: str, since: dt.date | None = None) -> dict[str, dt.date]:
        table, date, close = feed.raw_tables[0], feed.raw_tables[0].year_of, close_of(feed)
        rows = self.snapshot.sql(
            f"""{_MINE} select asked, {what.format(date=date)} as day from {table.full_name} r {_JOIN}
                where "{close}" is not null and ($since::date is null or "{date}" >= $since::date) group by asked""",  # noqa: S608 - identifiers of the schema
            _parameters(subjects) | {"since": since},
        )
        return dict(zip(rows["asked"].to_pylist(), rows["day"].to_pylist(), strict=True))

    def gaps(self, feed: Feed, watermarks: Mapping[str, dt.date], targets: Mapping[str, dt.date]) -> dict[str, dt.date]:
        """Return the first session without a close inside the last 60, after the ticker's first stored one and before its last."""
        subjects = [s for s in self.subjects if s.asked in watermarks]
        windows = {e: calendar.sessions(e, calendar.offset(e, day, -RECENT_SESSIONS), day).tolist() for e, day in targets.items()}
        subjects = [s for s in subjects if watermarks[s.asked] > windows[s.exchange][0]]
        if not subjects:
            return {}
        table, date, close = feed.raw_tables[0], feed.raw_tables[0].year_of, close_of(feed)
        start = min(days[0] for days in windows.values())
        rows = self.snapshot.sql(
            f"""{_MINE},
            day as (select unnest($exchange::varchar[]) as exchange, unnest($session::date[]) as session),
            place as (select unnest($name::varchar[]) as asked, unnest($place::varchar[]) as exchange),
            have as (
                select distinct asked, "{date}" as session from {table.full_name} r {_JOIN}
                where "{close}" is not null and "{date}" >= $start::date
            ),
            span as (select asked, min(session) as first, max(session) as last from have group by asked),
            hole as (
                select asked, d.session from span join place using (asked) join day d using (exchange)
                anti join have on have.asked = span.asked and have.session = d.session
                where d.session between span.first and span.last
            )
            select asked, first, (select min(session) from hole where hole.asked = span.asked) as hole from span""",  # noqa: S608 - as above
            _parameters(subjects)
            | {"start": start, "name": [s.asked for s in subjects], "place": [s.exchange for s in subjects]}
            | {"exchange": [e for e, days in windows.items() for _ in days], "session": [day for days in windows.values() for day in days]},
        ).to_pylist()
        found = {row["asked"]: row["hole"] for row in rows if row["hole"] is not None}
        late = {row["asked"] for row in rows if row["first"] > windows[self.by_symbol[row["asked"]].exchange][0]}
        older = self._older(feed, [s for s in subjects if s.asked in late], start)
        return found | {symbol: windows[self.by_symbol[symbol].exchange][0] for symbol in older}

    def _older(self, feed: Feed, subjects: Sequence[Subject], before: dt.date) -> list[str]:
        """Return the symbols that have a close before `before`."""
        if not subjects:
            return []
        table, date, close = feed.raw_tables[0], feed.raw_tables[0].year_of, close_of(feed)
        rows = self.snapshot.sql(
            f'{_MINE} select distinct asked from {table.full_name} r {_JOIN} where "{close}" is not null and "{date}" < $before::date',  # noqa: S608 - as above
            _parameters(subjects) | {"before": before},
        )
        found: list[str] = rows["asked"].to_pylist()
        return found

    def newest(self, table: Table, first: Mapping[str, dt.date | None]) -> pa.Table:
        """Return the newest stored version of every fact of the symbols from their `first` day on (None: all), under today's symbol."""
        identity = ", ".join(f'"{name}"' for name in table.key if name not in {"fetched_at", "ticker"})
        year_of = f'"{table.year_of}"'
        dated = f"where (mine.first is null or {year_of} >= mine.first) and ($since::date is null or {year_of} >= $since::date)"
        days = list(first.values())
        since = None if None in days else min((day for day in days if day is not None), default=None)
        subjects = [self.by_symbol.get(symbol) or Subject.plain(symbol) for symbol in first]
        return self.snapshot.sql(
            f"""{_MINE} select r.* replace (mine.asked as ticker) from {table.full_name} r {_JOIN} {dated if table.year_of else ""}
                qualify row_number() over (partition by mine.asked{", " if identity else ""}{identity} order by fetched_at desc) = 1""",  # noqa: S608 - as above
            _parameters(subjects, first) | ({"since": since} if table.year_of else {}),
        )

    def answered(self, feed: Feed, since: dt.datetime) -> dict[str, dt.datetime]:
        """Return when each symbol was last answered (rows, no data, or unknown), of answers from `since` on."""
        rows = self.snapshot.sql(
            'select ticker, max("at") as "at" from raw.fetch_attempts where source = $source and coalesce(kind, \'bars\') = $kind '
            'and "at" >= $since and list_contains($outcomes, outcome) group by ticker',
            {"source": feed.source, "kind": feed.kind, "since": since, "outcomes": list(_ANSWERED)},
        )
        return {row["ticker"]: row["at"].astimezone(dt.UTC) for row in rows.to_pylist()}

    def last_ok(self, feed: Feed) -> dict[str, dt.date]:
        """Return the day of each symbol's last answer with rows."""
        rows = self.snapshot.sql(
            'select ticker, max("at")::date as day from raw.fetch_attempts '
            "where source = $source and coalesce(kind, 'bars') = $kind and outcome = 'ok' group by ticker",
            {"source": feed.source, "kind": feed.kind},
        )
        return dict(zip(rows["ticker"].to_pylist(), rows["day"].to_pylist(), strict=True))

    def without_rows(self, tables: Mapping[str, Table]) -> set[str]:
        """Return the symbols of which their table, by symbol, has no row; a raw table's key begins with the name."""
        found: set[str] = set()
        for table in set(tables.values()):
            names, lead = [symbol for symbol, own in tables.items() if own is table], f'"{table.key[0]}"'
            rows = self.snapshot.sql(
                f"select distinct {lead} as name from {table.full_name} where {lead} in (select unnest($names::varchar[]))",  # noqa: S608 - identifiers of the schema
                {"names": names},
            )
            found |= set(names) - set(rows["name"].to_pylist())
        return found

    def last_outcomes(self, feed: Feed, symbols: Collection[str], since: dt.datetime | None = None) -> dict[str, tuple[str, str | None]]:
        """Return (outcome, detail) of the last attempt of each symbol."""
        rows = self.snapshot.sql(
            'select ticker, arg_max(outcome, "at") as outcome, arg_max(coalesce(detail, \'\'), "at") as detail from raw.fetch_attempts '
            "where source = $source and coalesce(kind, 'bars') = $kind and ticker in (select unnest($symbols::varchar[])) "
            'and ($since::timestamptz is null or "at" >= $since::timestamptz) group by ticker',
            {"source": feed.source, "kind": feed.kind, "symbols": list(symbols), "since": since},
        )
        return {row["ticker"]: (row["outcome"], row["detail"] or None) for row in rows.to_pylist()}


def close_of(feed: Feed) -> str:
    """Return the column of the feed's bars without which a session has no bar."""
    names = {column.name for column in feed.raw_tables[0].columns}
    found = next((name for name in _CLOSES if name in names), None)
    if found is None:
        raise SchemaError(f"{feed.raw_tables[0].full_name} has no column of {', '.join(_CLOSES)}; name it in flows/ingest_stored.py")
    return found


def _parameters(subjects: Iterable[Subject], first: Mapping[str, dt.date | None] | None = None) -> dict[str, Any]:
    rows = [(s.asked, symbol, low, high, (first or {}).get(s.asked)) for s in subjects for symbol, low, high in s.symbols]
    return {name: [row[k] for row in rows] for k, name in enumerate(("asked", "symbol", "low", "high", "first"))}
