"""What the Dagster UI shows of a table."""

from collections.abc import Iterable, Mapping
from typing import Any

import dagster as dg
import pyarrow as pa

from trader_pipeline.lake import Snapshot
from trader_pipeline.schema import Table


def schema_of(table: Table) -> dg.TableSchema:
    """Return the column schema with units and descriptions."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                c.name,
                str(c.dtype),
                description=f"{c.description} [{c.unit}]",
                constraints=dg.TableColumnConstraints(nullable=c.nullable),
            )
            for c in table.columns
        ]
    )


def table_spec(table: Table, *, group: str, deps: Iterable[Table] = (), **more: Any) -> dg.AssetSpec:
    """Return the asset of a lake table."""
    return dg.AssetSpec(
        key=dg.AssetKey(list(table.path)),
        deps=[dg.AssetKey(list(d.path)) for d in deps],
        description=table.description,
        group_name=group,
        kinds={"parquet", "duckdb"},
        code_version=str(table.version),
        metadata={"dagster/column_schema": schema_of(table), "dagster/table_name": table.full_name},
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
