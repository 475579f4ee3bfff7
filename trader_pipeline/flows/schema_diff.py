"""The lake's tables against the code's: versions, columns, and what becomes of a stored table when it is read."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq

from trader_pipeline.features import PANEL
from trader_pipeline.lake import Entry, Snapshot
from trader_pipeline.schema import TABLES, Table

EVERY = (*TABLES, PANEL)

Fate = Literal["same", "migrated", "made again", "refused", "unknown"]
"""What becomes of a stored table. `unknown` is one that the code does not declare: SQL reads it as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnDiff:
    """One column that is stored otherwise than it is declared. `change` is added (to the code), gone (from it), type or nulls."""

    column: str
    change: Literal["added", "gone", "type", "nulls"]
    stored: str | None
    declared: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TableDiff:
    """A stored table beside its declaration. `part_versions` are those in the parts' own metadata."""

    table: str
    fate: Fate
    stored: int
    part_versions: tuple[int, ...]
    declared: int | None
    rows: int
    columns: tuple[ColumnDiff, ...]
    why: str


def schema_diff(snapshot: Snapshot) -> list[TableDiff]:
    """Return every table that the lake holds, by name."""
    declared = {table.full_name: table for table in EVERY}
    return [_diff(snapshot, name, entry, declared.get(name)) for name, entry in sorted(snapshot.commit.tables.items()) if entry.parts]


def _diff(snapshot: Snapshot, name: str, entry: Entry, table: Table | None) -> TableDiff:
    schemas = [schema for path in snapshot.files(name) if (schema := _schema(path)) is not None]
    columns = tuple(dict.fromkeys(change for schema in schemas for change in _columns(schema, table))) if table else ()
    fate, why = _fate(entry, table, columns)
    return TableDiff(
        table=name,
        fate=fate,
        stored=entry.schema_version,
        part_versions=tuple(sorted({int((schema.metadata or {}).get(b"schema_version", entry.schema_version)) for schema in schemas})),
        declared=table.version if table else None,
        rows=sum(part.rows for part in entry.parts),
        columns=columns,
        why=why,
    )


def _schema(path: object) -> pa.Schema | None:
    """Return the schema of a part; None of one that is gone or damaged, which `trader doctor` tells."""
    try:
        return pq.read_schema(path)
    except (OSError, pa.ArrowInvalid):
        return None


def _columns(stored: pa.Schema, table: Table) -> Iterator[ColumnDiff]:
    declared: Mapping[str, pa.Field] = {field.name: field for field in table.arrow_schema}
    for name, field in declared.items():
        if name not in stored.names:
            yield ColumnDiff(column=name, change="added", stored=None, declared=str(field.type))
            continue
        old = stored.field(name)
        if old.type != field.type:
            yield ColumnDiff(column=name, change="type", stored=str(old.type), declared=str(field.type))
        if old.nullable != field.nullable:
            yield ColumnDiff(column=name, change="nulls", stored=_nulls(old), declared=_nulls(field))
    for name in stored.names:
        if name not in declared:
            yield ColumnDiff(column=name, change="gone", stored=str(stored.field(name).type), declared=None)


def _nulls(field: pa.Field) -> str:
    return "nulls" if field.nullable else "no nulls"


def _fate(entry: Entry, table: Table | None, columns: tuple[ColumnDiff, ...]) -> tuple[Fate, str]:
    if table is None:
        return "unknown", "the code declares no such table; `trader sql` reads it as it is"
    reading = entry.reading(table)
    if reading == "refused":
        return "refused", str(entry.refusal(table))
    if reading == "made again":
        given_up = [m.says for m in table.migrations if m.rows is None and m.of >= entry.schema_version]
        return "made again", " ".join([*given_up, "`trader run` makes it again from raw."])
    since = {column.name for column in table.columns if column.since > 1}
    untold = [c.column for c in columns if c.change != "nulls" and not (c.change == "added" and c.column in since)]
    if reading == "same" and untold:
        if table is PANEL:
            return "made again", "The declared features changed; `trader run` makes them again."
        return "refused", f"columns changed under one version: {', '.join(untold)}; raise `version` and tell how to migrate"
    steps = [m.says for m in table.migrations if m.of >= entry.schema_version]
    late = sorted(c.column for c in columns if c.change == "added" and c.column in since)
    return reading, " ".join([*steps, *([f"{', '.join(late)}: null in older parts."] if late else [])])
