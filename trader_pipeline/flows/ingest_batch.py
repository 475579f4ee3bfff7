"""What came of some tickers, judged against what is stored and published with its attempts in one commit."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import pyarrow as pa
import pyarrow.compute as pc

from trader_pipeline.flows import ingest_news
from trader_pipeline.flows.ingest_stored import Stored
from trader_pipeline.lake import Change, Lake
from trader_pipeline.schema import Table, raw
from trader_pipeline.schema.core import CORPORATE_ACTIONS, DAILY_BARS
from trader_pipeline.sources.source import Attempt, Feed, FetchRequest, FetchResult
from trader_pipeline.standardize import overlap

BATCH_TICKERS = 250
"""A commit costs some 0.1 CPU-seconds whatever is in it: 20 of them for 5,000 tickers."""

BATCH_ROWS = 500_000
"""Some 150 MB of raw rows: bounds the memory of a first load."""

BATCH_SECONDS = 60.0
"""What a slow pace may lose when the machine dies."""


@dataclass(slots=True)
class Batch:
    """Answers that are not stored yet."""

    results: list[FetchResult] = field(default_factory=list)
    tickers: int = 0
    rows: int = 0
    since: float = field(default_factory=time.monotonic)

    def add(self, result: FetchResult) -> None:
        """Keep an answer."""
        self.results.append(result)
        self.tickers += len(result.attempts)
        self.rows += sum(rows.num_rows for rows in result.tables.values())

    @property
    def full(self) -> bool:
        """Say whether it is time to store."""
        return self.tickers >= BATCH_TICKERS or self.rows >= BATCH_ROWS or time.monotonic() - self.since >= BATCH_SECONDS

    def take(self, source: str) -> tuple[dict[Table, pa.Table], list[Attempt]]:
        """Return what is there of `source`, tables joined, and start anew."""
        results, self.results, self.tickers, self.rows, self.since = self.results, [], 0, 0, time.monotonic()
        tables = {table for result in results for table in result.tables}
        joined = {table: _conformed(table, [r.tables[table] for r in results if table in r.tables], source) for table in tables}
        return joined, [attempt for result in results for attempt in result.attempts]


@dataclass(slots=True)
class Sink:
    """Stores the batches of one fetch. It compares with `stored`, the lake before the fetch: no ticker comes twice.

    While `guard` is set, a ticker whose history must be asked for again is kept back in `again`, with the reason.
    """

    lake: Lake
    feed: Feed
    stored: Stored
    request: FetchRequest
    run_id: str
    known: frozenset[str] = frozenset()
    """Tickers with stored bars."""
    guard: bool = True
    first_answers: Mapping[str, tuple[str, Attempt]] = field(default_factory=dict)
    """Why these tickers are asked a second time, and what the first time cost."""
    again: dict[str, tuple[str, Attempt]] = field(default_factory=dict)
    attempts: list[Attempt] = field(default_factory=list)
    new_rows: int = 0
    changed: bool = False

    def store(self, batch: Batch) -> None:
        """Publish what a batch brings, rows and attempts at once."""
        tables, attempts = batch.take(self.feed.source)
        attempts = [
            _merged(attempt, *self.first_answers[attempt.ticker]) if attempt.ticker in self.first_answers else attempt
            for attempt in attempts
        ]
        if self.feed.kind == "bars" and not self.feed.local:
            tables, attempts = self._judged(tables, attempts)
        news = {table: self._news(table, rows) for table, rows in tables.items() if rows.num_rows}
        changes = [Change.append(table, rows) for table, rows in news.items() if rows.num_rows]
        if attempts:
            changes.append(Change.append(raw.FETCH_ATTEMPTS, _attempt_rows(self.feed, attempts, self.run_id)))
        if changes:
            self.lake.publish(*changes)
            self.changed = True
        self.attempts += attempts
        self.new_rows += sum(rows.num_rows for rows in news.values())

    def _judged(self, tables: dict[Table, pa.Table], attempts: list[Attempt]) -> tuple[dict[Table, pa.Table], list[Attempt]]:
        """Return what is to be stored: bars that are final and say something new, of tickers that are what they were."""
        bars = self.feed.raw_tables[0]
        if bars in tables:
            tables = tables | {bars: ingest_news.final(tables[bars], bars, self.request)}
        found = self._compared(tables)
        if found is None:
            return tables, attempts
        attempts, away = self._guarded(attempts, found.verdicts) if self.guard else (attempts, set())
        kept = {table: _without(rows, away) for table, rows in tables.items()}
        if bars in kept and (self.guard or self.first_answers):  # a person who restates gets the answer as one, adjusted closes and all
            kept[bars] = self._said_anew(kept[bars], found.news)
        return kept, attempts

    def _guarded(self, attempts: Sequence[Attempt], verdicts: Mapping[str, overlap.Judged]) -> tuple[list[Attempt], set[str]]:
        """Return the attempts to store, and the tickers whose rows are not: restated ones are asked again, replaced ones refused.

        What was restated for the same reason the last time, a split that the vendor took out of a list, is not asked again.
        """
        told = self.stored.last_outcomes(self.feed, [t for t, judged in verdicts.items() if judged.verdict == "restated"])
        kept, away = [], set()
        for attempt in attempts:
            judged = verdicts.get(attempt.ticker, overlap.Judged(verdict="same"))
            reason = f"restated: {judged.detail}"
            if judged.verdict == "replaced":
                away.add(attempt.ticker)
                kept.append(replace(attempt, outcome="no_data", rows=0, detail=_replaced(self.feed, attempt.ticker, judged.detail)))
            elif judged.verdict == "restated" and not _done(reason, told.get(attempt.ticker)):
                away.add(attempt.ticker)
                self.again[attempt.ticker] = (reason, attempt)
            else:
                kept.append(replace(attempt, detail=_joined(reason, attempt.detail)) if judged.verdict == "restated" else attempt)
        return kept, away

    def _compared(self, tables: Mapping[Table, pa.Table]) -> overlap.Overlap | None:
        """Compare the tickers that have stored bars; None when there are none."""
        bars = self.feed.raw_tables[0]
        names = pc.unique(tables[bars]["ticker"]).to_pylist() if bars in tables else []
        first = {name: self.request.since.get(name) for name in names if name in self.known}
        if not first:
            return None
        fresh = {table: _only(tables[table], set(first)) if table in tables else table.empty() for table in self.feed.raw_tables}
        stored = {table: self.stored.newest(table, first) for table in self.feed.raw_tables}
        return overlap.compare(self._core(fresh), self._core(stored))

    def _core(self, rows: Mapping[Table, pa.Table]) -> dict[Table, pa.Table]:
        found = self.feed.to_core({table.full_name: table.conform(part, source=self.feed.source) for table, part in rows.items()})
        return {table: found.get(table, table.empty()) for table in (DAILY_BARS, CORPORATE_ACTIONS)}

    def _said_anew(self, rows: pa.Table, news: pa.Table) -> pa.Table:
        """Return the bars of new tickers, and those of known ones whose session is among the news."""
        date = str(self.feed.raw_tables[0].year_of)
        known = pc.is_in(rows["ticker"], value_set=pa.array(sorted(self.known), pa.string()))
        listed = rows.filter(known).join(news, keys=["ticker", date], right_keys=["ticker", "session"], join_type="left semi")
        return pa.concat_tables([rows.filter(pc.invert(known)), listed.select(rows.column_names).cast(rows.schema)])

    def _news(self, table: Table, rows: pa.Table) -> pa.Table:
        """Return the rows that say something else than the newest stored one of their key.

        A snapshot of options is always new; a list of members is a whole: all of it is stored unless its bytes are the newest stored.
        """
        if self.feed.kind == "members":
            return rows.slice(0, 0) if rows["request_sha256"][0].as_py() == self._newest_request(table) else rows
        judged = table is self.feed.raw_tables[0] and self.feed.kind == "bars" and not self.feed.local
        if judged or self.feed.kind == "options" or not self.stored.snapshot.rows(table):
            return rows
        settle_days = ingest_news.FINAL_AFTER_DAYS if self.feed.local else None
        return ingest_news.unsaid(table, rows, ingest_news.stored_like(self.stored.snapshot, table, rows), settle_days=settle_days)

    def _newest_request(self, table: Table) -> str | None:
        query = f"select arg_max(request_sha256, fetched_at) as newest from {table.full_name}"  # noqa: S608 - identifiers come from the schema
        found: str | None = self.stored.snapshot.sql(query)["newest"][0].as_py()
        return found


def _conformed(table: Table, pieces: Sequence[pa.Table], source: str) -> pa.Table:
    """Return the rows of all answers. Answers of one shape are conformed together: one by one that costs 1 ms each."""
    if all(piece.schema.equals(pieces[0].schema) for piece in pieces):
        return table.conform(pa.concat_tables(pieces), source=source)
    return pa.concat_tables([table.conform(piece, source=source) for piece in pieces])


def _done(reason: str, last: tuple[str, str | None] | None) -> bool:
    """Say whether the ticker's last attempt asked for everything again, for that reason, and got it."""
    return last is not None and last[0] == "ok" and reason in (last[1] or "")


def _merged(second: Attempt, reason: str, first: Attempt) -> Attempt:
    """Return one attempt of a ticker that was asked twice in a run."""
    costs = {name: getattr(first, name) + getattr(second, name) for name in ("requests", "retries", "throttled")}
    return replace(second, **costs, detail=_joined(reason, second.detail))


def _joined(reason: str, detail: str | None) -> str:
    return f"{reason}; {detail}" if detail else reason


def _replaced(feed: Feed, ticker: str, detail: str | None) -> str:
    return (
        f"{detail}: {ticker} may mean another company now, nothing is stored; declare it in symbols.toml, or take it as it is with "
        f"`trader fetch --source {feed.source} --tickers {ticker} --restate`"
    )


def _only(rows: pa.Table, tickers: set[str]) -> pa.Table:
    return rows.filter(pc.is_in(rows["ticker"], value_set=pa.array(sorted(tickers), pa.string())))


def _without(rows: pa.Table, tickers: set[str]) -> pa.Table:
    return rows.filter(pc.invert(pc.is_in(rows["ticker"], value_set=pa.array(sorted(tickers), pa.string())))) if tickers else rows


def _attempt_rows(feed: Feed, attempts: Sequence[Attempt], run_id: str) -> pa.Table:
    rows = [{name: getattr(attempt, name) for name in Attempt.__dataclass_fields__} for attempt in attempts]
    stamp = {"source": feed.source, "kind": feed.kind, "run_id": run_id}
    return pa.Table.from_pylist([stamp | row for row in rows], schema=raw.FETCH_ATTEMPTS.arrow_schema)
