"""FRED without a key: the file behind its charts, one series, the newest values only."""

import datetime as dt

from trader_pipeline.sources.asking import Tally
from trader_pipeline.sources.http import SchemaChangeError, UpstreamError
from trader_pipeline.sources.rest import Body, RestClient

URL = "https://fred.stlouisfed.org"
PATH = "/graph/fredgraph.csv"
_DATE_NAMES = frozenset({"DATE", "observation_date"})


def latest(client: RestClient, tally: Tally, series: str, first: dt.date | None) -> list[tuple[dt.date, str]]:
    """Return days and values as FRED writes them, of `first` and later."""
    start = {"cosd": first.isoformat()} if first else {}
    return client.get(PATH, {"id": series, **start}, tally=tally, read=lambda body: rows_of(body, series))


def rows_of(body: Body, series: str) -> list[tuple[dt.date, str]]:
    """Return the rows of the file; `UpstreamError` where its end is missing, `SchemaChangeError` for another header."""
    text = body.text()
    if not text.endswith("\n"):
        raise UpstreamError(f"{body.path}: a file of {len(text)} characters that stops within a line")
    header, *lines = text.split()
    if header.partition(",")[0] not in _DATE_NAMES or header.partition(",")[2] != series:
        raise SchemaChangeError(f"{body.path}: the header is {header[:80]!r}, not observation_date,{series}")
    try:
        return [(dt.date.fromisoformat(day), value) for day, _, value in (line.partition(",") for line in lines)]
    except ValueError as error:
        raise SchemaChangeError(f"{body.path}: a line without a date") from error
