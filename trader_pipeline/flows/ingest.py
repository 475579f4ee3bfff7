"""Ask a source for what is missing and append what came to its raw tables, with the outcome of every ticker."""

import datetime as dt
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from trader_pipeline import calendar
from trader_pipeline.errors import SourceUnavailableError, UsageError
from trader_pipeline.flows.accept import outage_hold
from trader_pipeline.lake import Change, Lake, Snapshot
from trader_pipeline.schema import Table, raw
from trader_pipeline.settings import Settings, load_universe
from trader_pipeline.sources.listings import listing_of
from trader_pipeline.sources.source import Attempt, Feed, FetchRequest, FetchResult

OVERLAP_SESSIONS = 15
"""An incremental fetch asks this far back before the last stored session, so that late corrections are seen."""

FAILED = frozenset({"throttled", "transient_exhausted", "unknown_symbol"})
FAILED_TICKERS = 2
FAILED_RATIO = 0.02
"""More failed tickers than both of these, of all that the run wants, fail the fetch, after what came was published."""

FINAL_AFTER_DAYS = 3
"""A row fetched this many days after its date was final, so one that says the same again is no news."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestOutcome:
    """What a fetch brought: attempts by ticker, HTTP requests sent, raw rows added, and whether the lake changed."""

    attempts: tuple[Attempt, ...]
    requests: int
    new_rows: int
    changed: bool


def ingest(
    lake: Lake,
    source: Feed,
    settings: Settings,
    *,
    as_of: dt.datetime,
    fetched_at: dt.datetime,
    run_id: str,
    tickers: tuple[str, ...] | None = None,
) -> IngestOutcome:
    """Fetch what is due and publish it. A vendor is not asked at all when every ticker is complete.

    Raises `SourceUnavailableError` after publishing when too many tickers failed, `UsageError` when the source knows none of the
    tickers that the run names.
    """
    snapshot = lake.snapshot()
    wanted = None if source.local else _wanted(settings, tickers)
    due = None if wanted is None else _due(snapshot, source, wanted, as_of)
    unknown = _unknown(snapshot, source)
    if due is not None and not due:
        _refuse_unknown(unknown, source, tickers)
        return IngestOutcome(attempts=(), requests=0, new_rows=0, changed=False)
    request = FetchRequest(
        as_of=as_of,
        fetched_at=fetched_at,
        tickers=tickers if due is None else tuple(due),
        first_session=_first_session(settings),
        since=_since(_watermarks(snapshot, source)),
        seen=_seen(snapshot, source),
    )
    results = list(source.fetch(request, settings))
    result = _together(results)
    news = {table: _news(snapshot, table, rows) for table, rows in result.tables.items()}
    changes = [Change.append(table, rows) for table, rows in news.items() if rows.num_rows]
    if result.attempts:
        changes.append(Change.append(raw.FETCH_ATTEMPTS, _attempt_rows(source, result.attempts, run_id)))
    if changes:
        lake.publish(*changes)
    _refuse_unknown(_unknown(lake.snapshot(), source), source, tickers)
    complete = set(wanted or ()) - set(due or ()) - {settings.benchmark}
    _raise_if_unavailable(source, [a for a in result.attempts if a.outcome != "unknown_symbol" or a.ticker not in unknown], len(complete))
    return IngestOutcome(
        attempts=result.attempts,
        requests=sum(attempt.requests for attempt in result.attempts),
        new_rows=sum(rows.num_rows for rows in news.values()),
        changed=bool(changes),
    )


def _together(results: list[FetchResult]) -> FetchResult:
    tables = {table for result in results for table in result.tables}
    return FetchResult(
        tables={table: pa.concat_tables([r.tables[table] for r in results if table in r.tables]) for table in tables},
        attempts=tuple(attempt for result in results for attempt in result.attempts),
    )


def _since(watermarks: Mapping[str, dt.date]) -> dict[str, dt.date]:
    return {ticker: calendar.offset(listing_of(ticker).exchange, last, -OVERLAP_SESSIONS) for ticker, last in watermarks.items()}


def is_due(lake: Lake, source: Feed, settings: Settings, *, as_of: dt.datetime, tickers: tuple[str, ...] | None = None) -> bool:
    """Say whether `ingest` would ask the source for anything; sends no request."""
    snapshot = lake.snapshot()
    if source.request_hashes is not None:
        return not source.request_hashes(settings) <= _seen(snapshot, source)
    return bool(_due(snapshot, source, _wanted(settings, tickers), as_of))


def _wanted(settings: Settings, tickers: tuple[str, ...] | None) -> list[str]:
    """Return the tickers of the run or the configured universe, and the benchmark."""
    named = list(tickers) if tickers else load_universe(settings.universe_file, settings.live_universe)
    return sorted({*named, settings.benchmark})


def _due(snapshot: Snapshot, source: Feed, wanted: Iterable[str], as_of: dt.datetime) -> list[str]:
    """Return the tickers that lack the last closed session and were not answered since it became known.

    While an outage holds a session back, an answer without that session is not the last word: the ticker is asked again.
    """
    watermarks = _watermarks(snapshot, source)
    answered = _answered(snapshot, source)
    held = outage_hold(snapshot) is not None
    due = []
    for ticker in wanted:
        exchange = listing_of(ticker).exchange
        target = calendar.last_closed_session(exchange, as_of)
        complete = ticker in watermarks and watermarks[ticker] >= target
        asked = ticker in answered and answered[ticker] >= calendar.known_at(exchange, target)
        if not complete and (not asked or (held and ticker in watermarks)):
            due.append(ticker)
    return due


def _watermarks(snapshot: Snapshot, source: Feed) -> dict[str, dt.date]:
    """Return the last stored session of each ticker."""
    bars = source.raw_tables[0]
    date = str(bars.year_of)
    spans = snapshot.read(bars, ["ticker", date]).group_by("ticker").aggregate([(date, "max")])
    return dict(zip(spans["ticker"].to_pylist(), spans[f"{date}_max"].to_pylist(), strict=True))


def _answered(snapshot: Snapshot, source: Feed) -> dict[str, dt.datetime]:
    """Return when each ticker was last answered: rows, no data, or unknown."""
    rows = snapshot.sql(
        'select ticker, max("at") as "at" from raw.fetch_attempts '
        "where source = ? and outcome in ('ok', 'no_data', 'unknown_symbol') group by ticker",
        [source.source],
    )
    return {row["ticker"]: row["at"].astimezone(dt.UTC) for row in rows.to_pylist()}


def _seen(snapshot: Snapshot, source: Feed) -> frozenset[str]:
    """Return the hashes of everything that a local source has brought already."""
    if not source.local:
        return frozenset()
    return frozenset(pc.unique(snapshot.read(source.raw_tables[0], ["request_sha256"])["request_sha256"]).to_pylist())


def _attempt_rows(source: Feed, attempts: tuple[Attempt, ...], run_id: str) -> pa.Table:
    rows = [{"kind": source.kind} | {name: getattr(attempt, name) for name in Attempt.__dataclass_fields__} for attempt in attempts]
    return pa.Table.from_pylist(
        [{"source": source.source, "run_id": run_id, **row} for row in rows], schema=raw.FETCH_ATTEMPTS.arrow_schema
    )


def _news(snapshot: Snapshot, table: Table, rows: pa.Table) -> pa.Table:
    """Return the rows that say something else than the newest stored row of their key; a file that grew by a day brings that day.

    Of a request without news its first row stays: its hash says that these bytes were read.
    """
    rows, stored = table.conform(rows), snapshot.read(table)
    if not stored.num_rows or table.year_of is None:
        return rows
    provenance = {"fetched_at", "request_sha256", "file"}
    identity = ", ".join(f'"{name}"' for name in table.key if name != "fetched_at")
    said = [f'"{column.name}"' for column in table.columns if column.name not in provenance]
    with duckdb.connect(config={"threads": 2}) as con:
        con.execute("set timezone = 'UTC'")
        con.register("fresh", rows)
        con.register("stored", stored)
        query = f"""
            with newest as (
                select * from stored qualify row_number() over (partition by {identity} order by fetched_at desc) = 1
            ), final as (
                select {", ".join(said)}, true as known from newest where fetched_at >= "{table.year_of}" + to_days({FINAL_AFTER_DAYS})
            )
            select fresh.* from fresh left join final on {" and ".join(f"fresh.{name} is not distinct from final.{name}" for name in said)}
            qualify final.known is null or row_number() over (
                partition by fresh.request_sha256 order by final.known nulls first, fresh.ticker, fresh."{table.year_of}"
            ) = 1
        """  # noqa: S608 - identifiers come from the schema, the number is a constant
        return con.sql(query).to_arrow_table()


def _unknown(snapshot: Snapshot, source: Feed) -> frozenset[str]:
    """Return the tickers that were last answered with unknown_symbol."""
    rows = snapshot.sql(
        "select ticker from raw.fetch_attempts where source = ? group by ticker having arg_max(outcome, \"at\") = 'unknown_symbol'",
        [source.source],
    )
    return frozenset(rows["ticker"].to_pylist())


def _refuse_unknown(unknown: frozenset[str], source: Feed, tickers: tuple[str, ...] | None) -> None:
    """Raise `UsageError` when every ticker that the run names is unknown."""
    if tickers and unknown.issuperset(tickers):
        raise UsageError(f"{source.source} knows none of {_shown(list(tickers))}; check the spelling of the tickers")


def _first_session(settings: Settings) -> dt.date:
    try:
        return dt.date.fromisoformat(settings.live_first_session)
    except ValueError as error:
        raise UsageError(f"live_first_session is {settings.live_first_session!r}; set TRADER_LIVE_FIRST_SESSION to YYYY-MM-DD") from error


def _raise_if_unavailable(source: Feed, attempts: Collection[Attempt], complete: int) -> None:
    """Raise when the answer as a whole is not to be relied on; `complete` tickers beside the attempts needed no request.

    One unknown ticker among many is only reported; one that was unknown before is no news and not among `attempts`.
    """
    by_outcome: dict[str, list[str]] = {}
    for attempt in attempts:
        by_outcome.setdefault(attempt.outcome, []).append(attempt.ticker)
    failed = [ticker for outcome in sorted(FAILED & set(by_outcome)) for ticker in by_outcome[outcome]]
    too_many = len(failed) > FAILED_TICKERS and len(failed) > FAILED_RATIO * (len(attempts) + complete)
    nothing = bool(failed) and len(failed) == len(attempts) and not complete
    if "schema_change" in by_outcome or too_many or nothing:
        answered = next((f" ({a.ticker}: {a.detail})" for a in attempts if a.detail and a.outcome not in {"ok", "no_data"}), "")
        raise SourceUnavailableError(
            f"{source.source}: {_said({o: t for o, t in by_outcome.items() if o not in {'ok', 'no_data'}})} of {len(attempts)} tickers"
            f"{answered}; "
            "what came is stored, run again later to ask for the rest"
        )


def _said(by_outcome: Mapping[str, list[str]]) -> str:
    return "; ".join(f"{outcome}: {_shown(tickers)}" for outcome, tickers in sorted(by_outcome.items()))


def _shown(tickers: list[str], most: int = 20) -> str:
    rest = f" and {len(tickers) - most} more" if len(tickers) > most else ""
    return ", ".join(sorted(tickers)[:most]) + rest
