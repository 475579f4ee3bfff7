"""Ken French's data library: the five factors (2x3) and momentum, daily; a zip with one CSV each.

Units: the files print percent, core.factor_returns holds fractions (0.45 becomes 0.0045). Mkt-RF, SMB, HML, RMW, CMA and Mom are
returns of portfolios, RF the one-month bill's return of the session. Nulls: -99.99 and -999 mark a missing value: null and told.
Timing: a month comes out weeks after its end, by no calendar, and every new file rewrites history a little. So a row counts as
known LAG_DAYS after its session (assumed), or when we fetched it if that was earlier; what differs later, when it was fetched.
They serve validation, never a feature. Definitions: Fama & French 2015 (Journal of Financial Economics 116), Carhart 1997.
"""

import datetime as dt
import io
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trader_pipeline import calendar
from trader_pipeline.schema import Table, core
from trader_pipeline.schema.columns import INSTANT
from trader_pipeline.schema.raw_public import FRENCH_FIVE_FACTORS, FRENCH_MOMENTUM
from trader_pipeline.settings import Settings
from trader_pipeline.sources.asking import Found, Stop, Tally
from trader_pipeline.sources.cells import Told, day, number, since, stamped
from trader_pipeline.sources.http import NoDataError, SchemaChangeError, UnknownSymbolError, UpstreamError
from trader_pipeline.sources.rest import Body, RestClient
from trader_pipeline.sources.source import Feed, FetchRequest, FetchResult, RawTables

URL = "https://mba.tuck.dartmouth.edu"
FOLDER = "/pages/faculty/ken.french/ftp"
EXCHANGE = "XNYS"
LAG_DAYS = 100
"""First sessions of a month: about 30 days to its end, 35 to 60 to the file."""
MOST_BYTES = 32 * 2**20
"""The five factors since 1963 are about 1 MB; a zip that claims or holds more than this is not read."""

_MISSING = (-99.99, -999.0)
_ROW = re.compile(r"\s*\d{8}\s*,")


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A zip of the library: our name, its own, its raw table, and the factor that each of its columns is."""

    name: str
    zip: str
    table: Table
    factors: Mapping[str, str]


FILES = (
    File(
        name="five_factors",
        zip="F-F_Research_Data_5_Factors_2x3_daily_CSV.zip",
        table=FRENCH_FIVE_FACTORS,
        factors={
            "Mkt-RF": "market_excess",
            "SMB": "size",
            "HML": "value",
            "RMW": "profitability",
            "CMA": "investment",
            "RF": "risk_free",
        },
    ),
    File(name="momentum", zip="F-F_Momentum_Factor_daily_CSV.zip", table=FRENCH_MOMENTUM, factors={"Mom": "momentum"}),
)
_BY_NAME = {file.name: file for file in FILES}


def fetch(request: FetchRequest, settings: Settings) -> Iterator[FetchResult]:
    """Ask for both files and yield their rows from the request's first day on."""
    client = RestClient("french", URL, settings.french, settings.gate_path, stop=Stop())
    return client.ask_each(request.tickers or tuple(_BY_NAME), request, lambda name, tally: _found(name, request, client, tally))


def _found(name: str, request: FetchRequest, client: RestClient, tally: Tally) -> Found:
    if name not in _BY_NAME:
        raise UnknownSymbolError(f"french has no file {name!r} in our list, only {', '.join(_BY_NAME)}")
    file = _BY_NAME[name]
    path = f"{FOLDER}/{file.zip}"
    text = client.get(path, tally=tally, read=unzipped)
    told = Told()
    first = since(request, name)
    rows = [row for row in _rows(text, file, path, told) if first is None or row["date"] >= first]
    if not rows:
        raise NoDataError(f"{path}: no session since {first}")
    return Found(tables={file.table: stamped(file.table, rows, request, tally)}, days=[row["date"] for row in rows], detail=told.text())


def unzipped(body: Body) -> str:
    """Return the text of the zip's one file; `UpstreamError` for a body that is no whole zip (cut, a page of HTML)."""
    try:
        with zipfile.ZipFile(io.BytesIO(body.content)) as archive:
            names = archive.namelist()
            if len(names) != 1:
                raise SchemaChangeError(f"{body.path}: a zip with the files {names[:5]}, not with one")
            with archive.open(names[0]) as member:
                content = member.read(MOST_BYTES + 1)
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise UpstreamError(f"{body.path}: {len(body.content)} bytes that are no whole zip") from error
    except (RuntimeError, NotImplementedError) as error:  # encrypted, or packed in another way
        raise SchemaChangeError(f"{body.path}: a zip that cannot be unpacked: {error}") from error
    if len(content) > MOST_BYTES:
        raise SchemaChangeError(f"{body.path}: more than {MOST_BYTES} bytes unpacked")
    return content.decode("latin-1")


def _rows(text: str, file: File, path: str, told: Told) -> list[dict[str, Any]]:
    """Return the daily table: from the header that names the columns to the first line that is no day of it.

    Prose stands before and a copyright after; the lines of momentum end in a comma too many.
    """
    lines = iter(text.splitlines())
    names = list(file.factors)
    if not any(_cells(line) == ["", *names] for line in lines):  # stops behind the header
        raise SchemaChangeError(f"{path}: no header {','.join(names)}")
    rows: dict[dt.date, dict[str, Any]] = {}
    for line in lines:
        if not _ROW.match(line):
            break
        cells = _cells(line)
        if len(cells) != len(names) + 1:
            raise SchemaChangeError(f"{path}: the row {line[:80]!r} has not {len(names) + 1} cells")
        date = day(cells[0], "%Y%m%d", path)
        if date in rows:
            raise SchemaChangeError(f"{path}: two rows of {date}")
        rows[date] = {"date": date, **{name: _value(cell, name, told) for name, cell in zip(names, cells[1:], strict=True)}}
    if not rows:
        raise SchemaChangeError(f"{path}: no row after the header")
    return [rows[date] for date in sorted(rows)]


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.rstrip().rstrip(",").split(",")]


def _value(cell: str, name: str, told: Told) -> float | None:
    value = number(cell, name, told)
    if value in _MISSING:
        told.add(f"{name}: marked as missing", cell)
        return None
    return value


def to_core(tables: RawTables) -> Mapping[Table, pa.Table]:
    """Return the factors' returns as fractions, a row a factor and session; missing values are left out."""
    pieces = [_factor(tables[file.table.full_name], column, factor) for file in FILES for column, factor in file.factors.items()]
    return {core.FACTOR_RETURNS: pa.concat_tables(pieces)}


def _factor(raw: pa.Table, column: str, factor: str) -> pa.Table:
    raw = raw.filter(raw[column].is_valid())
    lagged = raw["date"].to_numpy().astype("datetime64[D]") + np.timedelta64(LAG_DAYS, "D")
    assumed = pa.array(calendar.known_at_array(EXCHANGE, lagged), pa.timestamp("us")).cast(INSTANT)
    return pa.table(
        {
            "factor": pa.repeat(factor, raw.num_rows),
            "session": raw["date"],
            "known_at": pc.if_else(pc.less(assumed, raw["fetched_at"]), assumed, raw["fetched_at"]),
            "source": pa.repeat("french", raw.num_rows),
            "value": pc.divide(raw[column], 100.0),
            "fetched_at": raw["fetched_at"],
        }
    )


def _subjects(_: Settings) -> tuple[str, ...]:
    return tuple(_BY_NAME)


FRENCH = Feed(
    source="french",
    kind="factors",
    raw_tables=tuple(file.table for file in FILES),
    fetch=fetch,
    to_core=to_core,
    subjects=_subjects,
    every_sessions=5,
)
