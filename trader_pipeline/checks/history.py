"""How long a row has been in quarantine, and what left it by itself."""

import datetime as dt

import duckdb
import pyarrow as pa

from trader_pipeline.schema.quality import QUARANTINE

_SINCE = f"""
select found.*, coalesce(before.first_seen, $as_of) as first_seen,
  coalesce(before.strikes + (before.known_at < $as_of)::bigint, 1) as strikes
from found left join before using ({", ".join(QUARANTINE.key)})
"""  # noqa: S608 - names of the schema
_RELEASED = f"""
select table_name, rule, count(*) as rows from before anti join found using ({", ".join(QUARANTINE.key)}) group by all
"""  # noqa: S608 - as above


def since(before: pa.Table, found: pa.Table, as_of: dt.datetime) -> tuple[pa.Table, dict[tuple[str, str], int]]:
    """Return the rows `found` now with first_seen and strikes, and how many of `before` were released, by table and rule.

    `before` is quality.quarantine as it was. Checks of one instant count once. A row that is not found any more is released: the
    source healed it, or a person did; when it comes again it counts from one.
    """
    with duckdb.connect(config={"threads": 2}) as connection:
        connection.execute("set timezone = 'UTC'")
        connection.register("before", before)
        connection.register("found", found)
        kept = connection.sql(_SINCE, params={"as_of": as_of}).to_arrow_table()
        released = connection.sql(_RELEASED).fetchall()
    return kept, {(table, rule): rows for table, rule, rows in released}
