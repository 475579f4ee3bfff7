"""Rows of a vendor's JSON as a raw table: its own column names, each value read as the table's column says."""

import datetime as dt
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from trader_pipeline.schema import Table
from trader_pipeline.sources.http import SchemaChangeError

_MOST_EXACT = 2**53
_INSTANT = pa.timestamp("us", tz="UTC")
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """A raw table, and in words what of the answer could not be read."""

    rows: pa.Table
    unread: tuple[str, ...] = ()


def read_rows(
    table: Table, rows: Sequence[Row], *, fetched_at: dt.datetime, sha256: str, ours: Mapping[str, Any], needed: Collection[str] = ()
) -> Read:
    """Return `rows` as `table`; `ours` are the constants of the columns that the vendor does not send.

    A number that is no number and a date that is no date become null and are told; a row without a
    value that the table wants is left out and told. Raises `SchemaChangeError` when a column of the key or of `needed` is in no row at all.
    """
    constants = {**ours, "fetched_at": pa.scalar(fetched_at, _INSTANT), "request_sha256": sha256}
    names = [c.name for c in table.columns if c.name not in constants]
    asked = {name for name in table.key if name not in constants} | set(needed)
    present = set().union(*rows) if rows else set()
    if rows and (gone := sorted(asked - present)):
        raise SchemaChangeError(f"{table.full_name}: no row has {', '.join(gone)}, only {', '.join(sorted(present)[:12])}")
    dtypes = {c.name: c.dtype for c in table.columns}
    columns: dict[str, pa.Array] = {}
    unread: list[str] = []
    for name in names:
        values = [_value(row.get(name), dtypes[name]) for row in rows]
        bad = sum(value is None and not _absent(row.get(name)) for value, row in zip(values, rows, strict=True))
        unread += [f"{bad} unreadable {name}"] if bad else []
        columns[name] = pa.array(values, dtypes[name])
    columns |= {name: pa.repeat(value, len(rows)) for name, value in constants.items()}
    found = pa.table(columns)
    required = [c.name for c in table.columns if not c.nullable and c.name not in constants]
    whole = found.filter(reduce(pc.and_, [pc.is_valid(found[name]) for name in required])) if required else found
    if lost := found.num_rows - whole.num_rows:
        unread.append(f"{lost} rows without {', '.join(required)}")
    return Read(rows=table.conform(whole), unread=tuple(unread))


def numbered(rows: Sequence[Row], day: str) -> list[dict[str, Any]]:
    """Return each different row once, with `entry`: its place, from 0, among the rows of the same `day`, in the vendor's order."""
    seen: set[str] = set()
    places: dict[Any, int] = {}
    kept = []
    for row in rows:
        text = json.dumps(row, sort_keys=True)
        if text in seen:
            continue
        seen.add(text)
        place = places.get(row.get(day), 0)
        places[row.get(day)] = place + 1
        kept.append({**row, "entry": place})
    return kept


def date_of(value: object) -> dt.date | None:
    """Return the day of "2023-01-03" or of a moment that begins with it, None for anything else."""
    try:
        return dt.date.fromisoformat(str(value)[:10])
    except ValueError:
        return None


def number_of(value: object) -> float | None:
    """Return a finite number, also of a text such as "1,234.5"; None for anything else."""
    if isinstance(value, bool):
        return None
    try:
        number = float(value.replace(",", "") if isinstance(value, str) else value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None
    return number if abs(number) < float("inf") else None


def _value(value: object, dtype: pa.DataType) -> Any:
    if _absent(value):
        return None
    if pa.types.is_floating(dtype):
        return number_of(value)
    if pa.types.is_date(dtype):
        return date_of(value)
    if pa.types.is_boolean(dtype):
        return value if isinstance(value, bool) else None
    if pa.types.is_integer(dtype):
        number = number_of(value)
        return None if number is None or number != int(number) or abs(number) > _MOST_EXACT else int(number)
    return str(value)


def _absent(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())
