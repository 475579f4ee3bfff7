"""What vendors write in a cell: a number, a day, a moment. What cannot be read is null and told, never guessed."""

import csv
import datetime as dt
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from trader_pipeline import calendar
from trader_pipeline.schema import Table
from trader_pipeline.sources.asking import Tally
from trader_pipeline.sources.http import SchemaChangeError, UpstreamError
from trader_pipeline.sources.json_rows import number_of
from trader_pipeline.sources.source import FetchRequest


class Told:
    """What was odd about one answer, for the attempt's detail: each kind with its count and its first example."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._first: dict[str, str] = {}

    def add(self, what: str, example: object) -> None:
        """Count one more of a kind."""
        self._counts[what] += 1
        self._first.setdefault(what, repr(example)[:60])

    def text(self) -> str | None:
        """Return `close: no number, taken as missing: 2 (first 'x')`, or None when nothing was odd."""
        return "; ".join(f"{what}: {count} (first {self._first[what]})" for what, count in self._counts.items()) or None


def number(cell: Any, name: str, told: Told) -> float | None:
    """Return a finite float, None for a blank cell; None and told for anything else."""
    if cell is None or (isinstance(cell, str) and not cell.strip()):
        return None
    value = number_of(cell)
    if value is None:
        told.add(f"{name}: no number, taken as missing", cell)
    return value


def words(cell: Any) -> str | None:
    """Return the text of a cell, None for a blank one."""
    return (str(cell).strip() or None) if cell is not None else None


def day(cell: Any, pattern: str, where: str) -> dt.date:
    """Return the day that a key cell names; `SchemaChangeError` for one written otherwise: a row without its day is no row."""
    try:
        return dt.datetime.strptime(str(cell).strip(), pattern).date()  # noqa: DTZ007 - a day, exchange-local
    except ValueError:
        raise SchemaChangeError(f"{where}: {cell!r} is no day written {pattern}") from None


def moment(cell: Any, name: str, told: Told) -> dt.datetime | None:
    """Return the instant of an ISO timestamp; one without a zone is UTC. None for a blank cell; None and told for anything else."""
    if words(cell) is None:
        return None
    try:
        found = dt.datetime.fromisoformat(str(cell).strip())
        return found.replace(tzinfo=dt.UTC) if found.tzinfo is None else found.astimezone(dt.UTC)
    except (ValueError, OverflowError):
        told.add(f"{name}: no timestamp, taken as missing", cell)
        return None


def objects(answer: Any, keys: Sequence[str], where: str) -> list[dict[str, Any]]:
    """Return a JSON answer that is a list of objects with these keys; `SchemaChangeError` for any other shape."""
    if not isinstance(answer, list) or not all(isinstance(item, dict) for item in answer):
        raise SchemaChangeError(f"{where}: no list of objects but {str(answer)[:80]!r}")
    for item in answer:
        if missing := [key for key in keys if key not in item]:
            raise SchemaChangeError(f"{where}: an object without {missing}")
    return answer


def csv_rows(text: str, columns: Sequence[str], where: str) -> Iterator[dict[str, str]]:
    """Yield the rows of a CSV with a header, blank lines left out.

    Raises `SchemaChangeError` where a column is missing from the header, `UpstreamError` for an empty body or a row with
    fewer cells than the header: the file was cut.
    """
    rows = csv.reader(text.splitlines())
    header = [name.strip() for name in next(rows, [])]
    if not header:
        raise UpstreamError(f"{where}: an empty body")
    if missing := [name for name in columns if name not in header]:
        raise SchemaChangeError(f"{where}: no column {missing}, only {header[:8]}")
    for cells in rows:
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) < len(header):
            raise UpstreamError(f"{where}: the row {','.join(cells)[:60]!r} is cut")
        yield dict(zip(header, cells, strict=False))


def since(request: FetchRequest, ticker: str) -> dt.date | None:
    """Return the first day that the request asks for of a ticker, None for all that there is."""
    return request.since.get(ticker, request.first_session)


def final(rows: Sequence[dict[str, Any]], name: str, exchange: str, request: FetchRequest) -> list[dict[str, Any]]:
    """Return the rows whose day, in the cell `name`, was final when the request was made."""
    known = calendar.final_by(exchange, np.array([row[name] for row in rows], dtype="datetime64[D]"), request.asked_at)
    return [row for row, keep in zip(rows, known.tolist(), strict=True) if keep]


def stamped(table: Table, rows: Sequence[Mapping[str, Any]], request: FetchRequest, tally: Tally) -> pa.Table:
    """Return rows of a raw table with the moment of the fetch and the hash of the last answer."""
    stamps = {"fetched_at": request.fetched_at, "request_sha256": tally.body_sha256}
    return table.conform(pa.Table.from_pylist([{**row, **stamps} for row in rows], schema=table.arrow_schema))
