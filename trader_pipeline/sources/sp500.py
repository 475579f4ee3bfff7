"""Membership of the S&P 500 since 1996, from github.com/fja05680/sp500 (MIT), kept by hand from Wikipedia and S&P's notices.

The file holds a row a stay: `start_date` is the first day in the index, `end_date` the first day out of it. So the day before
is the last one in, which is `valid_to`. It knows nothing ahead: a change shows when its author wrote it down.

Symbols: the file writes a share class after a dot (BRK.B), core.universe has Yahoo's spelling (BRK-B), by which bars are asked.
A symbol is the one of those days where the author kept it (FB until 2022-06-08, then META), but some names are written by a
later symbol (BKNG for PCLN), and bankrupt ones with the Q of their last days (LEHMQ): these join no bars of the index's days.
"""

import datetime as dt
import re
from collections.abc import Iterator, Mapping
from typing import Any

import duckdb
import pyarrow as pa

from trader_pipeline.schema import Table, core
from trader_pipeline.schema.raw_public import SP500_MEMBERS
from trader_pipeline.settings import Settings
from trader_pipeline.sources.asking import Found, Stop, Tally
from trader_pipeline.sources.cells import csv_rows, day, stamped, words
from trader_pipeline.sources.http import SchemaChangeError, UnknownSymbolError, UpstreamError
from trader_pipeline.sources.rest import Body, RestClient
from trader_pipeline.sources.source import Feed, FetchRequest, FetchResult, RawTables

URL = "https://raw.githubusercontent.com"
PATH = "/fja05680/sp500/master/sp500_ticker_start_end.csv"
NAME = "sp500"
"""Name of the universe, and of the one thing to ask for."""

_COLUMNS = ("ticker", "start_date", "end_date")
_SYMBOL = re.compile(r"[A-Z0-9]+(\.[A-Z]+)?")
_DAY = "%Y-%m-%d"


def fetch(request: FetchRequest, settings: Settings) -> Iterator[FetchResult]:
    """Ask for the file and yield all of its rows."""
    client = RestClient("sp500", URL, settings.sp500, settings.gate_path, stop=Stop())
    return client.ask_each(request.tickers or (NAME,), request, lambda name, tally: _found(name, request, client, tally))


def _found(name: str, request: FetchRequest, client: RestClient, tally: Tally) -> Found:
    if name != NAME:
        raise UnknownSymbolError(f"sp500 has the one list {NAME!r}, not {name!r}")
    rows = client.get(PATH, tally=tally, read=_rows)
    days = [max(row["end_date"] or row["start_date"] for row in rows)]
    return Found(tables={SP500_MEMBERS: stamped(SP500_MEMBERS, rows, request, tally)}, days=days)


def _rows(body: Body) -> list[dict[str, Any]]:
    """Return the stays. A file without its last line's end was cut; a stay that contradicts another is a change of the file."""
    text = body.text()
    if not text.endswith("\n"):
        raise UpstreamError(f"{body.path}: {len(body.content)} bytes that end within a line")
    rows: dict[tuple[str, dt.date], dict[str, Any]] = {}
    for cells in csv_rows(text, _COLUMNS, body.path):
        row = _stay(cells, body.path)
        if rows.setdefault((row["ticker"], row["start_date"]), row) != row:
            raise SchemaChangeError(f"{body.path}: two rows of {row['ticker']} from {row['start_date']} that differ")
    if not rows:
        raise SchemaChangeError(f"{body.path}: a header without rows")
    return list(rows.values())


def _stay(cells: Mapping[str, str], path: str) -> dict[str, Any]:
    ticker, start, last = cells["ticker"].strip(), day(cells["start_date"], _DAY, path), words(cells["end_date"])
    end = day(last, _DAY, path) if last else None
    if not _SYMBOL.fullmatch(ticker):
        raise SchemaChangeError(f"{path}: {ticker[:40]!r} is no symbol")
    if end is not None and end <= start:
        raise SchemaChangeError(f"{path}: {ticker} leaves on {end}, not after it came on {start}")
    return {"ticker": ticker, "start_date": start, "end_date": end}


def to_core(tables: RawTables) -> Mapping[Table, pa.Table]:
    """Return core.universe of the newest answer among the rows: the file is a whole, an older one says nothing any more."""
    with duckdb.connect(config={"threads": 2}) as con:
        con.execute("set timezone = 'UTC'")
        con.register("sp500_members", tables[SP500_MEMBERS.full_name])
        return {core.UNIVERSE: con.sql(_UNIVERSE).to_arrow_table()}


_UNIVERSE = """
    select 'sp500' as universe, replace(ticker, '.', '-') as ticker, start_date as valid_from,
           cast(end_date - interval 1 day as date) as valid_to
    from sp500_members where fetched_at = (select max(fetched_at) from sp500_members)"""


def _subjects(_: Settings) -> tuple[str, ...]:
    return (NAME,)


SP500 = Feed(
    source="sp500", kind="members", raw_tables=(SP500_MEMBERS,), fetch=fetch, to_core=to_core, subjects=_subjects, every_sessions=5
)
