"""CBOE's volatility indices from the history files of its website: one CSV an index, always the whole history.

Units: percent a year, as printed (17.24 is 17.24 %). Never revised, so `final`.
Timing: the VIX is computed until 16:15 New York, so its close is known at the close of XNYS + 30 minutes like a bar; today's row
before that is left out. Nulls: a cell that is no number is null and told; a day without a close is no row of core.macro.
"""

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from trader_pipeline import calendar
from trader_pipeline.schema import Table, core
from trader_pipeline.schema.columns import INSTANT
from trader_pipeline.schema.raw_public import CBOE_INDICES
from trader_pipeline.schema.vintages import FINAL
from trader_pipeline.settings import Settings
from trader_pipeline.sources.asking import Found, Stop, Tally
from trader_pipeline.sources.cells import Told, csv_rows, day, final, number, since, stamped
from trader_pipeline.sources.http import NoDataError, SchemaChangeError, UnknownSymbolError, UpstreamError
from trader_pipeline.sources.rest import Body, RestClient
from trader_pipeline.sources.source import Feed, FetchRequest, FetchResult, RawTables

URL = "https://cdn.cboe.com"
FOLDER = "/api/global/us_indices/daily_prices"
EXCHANGE = "XNYS"
STALE_SESSIONS = 10
"""A file that ends earlier than this was cut on its way: it is asked for again."""

_VALUES = ("OPEN", "HIGH", "LOW", "CLOSE")
_DAY = "%m/%d/%Y"


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """An index: its name in our lists, its file, and the series that its close is."""

    name: str
    file: str
    series: str


INDICES = (Index(name="vix", file="VIX_History.csv", series="vix_close"),)
"""To follow another one whose file has OPEN, HIGH, LOW and CLOSE (VIX9D, VIX3M): add its line. VVIX's file has one column only."""

_BY_NAME = {index.name: index for index in INDICES}


def fetch(request: FetchRequest, settings: Settings) -> Iterator[FetchResult]:
    """Ask for every index's file and yield its rows from the request's first day on."""
    client = RestClient("cboe", URL, settings.cboe, settings.gate_path, stop=Stop())
    return client.ask_each(request.tickers or tuple(_BY_NAME), request, lambda name, tally: _found(name, request, client, tally))


def _found(name: str, request: FetchRequest, client: RestClient, tally: Tally) -> Found:
    if name not in _BY_NAME:
        raise UnknownSymbolError(f"cboe has no index {name!r} in our list, only {', '.join(_BY_NAME)}")
    path = f"{FOLDER}/{_BY_NAME[name].file}"

    def read(body: Body) -> tuple[list[dict[str, Any]], Told]:
        return _whole(body, path, request)

    rows, told = client.get(path, tally=tally, read=read)
    first = since(request, name)
    wanted = [row for row in final(rows, "DATE", EXCHANGE, request) if first is None or row["DATE"] >= first]
    if not wanted:
        raise NoDataError(f"{path}: no session since {first} that was final when it was asked")
    table = stamped(CBOE_INDICES, [{"index": name, **row} for row in wanted], request, tally)
    return Found(tables={CBOE_INDICES: table}, days=[row["DATE"] for row in wanted], detail=told.text())


def _whole(body: Body, path: str, request: FetchRequest) -> tuple[list[dict[str, Any]], Told]:
    """Return all rows of the file, oldest first; raise `UpstreamError` when it is not whole."""
    told = Told()
    rows: dict[dt.date, dict[str, Any]] = {}
    for cells in csv_rows(body.text(), ("DATE", *_VALUES), path):
        date = day(cells["DATE"], _DAY, path)
        row = {"DATE": date, **{name: number(cells[name], name, told) for name in _VALUES}}
        if rows.setdefault(date, row) != row:
            raise SchemaChangeError(f"{path}: two rows of {date} that differ")
    newest = max(rows, default=None)
    if newest is None or calendar.staleness(EXCHANGE, newest, request.fetched_at) > STALE_SESSIONS:
        raise UpstreamError(f"{path}: ends on {newest}")
    return [rows[date] for date in sorted(rows)], told


def to_core(tables: RawTables) -> Mapping[Table, pa.Table]:
    """Return the closes as core.macro, known at the close of New York + 30 minutes."""
    raw = tables[CBOE_INDICES.full_name]
    raw = raw.filter(raw["CLOSE"].is_valid())
    known_at = calendar.known_at_array(EXCHANGE, raw["DATE"].to_numpy())
    macro = {
        "series": pa.array([_BY_NAME[name].series for name in raw["index"].to_pylist()], pa.string()),
        "observed_on": raw["DATE"],
        "known_at": pa.array(known_at, pa.timestamp("us")).cast(INSTANT),
        "source": pa.repeat("cboe", raw.num_rows),
        "vintage": pa.repeat(FINAL, raw.num_rows),
        "value": raw["CLOSE"],
        "fetched_at": raw["fetched_at"],
    }
    return {core.MACRO: pa.table(macro)}


def _subjects(_: Settings) -> tuple[str, ...]:
    return tuple(_BY_NAME)


CBOE = Feed(source="cboe", kind="macro", raw_tables=(CBOE_INDICES,), fetch=fetch, to_core=to_core, subjects=_subjects)
