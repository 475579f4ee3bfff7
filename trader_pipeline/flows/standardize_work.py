"""Which raw rows are to be standardized: those that came since the last time, or all of them in pieces that fit in memory."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from trader_pipeline.lake import Change, Snapshot
from trader_pipeline.schema import Table
from trader_pipeline.schema.core import DAILY_BARS
from trader_pipeline.sources.source import Feed
from trader_pipeline.standardize.symbols import Symbols

PIECE_ROWS = 1_000_000
"""Raw rows in memory at once: some 300 MB. More news than twice this is a reason to make everything anew, piece by piece."""

RawRows = dict[str, pa.Table]


@dataclass(frozen=True, slots=True)
class Done:
    """What of one feed's raw tables was standardized: rows fetched until `until_us` (microseconds, UTC), by table.

    Raw rows never change. So the rows since are new, as long as those until then are as many as they were; a merge of parts
    is no news.
    """

    until_us: int
    rows: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run came, and what must not have changed when the next goes on from there: code and schemas, renames."""

    code: str
    symbols: str
    raw: str
    done: Mapping[str, Done]

    @classmethod
    def of(cls, text: str | None) -> "Progress | None":
        """Read what `stamp` wrote; None where another release wrote something else."""
        try:
            facts: dict[str, Any] = json.loads(text or "")
            return cls(**facts | {"done": {name: Done(*done) for name, done in facts["done"].items()}})
        except (ValueError, KeyError, TypeError):
            return None

    @property
    def text(self) -> str:
        """Everything, for core.daily_bars."""
        facts = {"code": self.code, "symbols": self.symbols, "raw": self.raw}
        done = {name: [work.until_us, dict(work.rows)] for name, work in self.done.items()}
        return json.dumps(facts | {"done": done}, sort_keys=True, separators=(",", ":"))

    @property
    def short(self) -> str:
        """Its hash, for the tables that go with it."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:16]

    def stamp(self, change: Change) -> Change:
        """Return the change with what its table was derived from."""
        return replace(change, inputs=self.text if change.table is DAILY_BARS else self.short)

    def comparable(self, now: "Progress") -> bool:
        """Say whether what was derived then is what would be derived of the same rows now."""
        return (self.code, self.symbols) == (now.code, now.symbols)


def done(snapshot: Snapshot, feed: Feed) -> Done:
    """Return what the feed's raw tables hold now."""
    rows, until = {}, 0
    for table in feed.raw_tables:
        query = f"select count(*) as n, epoch_us(max(fetched_at)) as last from {table.full_name}"  # noqa: S608 - identifiers come from the schema
        facts = snapshot.sql(query).to_pylist()[0]
        rows[table.full_name] = facts["n"]
        until = max(until, facts["last"] or 0)
    return Done(until_us=until, rows=rows)


def asked(snapshot: Snapshot, feeds: Sequence[Feed]) -> set[str]:
    """Return the symbols that raw rows go by."""
    tables = [table.full_name for feed in feeds if _has_tickers(feed) for table in feed.raw_tables]
    return {
        symbol
        for table in tables
        for symbol in snapshot.sql(f"select distinct ticker from {table}")["ticker"].to_pylist()  # noqa: S608 - identifiers come from the schema
    }


def rows_since(snapshot: Snapshot, feed: Feed, before: Done) -> RawRows | None:
    """Return the rows fetched after `before`; None when rows of that time are gone or came later, or there are too many."""
    rows: RawRows = {}
    for table in feed.raw_tables:
        name, until = table.full_name, [before.until_us]
        counted = f"select count(*) as n from {name} where fetched_at <= make_timestamptz(?::bigint)"  # noqa: S608 - identifiers come from the schema
        standardized = snapshot.sql(counted, until)["n"][0].as_py()
        if standardized != before.rows.get(name, 0) or snapshot.rows(name) - standardized > 2 * PIECE_ROWS:
            return None
        rows[name] = table.conform(snapshot.sql(f"select * from {name} where fetched_at > make_timestamptz(?::bigint)", until))  # noqa: S608 - identifiers come from the schema
    return rows


def fetched_before(rows: RawRows, until_us: int) -> bool:
    """Say whether any of the rows was fetched before that moment."""
    return any(bool(pc.any(pc.less(table["fetched_at"].cast(pa.int64()), until_us)).as_py()) for table in rows.values())


def pieces(snapshot: Snapshot, feeds: Sequence[Feed], symbols: Symbols) -> Iterator[dict[Feed, RawRows]]:
    """Yield all raw rows: tickers together with those that renames connect them with, feeds without tickers last."""
    by_ticker = [feed for feed in feeds if _has_tickers(feed)]
    for tickers in _groups(_counts(snapshot, by_ticker), symbols.families()):
        yield {feed: {t.full_name: _of(snapshot, t, tickers) for t in feed.raw_tables} for feed in by_ticker}
    yield {feed: {t.full_name: snapshot.read(t) for t in feed.raw_tables} for feed in feeds if feed not in by_ticker}


def _has_tickers(feed: Feed) -> bool:
    return feed.subjects is None and all("ticker" in [column.name for column in table.columns] for table in feed.raw_tables)


def _counts(snapshot: Snapshot, feeds: Sequence[Feed]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for table in {table for feed in feeds for table in feed.raw_tables}:
        for row in snapshot.sql(f"select ticker, count(*) as n from {table.full_name} group by ticker").to_pylist():  # noqa: S608 - identifiers come from the schema
            counts[row["ticker"]] = counts.get(row["ticker"], 0) + row["n"]
    return counts


def _groups(counts: Mapping[str, int], families: Mapping[str, str]) -> Iterator[list[str]]:
    group: list[str] = []
    rows = 0
    ordered = sorted(counts, key=lambda ticker: (families.get(ticker, ticker), ticker))
    for place, ticker in enumerate(ordered):
        group.append(ticker)
        rows += counts[ticker]
        following = ordered[place + 1] if place + 1 < len(ordered) else None
        together = following is not None and families.get(following, following) == families.get(ticker, ticker)
        if rows >= PIECE_ROWS and not together:
            yield group
            group, rows = [], 0
    if group:
        yield group


def _of(snapshot: Snapshot, table: Table, tickers: list[str]) -> pa.Table:
    query = f"select * from {table.full_name} where ticker in (select unnest(?::varchar[]))"  # noqa: S608 - identifiers come from the schema
    return table.conform(snapshot.sql(query, [tickers]))
