"""What a column and a table are: names, types, units, keys, and the one function that enforces them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from trader_pipeline.errors import SchemaError

_SHOWN = 40
"""Characters of a value that an error shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One quantity. Same name, same unit, same meaning in every table.

    `since` is the version of its table that brought it; a column that came later is nullable, and null in older parts.
    """

    name: str
    dtype: pa.DataType
    unit: str
    description: str
    nullable: bool = False
    since: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """How stored rows of version `of` become rows of the next version, and in words what that does.

    `rows` gets the columns as they were stored, and leaves what came since (`Column.since`) to `Table.upgrade`. None says that
    nothing honest can be made of them: the table is made again from raw.
    """

    of: int
    says: str
    rows: Callable[[pa.Table], pa.Table] | None


Reading = Literal["same", "migrated", "made again", "refused"]
"""What becomes of a stored version when this code reads it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A named set of columns with a key. Its name is its asset key, its folder in the lake and its DuckDB view.

    `year_of` names the date or timestamp column by whose year the parts are split; None keeps one part group.
    `version` rises when a column or the key changes; it is written in every part. A step that only brought columns is told by
    their `since`; any other has a `Migration`.
    """

    layer: str
    name: str
    description: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    year_of: str | None = None
    version: int = 1
    migrations: tuple[Migration, ...] = ()

    @property
    def full_name(self) -> str:
        """`core.daily_bars`."""
        return f"{self.layer}.{self.name}"

    @property
    def path(self) -> tuple[str, str]:
        """The asset key's parts."""
        return (self.layer, self.name)

    @property
    def made_again(self) -> bool:
        """Whether everything in the table comes from raw tables, so that a run makes it again where its stored version cannot be read."""
        return self.layer in {"core", "features"}

    @property
    def reads(self) -> int:
        """Oldest version whose parts this code reads: each step from there has a migration, or only brought columns."""
        steps = {column.since - 1 for column in self.columns} | {migration.of for migration in self.migrations if migration.rows}
        oldest = self.version
        while oldest > 1 and oldest - 1 in steps:
            oldest -= 1
        return oldest

    def reading(self, version: int) -> Reading:
        """Say what becomes of stored parts of `version`."""
        if version == self.version:
            return "same"
        if self.reads <= version < self.version:
            return "migrated"
        return "made again" if version < self.version and self.made_again else "refused"

    def rewrites(self, version: int) -> bool:
        """Say whether parts of `version` become something else than themselves with nulls in the columns that came later."""
        return any(version <= migration.of < self.version for migration in self.migrations)

    def version_of(self, schema: pa.Schema) -> int:
        """Return the version that a part was written in, from its metadata."""
        return int((schema.metadata or {}).get(b"schema_version", self.version))

    def upgrade(self, rows: pa.Table, version: int) -> pa.Table:
        """Return the whole of a part of `version` as a part of this table: every migration from there on, conformed and sorted."""
        for migration in sorted(self.migrations, key=lambda m: m.of):
            if migration.rows and version <= migration.of < self.version:
                rows = migration.rows(rows)
        return self.sorted(self.conform(rows))

    def complete(self, rows: pa.Table, columns: Sequence[str] | None = None) -> pa.Table:
        """Return stored `rows` with the columns that came after them as nulls, in this table's order; `columns` picks some."""
        wanted = [c for c in self.columns if columns is None or c.name in columns]
        late = [c for c in wanted if c.since > 1 and c.name not in rows.column_names]
        for column in late:
            rows = rows.append_column(column.name, pa.nulls(rows.num_rows, column.dtype))
        return rows.select([c.name for c in wanted]) if late else rows

    @property
    def arrow_schema(self) -> pa.Schema:
        """Column types with the table's name and version in the metadata."""
        fields = [pa.field(c.name, c.dtype, nullable=c.nullable) for c in self.columns]
        return pa.schema(fields, metadata={"table": self.full_name, "schema_version": str(self.version)})

    def empty(self) -> pa.Table:
        """Return a table of no rows."""
        return self.arrow_schema.empty_table()

    def conform(self, table: pa.Table, *, source: str = "") -> pa.Table:
        """Return `table` with this table's columns, order and types; NaN becomes null.

        Nullable columns that are absent are filled with null. Raises one `SchemaError` that names every unknown and missing
        column, every value that does not fit its type (rows count from 1) and every null where none is allowed; `source` is
        the vendor, where the caller knows it.
        """
        have, want = set(table.column_names), {c.name for c in self.columns}
        faults: list[str] = []
        arrays = []
        for column in self.columns:
            if column.name not in have:
                arrays.append(pa.chunked_array([pa.nulls(table.num_rows, column.dtype)]))
                continue
            values, fault = _fitted(table[column.name], column)
            arrays.append(values)
            faults += [f'column "{column.name}": {fault}'] if fault else []
        missing = [c.name for c in self.columns if not c.nullable and c.name not in have]
        faults += [f"missing: {_listed(missing)}"] if missing else []
        faults += [f"unknown: {_listed(sorted(have - want))}"] if have - want else []
        if faults:
            name = f"{self.full_name} ({source})" if source else self.full_name
            raise SchemaError(f"{name}: {'; '.join(faults)}; declare what is new in trader_pipeline/schema, map or fill the rest")
        return pa.Table.from_arrays(arrays, schema=self.arrow_schema)

    def sorted(self, table: pa.Table) -> pa.Table:
        """Return `table` sorted by the key; raise `SchemaError` when two rows share one (sorted adjacency)."""
        ordered = table.sort_by([(name, "ascending") for name in self.key]).combine_chunks()
        if ordered.num_rows <= 1:
            return ordered
        same = None
        for name in self.key:
            column = ordered[name].combine_chunks()
            equal = pc.fill_null(pc.equal(column.slice(1), column.slice(0, len(column) - 1)), fill_value=False)
            same = equal if same is None else pc.and_(same, equal)
        repeats = pc.indices_nonzero(same)
        if len(repeats):
            row = ordered.slice(repeats[0].as_py(), 1).select(list(self.key)).to_pylist()[0]
            shown = ", ".join(f"{k}={v}" for k, v in row.items())
            raise SchemaError(f"{self.full_name}: {len(repeats)} rows repeat a key, first {shown}; drop one of each before publishing")
        return ordered


def _fitted(values: pa.ChunkedArray, column: Column) -> tuple[pa.ChunkedArray, str]:
    """Return the values in the column's type, and what does not fit; nothing where all do."""
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if pa.types.is_floating(values.type):
        values = pc.if_else(pc.is_nan(values), pa.scalar(None, values.type), values)
    told = ""
    if values.type != column.dtype:
        try:
            values = _cast(values, column.dtype)
        except pa.ArrowNotImplementedError:
            told = f"expected {column.dtype}, got {values.type}"
        except pa.ArrowInvalid:
            told = f"expected {column.dtype}, got {values.type} ({_misfit(values, column.dtype)})"
    if not told and not column.nullable and values.null_count:
        row = pc.index(pc.is_null(values), value=True).as_py() + 1
        told = f"expected no null, got {values.null_count} (first in row {row})"
    return values, told


def _cast(values: pa.ChunkedArray, dtype: pa.DataType) -> pa.ChunkedArray:
    return values.cast(dtype, safe=not pa.types.is_float32(dtype))


def _misfit(values: pa.ChunkedArray, dtype: pa.DataType) -> str:
    """Return the first value that does not fit, with its row, by bisection."""
    first, beyond = 0, len(values)
    while beyond - first > 1:
        middle = (first + beyond) // 2
        try:
            _cast(values.slice(first, middle - first), dtype)
            first = middle
        except pa.ArrowInvalid:
            beyond = middle
    shown = values[first].as_py()
    text = f'"{shown[:_SHOWN]}"' if isinstance(shown, str) else str(shown)[:_SHOWN]
    return f"{text} in row {first + 1}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)
