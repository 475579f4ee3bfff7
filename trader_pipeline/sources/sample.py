"""The samples inside the package: deep (11 stocks and SPY to 2020-02-07), broad (524 stocks, one year), us20 (20 stocks, 1990-2022).

`sample/PROVENANCE.md` says where every number comes from. deep and broad hold prices as traded, deep with its splits, without
dividends; us20 holds adjusted closes alone.
"""

import datetime as dt
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from trader_pipeline import calendar
from trader_pipeline.errors import UsageError
from trader_pipeline.schema import Table, core, raw
from trader_pipeline.settings import Settings
from trader_pipeline.sources.source import Attempt, Feed, FetchRequest, FetchResult, RawTables

LAST_SESSIONS = {"deep": dt.date(2020, 2, 7), "broad": dt.date(2010, 8, 20), "us20": dt.date(2022, 12, 28)}
EXCHANGE = "XNYS"
_FILES: dict[str, Table] = {
    "bars": raw.SAMPLE_BARS,
    "actions": raw.SAMPLE_ACTIONS,
    "tickers": raw.SAMPLE_TICKERS,
    "sectors": raw.SAMPLE_SECTORS,
    "macro": raw.SAMPLE_MACRO,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MacroSeries:
    """A series with a declared end: after `last` it is absent, not stale. `lag_days` is counted from the day it speaks of."""

    name: str
    unit: str
    first: dt.date
    last: dt.date
    lag_days: int


MACRO_SERIES = (
    MacroSeries(name="moodys_aaa_yield", unit="percent", first=dt.date(2008, 1, 1), last=dt.date(2018, 12, 1), lag_days=36),
    MacroSeries(name="moodys_baa_yield", unit="percent", first=dt.date(2008, 1, 1), last=dt.date(2018, 12, 1), lag_days=36),
    MacroSeries(name="vix_close", unit="percent", first=dt.date(2014, 1, 3), last=dt.date(2019, 1, 3), lag_days=0),
)
"""Monthly yields are averages dated on the first of their month: known five days or more after the month's end."""


def fetch(request: FetchRequest, settings: Settings) -> Iterator[FetchResult]:
    """Yield the packaged rows of `settings.dataset`, or nothing where these very bytes are stored already.

    A sample is loaded whole; a ticker asked for that it does not hold is an `unknown_symbol`.
    """
    held = set(pc.unique(_packaged(settings.dataset, "bars")["ticker"]).to_pylist())
    unknown = sorted(set(request.tickers or ()) - held)
    refused = tuple(
        Attempt(ticker=t, outcome="unknown_symbol", at=request.fetched_at, detail=f"the {settings.dataset} sample does not hold it")
        for t in unknown
    )
    digest = sample_sha256(settings.dataset)
    if digest in request.seen:
        yield FetchResult(tables={}, attempts=refused)
        return
    tables = {}
    for what, table in _FILES.items():
        if _exists(settings.dataset, what):
            rows = _packaged(settings.dataset, what)
            clock = pa.repeat(pa.scalar(request.fetched_at, pa.timestamp("us", tz="UTC")), rows.num_rows)
            tables[table] = rows.append_column("fetched_at", clock).append_column("request_sha256", pa.repeat(digest, rows.num_rows))
    yield FetchResult(tables=tables, attempts=(*_attempts(tables[raw.SAMPLE_BARS], request.fetched_at), *refused))


def to_core(tables: RawTables) -> Mapping[Table, pa.Table]:
    """Return bars, splits, tickers, sectors and macro; of a ticker or sector the newest load counts."""
    with duckdb.connect() as con:
        for table in _FILES.values():
            con.register(table.name, tables[table.full_name])
        found = {name: con.sql(query).to_arrow_table() for name, query in _QUERIES.items()}
    macro = found.pop("macro")
    return {
        core.DAILY_BARS: found["bars"],
        core.CORPORATE_ACTIONS: found["actions"],
        core.TICKER_MAP: found["tickers"],
        core.SECTORS: found["sectors"],
        core.MACRO: macro.append_column("known_at", _macro_known_at(macro)),
    }


def sample_sha256(dataset: str) -> str:
    """Return one hash over all packaged files of a sample."""
    digests = [hashlib.sha256(_path(dataset, what).read_bytes()).hexdigest() for what in _FILES if _exists(dataset, what)]
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()


_QUERIES = {
    "bars": """
        select ticker, date as session, 'sample' as source, fetched_at, open, high, low, close, volume as volume_shares,
               'USD' as currency, 'USD' as price_unit
        from sample_bars""",
    "actions": "select ticker, date as session, kind, 'sample' as source, value, fetched_at from sample_actions",
    "tickers": """
        select ticker, ticker as symbol, valid_from, null::date as valid_to, issuer_id, exchange, name, role from sample_tickers
        qualify row_number() over (partition by ticker, valid_from order by fetched_at desc) = 1""",
    "sectors": """
        select ticker, valid_from, valid_to, sector from sample_sectors
        qualify row_number() over (partition by ticker, valid_from order by fetched_at desc) = 1""",
    "macro": """
        select series, date as observed_on, 'sample' as source, 'assumed' as known_at_basis, 'final' as vintage, value from sample_macro
        qualify row_number() over (partition by series, date order by fetched_at desc) = 1""",
}


def _macro_known_at(rows: pa.Table) -> pa.Array:
    """Return close + 30 min of the observed day plus the series' declared lag."""
    lags = {series.name: series.lag_days for series in MACRO_SERIES}
    days = rows["observed_on"].to_numpy().astype("datetime64[D]") + np.array(
        [lags[s] for s in rows["series"].to_pylist()], "timedelta64[D]"
    )
    return pa.array(calendar.known_at_array(EXCHANGE, days), pa.timestamp("us")).cast(pa.timestamp("us", tz="UTC"))


def _attempts(bars: pa.Table, at: dt.datetime) -> list[Attempt]:
    spans = bars.group_by("ticker").aggregate([("date", "count"), ("date", "min"), ("date", "max")]).sort_by("ticker")
    return [
        Attempt(ticker=r["ticker"], outcome="ok", at=at, rows=r["date_count"], first_session=r["date_min"], last_session=r["date_max"])
        for r in spans.to_pylist()
    ]


@cache
def _packaged(dataset: str, what: str) -> pa.Table:
    with _path(dataset, what).open("rb") as file:
        return pq.read_table(pa.BufferReader(file.read()))


def _exists(dataset: str, what: str) -> bool:
    return _path(dataset, what).is_file()


def _path(dataset: str, what: str) -> resources.abc.Traversable:
    if dataset not in LAST_SESSIONS:
        raise UsageError(f"there is no sample {dataset!r}, only {sorted(LAST_SESSIONS)}; set TRADER_DATASET to one of them")
    return resources.files("trader_pipeline.sources") / "sample" / f"{dataset}_{what}.parquet"


def _request_hashes(settings: Settings) -> frozenset[str]:
    return frozenset({sample_sha256(settings.dataset)})


SAMPLE = Feed(
    source="sample",
    kind="bars",
    raw_tables=tuple(_FILES.values()),
    local=True,
    fetch=fetch,
    to_core=to_core,
    request_hashes=_request_hashes,
)
