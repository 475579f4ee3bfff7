"""What is in the columns of a table: how much is null, and from where to where the values go."""

import datetime as dt

import pyarrow as pa

from trader_pipeline.lake import Snapshot
from trader_pipeline.schema import Table


def column_statistics(snapshot: Snapshot, table: Table, *, as_of: dt.datetime) -> pa.Table:
    """Return a row a column: its name and unit, null_ratio, and min, max and mean as text (of numbers; of days min and max).

    Rows known at `as_of` count, every version of them; without that clock all rows. One scan, whatever the number of columns.
    """
    clock = "where known_at <= $as_of" if any(column.name == "known_at" for column in table.columns) else "where $as_of is not null"
    shown = {column.name: _spans(column.dtype) for column in table.columns}
    asked = [f'count("{name}") as "{name} held"' for name in shown]
    asked += [f'{how}("{name}") as "{name} {how}"' for name, hows in shown.items() for how in hows]
    query = f"select count(*) as rows, {', '.join(asked)} from {table.full_name} {clock}"  # noqa: S608 - identifiers of the schema
    (found,) = snapshot.sql(query, {"as_of": as_of}).to_pylist()
    rows = [
        {
            "column": column.name,
            "unit": column.unit,
            "null_ratio": 1 - found[f"{column.name} held"] / found["rows"] if found["rows"] else None,
            **{how: _text(found.get(f"{column.name} {how}")) for how in ("min", "max", "avg")},
        }
        for column in table.columns
    ]
    return pa.Table.from_pylist(rows, schema=_SHOWN).rename_columns({"avg": "mean"})


_SHOWN = pa.schema(
    [
        ("column", pa.string()),
        ("unit", pa.string()),
        ("null_ratio", pa.float64()),
        ("min", pa.string()),
        ("max", pa.string()),
        ("avg", pa.string()),
    ]
)


def _spans(dtype: pa.DataType) -> tuple[str, ...]:
    if pa.types.is_floating(dtype) or pa.types.is_integer(dtype):
        return ("min", "max", "avg")
    return ("min", "max") if pa.types.is_temporal(dtype) else ()


def _text(value: object) -> str | None:
    if value is None:
        return None
    return f"{value:.6g}" if isinstance(value, float) else str(value)
