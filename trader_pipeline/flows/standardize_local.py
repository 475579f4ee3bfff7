"""Tables that are made anew each time, written as little as possible."""

import duckdb
import pyarrow as pa

from trader_pipeline.lake import Change, Snapshot
from trader_pipeline.schema import Table


def replaced_or_grown(snapshot: Snapshot, table: Table, rows: pa.Table) -> Change:
    """Append what is new where all that is stored still holds; replace the table where something stored does not."""
    rows = table.conform(rows)
    entry = snapshot.commit.tables.get(table.full_name)
    if entry is None or not entry.parts or entry.schema_version != table.version:
        return Change.replace(table, rows)
    with duckdb.connect(config={"threads": 2}) as con:
        con.execute("set timezone = 'UTC'")
        con.register("rows", rows)
        con.register("stored", snapshot.read(table))
        if con.sql("select count(*) from (from stored except from rows)").fetchall()[0][0]:
            return Change.replace(table, rows)
        return Change.append(table, con.sql("from rows except from stored").to_arrow_table())
