"""Tables of the lake as files for other tools: CSV, Parquet, or one DuckDB database with all of them."""

from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq

from trader_pipeline import durable
from trader_pipeline.errors import NotMadeError, UsageError
from trader_pipeline.features import PANEL
from trader_pipeline.lake import Snapshot
from trader_pipeline.schema import TABLES

_DECLARED = {table.full_name for table in (*TABLES, PANEL)}
_CSV_BYTES_A_PARQUET_BYTE = 8
"""Rough growth from our compressed parts to text, for the disk guard."""


def export_table(snapshot: Snapshot, table: str, to: Path) -> Path:
    """Write a table to `to` (.csv or .parquet), whole or not at all, and return the path. Raises `UsageError`, `NotMadeError`."""
    if to.suffix not in (".csv", ".parquet"):
        raise UsageError(f"{to}: export writes .csv and .parquet; name the file so, or use --duckdb FILE")
    _require_published(snapshot, table)
    expected = sum(part.size_bytes for part in snapshot.parts(table)) * (_CSV_BYTES_A_PARQUET_BYTE if to.suffix == ".csv" else 1)
    rows = _rows(snapshot, table)
    with durable.atomic_path(to.absolute(), expected) as temporary:
        if to.suffix == ".csv":
            pc.write_csv(rows, temporary)
        else:
            pq.write_table(rows, temporary, compression="snappy")
    return to


def export_duckdb(snapshot: Snapshot, to: Path) -> Path:
    """Write every published table to a DuckDB database file, whole or not at all, and return the path."""
    published = [name for name, entry in sorted(snapshot.commit.tables.items()) if entry.parts]
    expected = sum(part.size_bytes for name in published for part in snapshot.parts(name))
    with durable.atomic_path(to.absolute(), expected) as temporary, duckdb.connect(str(temporary)) as database:
        for name in published:
            database.execute(f"create schema if not exists {name.split('.')[0]}")
            database.register("rows", _rows(snapshot, name))
            database.execute(f"create table {name} as select * from rows")  # noqa: S608 - a name of the commit
            database.unregister("rows")
    return to


def _rows(snapshot: Snapshot, table: str) -> pa.Table:
    return snapshot.sql(f"select * from {table}")  # noqa: S608 - a name of the commit


def _require_published(snapshot: Snapshot, table: str) -> None:
    names = sorted(snapshot.commit.tables)
    if table not in names and table in _DECLARED:
        raise NotMadeError(snapshot.missing(table))
    if table not in names:
        raise UsageError(f"{table!r} is no published table; choose one of {', '.join(names)}")
