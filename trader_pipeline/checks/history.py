"""How long a row has been in quarantine, what left it by itself, and how long a repair has been proposed and applied."""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb
import pyarrow as pa

from trader_pipeline.schema.quality import QUARANTINE, REPAIRS

_SINCE = f"""
select found.*, coalesce(before.first_seen, $as_of) as first_seen,
  coalesce(before.strikes + (before.known_at < $as_of)::bigint, 1) as strikes
from found left join before using ({", ".join(QUARANTINE.key)})
"""  # noqa: S608 - names of the schema
_RELEASED = f"""
select table_name, rule, count(*) as rows from before anti join found using ({", ".join(QUARANTINE.key)}) group by all
"""  # noqa: S608 - as above
SAME_RATIO = 1e-6
"""Relative; a smaller difference is a vendor's float32."""

_STANDING = f"""
select found.*, coalesce(first_proposed, $as_of) as first_proposed,
  if(found.applied, coalesce(applied_since, $as_of), null) as applied_since
from found left join (select * exclude (applied) from before) before on
  {" and ".join(f"before.{name} = found.{name}" for name in REPAIRS.key)}
  and if(before.stored = 0 or found.stored = 0, before.stored = found.stored and before.proposed = found.proposed,
    abs(before.proposed / before.stored - found.proposed / found.stored) <= {SAME_RATIO} * abs(found.proposed / found.stored))
"""  # noqa: S608 - as above


def since(before: pa.Table, found: pa.Table, as_of: dt.datetime) -> tuple[pa.Table, dict[tuple[str, str], int]]:
    """Return the rows `found` now with first_seen and strikes, and how many of `before` were released, by table and rule.

    `before` is quality.quarantine as it was. Checks of one instant count once. A row that is not found any more is released: the
    source healed it, or a person did; when it comes again it counts from one.
    """
    with _comparing(before, found) as connection:
        kept = connection.sql(_SINCE, params={"as_of": as_of}).to_arrow_table()
        released = connection.sql(_RELEASED).fetchall()
    return kept, {(table, rule): rows for table, rule, rows in released}


def standing_since(before: pa.Table, found: pa.Table, as_of: dt.datetime) -> pa.Table:
    """Return the repairs `found` now, which say `applied`, with first_proposed and applied_since. `before` is quality.repairs as it was.

    Of a repair whose ratio changes, both begin anew: it is another one. Of one that is not applied applied_since is null.
    """
    with _comparing(before, found) as connection:
        return connection.sql(_STANDING, params={"as_of": as_of}).to_arrow_table()


@contextmanager
def _comparing(before: pa.Table, found: pa.Table) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"threads": 2}) as connection:
        connection.execute("set timezone = 'UTC'")
        connection.register("before", before)
        connection.register("found", found)
        yield connection
