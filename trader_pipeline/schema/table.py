"""What a column and a table are: names, types, units, keys, and the one function that enforces them."""

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from trader_pipeline.errors import SchemaError


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
class Table:
    """A named set of columns with a key. Its name is its asset key, its folder in the lake and its DuckDB view.

    `year_of` names the date or timestamp column by whose year the parts are split; None keeps one part group.
    `version` rises when a column changes; it is written in every part.
    """

    layer: str
    name: str
    description: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    year_of: str | None = None
    version: int = 1

    @property
    def full_name(self) -> str:
        """`core.daily_bars`."""
        return f"{self.layer}.{self.name}"

    @property
    def path(self) -> tuple[str, str]:
        """The asset key's parts."""
        return (self.layer, self.name)

    @property
    def reads(self) -> int:
        """Oldest version whose parts this code reads: every later one only brought columns, which are null there."""
        brought = {column.since for column in self.columns}
        oldest = self.version
        while oldest > 1 and oldest in brought:
            oldest -= 1
        return oldest

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

    def conform(self, table: pa.Table) -> pa.Table:
        """Return `table` with this table's columns, order and types; NaN becomes null.

        Nullable columns that are absent are filled with null. Raises `SchemaError` on an unknown or missing
        column, a value that does not fit its type, or a null where none is allowed.
        """
        have, want = set(table.column_names), {c.name for c in self.columns}
        if unknown := sorted(have - want):
            raise SchemaError(f"{self.full_name}: unknown columns {unknown}; drop them or declare them in schema/{self.layer}.py")
        if missing := sorted(c.name for c in self.columns if not c.nullable and c.name not in have):
            raise SchemaError(f"{self.full_name}: missing columns {missing}; fill them before publishing")
        arrays = [self._column(table, column) for column in self.columns]
        return pa.Table.from_arrays(arrays, schema=self.arrow_schema)

    def _column(self, table: pa.Table, column: Column) -> pa.ChunkedArray:
        if column.name not in table.column_names:
            return pa.chunked_array([pa.nulls(table.num_rows, column.dtype)])
        values = table[column.name]
        if pa.types.is_dictionary(values.type):
            values = values.cast(values.type.value_type)
        if pa.types.is_floating(values.type):
            values = pc.if_else(pc.is_nan(values), pa.scalar(None, values.type), values)
        if values.type != column.dtype:
            try:
                values = values.cast(column.dtype, safe=not pa.types.is_float32(column.dtype))
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
                raise SchemaError(f"{self.full_name}.{column.name}: {values.type} does not fit {column.dtype}: {error}") from error
        if not column.nullable and values.null_count:
            raise SchemaError(f"{self.full_name}.{column.name}: {values.null_count} nulls in a column that allows none")
        return values

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
