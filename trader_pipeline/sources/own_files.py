"""A user's own folder of CSV or Parquet files: one long file with a ticker column, or one file a ticker.

Usual column spellings are mapped, adjusted closes are ignored. What cannot be read stops with an `InputError` that names
file, fact and mend; what can be read but is odd (a cell that is no number, weekly bars) is told in the attempt's detail.
"""

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trader_pipeline import durable
from trader_pipeline.errors import InputError
from trader_pipeline.schema import Table, core, raw
from trader_pipeline.settings import Settings
from trader_pipeline.sources.listings import listings_of_files
from trader_pipeline.sources.own_rows import NO_CALENDAR_RULES, OwnFile, files_in, rows_of, same_schema, slow_spacing
from trader_pipeline.sources.source import Attempt, Feed, FetchRequest, FetchResult, RawTables

_VALUES = ("open", "high", "low", "close", "volume", "dividend", "split_ratio")


def read_folder(path: Path, as_of: dt.datetime) -> tuple[pa.Table, tuple[Attempt, ...]]:
    """Return the rows of all files (raw.own_bars, duplicates kept) and an attempt a ticker whose detail tells what is odd.

    `path` may also be one file. Raises `InputError` for a missing, empty or malformed file, a missing column, two
    schemas, or a date after `as_of`.
    """
    files = [OwnFile.read(file) for file in files_in(path)]
    same_schema(files)
    pieces: list[pa.Table] = []
    told: dict[str, list[str]] = {}
    for file in files:
        rows, said = rows_of(file, as_of)
        pieces.append(rows)
        for ticker in pc.unique(rows["ticker"]).to_pylist():
            told.setdefault(ticker, []).extend(said)
    rows = pa.concat_tables(pieces)
    return rows, _attempts(rows, told, as_of)


def fetch(request: FetchRequest, settings: Settings) -> Iterator[FetchResult]:
    """Yield the rows of the files that are not stored yet, and an attempt a ticker of theirs.

    Weekly and intraday bars are refused. A ticker-day that two rows disagree on is left out and told; one that they
    agree on is kept once.
    """
    path = _configured(settings)
    new = _hashes(path) - request.seen
    if not new:
        return
    rows, attempts = read_folder(path, request.fetched_at)
    _refuse_other_spacings(attempts)
    rows = rows.filter(pc.is_in(rows["request_sha256"], pa.array(sorted(new))))
    rows, told = _without_conflicts(rows)
    role = pc.if_else(pc.equal(rows["ticker"], settings.benchmark), "benchmark", "stock")
    rows = rows.set_column(rows.column_names.index("role"), "role", role)
    for ticker in pc.unique(rows.filter(pc.not_equal(rows["splits_after"], 1.0))["ticker"]).to_pylist():
        told[ticker] = _joined(told.get(ticker), "prices are adjusted for its splits: taken back to as traded") or ""
    held = {attempt.ticker for attempt in attempts}
    fresh = set(pc.unique(rows["ticker"]).to_pylist()) | set(told)
    outcomes = [replace(a, detail=_joined(a.detail, told.get(a.ticker))) for a in attempts if a.ticker in fresh]
    outcomes += [
        Attempt(ticker=ticker, outcome="unknown_symbol", at=request.fetched_at, detail=f"no file of {path} holds it")
        for ticker in sorted(set(request.tickers or ()) - held)
    ]
    yield FetchResult(tables={raw.OWN_BARS: rows}, attempts=tuple(outcomes))


def to_core(tables: RawTables) -> Mapping[Table, pa.Table]:
    """Return bars and actions as traded, and the tickers. A row that repeats a ticker-day stays repeated."""
    bars = tables[raw.OWN_BARS.full_name]
    found = listings_of_files(bars)
    listings = pa.table(
        {
            "ticker": pa.array(found, pa.string()),
            "exchange": pa.array([listing.exchange for listing in found.values()], pa.string()),
            "currency": pa.array([listing.currency for listing in found.values()], pa.string()),
            "price_unit": pa.array([listing.price_unit for listing in found.values()], pa.string()),
        }
    )
    with duckdb.connect(config={"threads": 2}) as con:
        con.execute("set timezone = 'UTC'")
        con.register("own_bars", bars)
        con.register("listings", listings)
        return {table: con.sql(query).to_arrow_table() for table, query in _QUERIES.items()}


_QUERIES: dict[Table, str] = {
    core.DAILY_BARS: """
        select ticker, date as session, 'own' as source, fetched_at, open * splits_after as open, high * splits_after as high,
               low * splits_after as low, close * splits_after as close, volume / splits_after as volume_shares,
               currency, price_unit
        from own_bars join listings using (ticker)""",
    core.CORPORATE_ACTIONS: """
        select distinct ticker, date as session, 'split' as kind, 'own' as source, split_ratio as value, fetched_at
        from own_bars where split_ratio > 0 and split_ratio <> 1
        union all
        select distinct ticker, date, 'dividend', 'own', dividend * splits_after, fetched_at from own_bars where dividend > 0""",
    core.TICKER_MAP: """
        select ticker, ticker as symbol, min(date) as valid_from, null::date as valid_to, ticker as issuer_id,
               any_value(exchange) as exchange, null::varchar as name, arg_max(role, fetched_at) as role
        from own_bars join listings using (ticker) group by ticker""",
}


def _unready(settings: Settings) -> str | None:
    return "no folder of your own files is set; pass --path DIR or set TRADER_OWN_PATH" if settings.own_path is None else None


def _configured(settings: Settings) -> Path:
    if settings.own_path is None:
        raise InputError(_unready(settings))
    return settings.own_path


def _hashes(path: Path) -> frozenset[str]:
    return frozenset(durable.sha256_file(file) for file in files_in(path))


def _request_hashes(settings: Settings) -> frozenset[str]:
    return _hashes(_configured(settings))


def _attempts(rows: pa.Table, told: Mapping[str, list[str]], at: dt.datetime) -> tuple[Attempt, ...]:
    """Return an attempt a ticker, with what its files and its dates tell."""
    ordered = rows.select(["ticker", "date"]).sort_by([("ticker", "ascending"), ("date", "ascending")])
    spans = ordered.group_by("ticker", use_threads=False).aggregate([("date", "count"), ("date", "list")])
    attempts = []
    for ticker, count, days in zip(*(spans[name].to_pylist() for name in ("ticker", "date_count", "date_list")), strict=True):
        slow = slow_spacing(np.array(days, dtype="datetime64[D]"))
        detail = _joined(f"{slow} bars: {NO_CALENDAR_RULES}" if slow else None, *told[ticker])
        attempts.append(
            Attempt(ticker=ticker, outcome="ok", at=at, detail=detail, rows=count, first_session=days[0], last_session=days[-1])
        )
    return tuple(attempts)


def _refuse_other_spacings(attempts: tuple[Attempt, ...]) -> None:
    odd = [a.ticker for a in attempts if a.detail and NO_CALENDAR_RULES in a.detail]
    if odd:
        raise InputError(
            f"{', '.join(odd[:5])}: not daily bars; a weekly or intraday bar is dated before it is known. "
            "`trader check --path` can look at them; to run on them, bring daily bars"
        )


def _without_conflicts(rows: pa.Table) -> tuple[pa.Table, dict[str, str]]:
    """Return rows with unique ticker-days, and what was left out by ticker."""
    values = ", ".join(_VALUES)
    with duckdb.connect() as con:
        con.execute("set timezone = 'UTC'")
        con.register("own_rows", rows)
        con.execute(
            f"create table judged as select *, count(distinct ({values})) over (partition by ticker, date) as versions, "  # noqa: S608 - constants
            "row_number() over (partition by ticker, date order by file) as copy from own_rows"
        )
        kept = con.sql("select * exclude (versions, copy) from judged where versions = 1 and copy = 1 order by ticker, date")
        unique = raw.OWN_BARS.conform(kept.to_arrow_table())
        conflicts = con.sql(
            "select ticker, count(distinct date) as days, min(date) as first, string_agg(distinct file, ', ' order by file) as files "
            "from judged where versions > 1 group by ticker"
        ).fetchall()
    return unique, {t: f"{days} days with differing rows left out, first {first} ({files})" for t, days, first, files in conflicts}


def _joined(*parts: str | None) -> str | None:
    return "; ".join(part for part in parts if part) or None


OWN = Feed(
    source="own",
    kind="bars",
    raw_tables=(raw.OWN_BARS,),
    local=True,
    fetch=fetch,
    to_core=to_core,
    actions_in_bars=True,
    unready=_unready,
    request_hashes=_request_hashes,
)
