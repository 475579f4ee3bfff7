"""What the Dagster UI shows of a table."""

from collections.abc import Iterable, Mapping
from typing import Any

import dagster as dg
import pyarrow as pa

from trader_pipeline.flows.lineage import LINEAGE, NAMED
from trader_pipeline.lake import Snapshot
from trader_pipeline.schema import Column, Table


def schema_of(table: Table) -> dg.TableSchema:
    """Return the column schema with units, descriptions and, in words, the origins: the open UI draws no lineage of columns."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                c.name,
                str(c.dtype),
                description=_described(table, c),
                constraints=dg.TableColumnConstraints(nullable=c.nullable),
            )
            for c in table.columns
        ]
    )


def lineage_of(table: Table) -> dg.TableColumnLineage | None:
    """Return from which columns of other tables each column is made: of none where it is made here. None of a raw table.

    It is a fact of the definition. A materialization does not repeat it: a year of forecasts would store 14 MB of it.
    """
    if table not in LINEAGE:
        return None
    deps = {
        c.name: [dg.TableColumnDep(dg.AssetKey(list(origin.path)), name) for origin, name in LINEAGE[table].deps(c.name, NAMED)]
        for c in table.columns
    }
    return dg.TableColumnLineage(deps)


def _described(table: Table, column: Column) -> str:
    said = f"{column.description} [{column.unit}]"
    return f"{said} From {LINEAGE[table].said(column.name)}." if table in LINEAGE else said


def table_spec(table: Table, *, group: str, deps: Iterable[Table] = (), **more: Any) -> dg.AssetSpec:
    """Return the asset of a lake table, with the schema and the lineage of its columns."""
    lineage = lineage_of(table)
    return dg.AssetSpec(
        key=dg.AssetKey(list(table.path)),
        deps=[dg.AssetKey(list(d.path)) for d in deps],
        description=table.description,
        group_name=group,
        kinds={"parquet", "duckdb"},
        code_version=str(table.version),
        metadata={"dagster/column_schema": schema_of(table), "dagster/table_name": table.full_name}
        | ({"dagster/column_lineage": lineage} if lineage else {}),
        **more,
    )


def table_result(snapshot: Snapshot, table: Table, more: Mapping[str, Any] | None = None) -> dg.MaterializeResult:
    """Return rows, commit and data version of a table as a materialization."""
    return dg.MaterializeResult(
        asset_key=dg.AssetKey(list(table.path)),
        metadata={"dagster/row_count": snapshot.rows(table), "commit": snapshot.commit.id, **(more or {})},
        data_version=dg.DataVersion(snapshot.data_version([table])),
    )


def records(rows: pa.Table, limit: int = 200) -> dg.MetadataValue:
    """Return rows as a table of the UI, at most `limit` of them."""
    shown = [
        dg.TableRecord({k: v if isinstance(v, int | float | bool | str) else str(v) for k, v in r.items()})
        for r in rows.slice(0, limit).to_pylist()
    ]
    schema = dg.TableSchema(columns=[dg.TableColumn(name, "string") for name in rows.column_names])
    return dg.MetadataValue.table(records=shown, schema=schema)
