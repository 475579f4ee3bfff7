"""Which rows of an answer are worth storing: bars that were final, and facts that say something new."""

import datetime as dt

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trader_pipeline import calendar
from trader_pipeline.lake import Snapshot
from trader_pipeline.schema import Table
from trader_pipeline.sources.listings import listing_of
from trader_pipeline.sources.source import FetchRequest

FINAL_AFTER_DAYS = 3
"""A row of a local file that was read this many days after its date was final, so one that says the same again is no news."""

_NO_NEWS = frozenset({"fetched_at", "request_sha256", "file", "frame", "acceptanceDateTime"})
"""Columns that say nothing new: where a row was read, the SEC's `frame`, which moves to every newer filing of a figure, and its stamp
of acceptance, which old filings lose."""


def final(rows: pa.Table, bars: Table, request: FetchRequest) -> pa.Table:
    """Return the bars that were final, close + 30 min, when they were asked for."""
    tickers = rows["ticker"].combine_chunks().dictionary_encode()
    exchanges = np.array([listing_of(name).exchange for name in tickers.dictionary.to_pylist()], dtype=object)
    days_R = rows[str(bars.year_of)].to_numpy().astype("datetime64[D]")
    asked_on = np.datetime64(request.asked_at.astimezone(dt.UTC).date())
    final_R = days_R < asked_on - np.timedelta64(1, "D")  # beyond two days every exchange has closed
    late_R = np.flatnonzero(~final_R)
    exchange_R = exchanges[tickers.indices.to_numpy()[late_R]]
    for exchange in set(exchange_R.tolist()):
        mine_R = late_R[exchange_R == exchange]
        final_R[mine_R] = calendar.final_by(exchange, days_R[mine_R], request.asked_at)
    return rows if final_R.all() else rows.filter(pa.array(final_R))


def stored_like(snapshot: Snapshot, table: Table, rows: pa.Table) -> pa.Table:
    """Return the stored rows that share the first column of the key, where it is a name, and the span of days, with `rows`.

    The day of an answer is no day of what it says: a table by year of `fetched_at` is compared whole.
    """
    lead = table.key[0]
    named = pa.types.is_string(rows.schema.field(lead).type)
    where = [f'"{lead}" in (select unnest($lead::varchar[]))'] if named else []
    parameters: dict[str, object] = {"lead": pc.unique(rows[lead]).to_pylist()} if named else {}
    if table.year_of and table.year_of != "fetched_at":
        where.append(f'"{table.year_of}" between $min and $max')
        parameters |= pc.min_max(rows[table.year_of]).as_py()
    query = f"select * from {table.full_name} where {' and '.join(where) or 'true'}"  # noqa: S608 - identifiers of the schema
    return snapshot.sql(query, parameters)


def unsaid(table: Table, rows: pa.Table, stored: pa.Table, *, settle_days: int | None) -> pa.Table:
    """Return the rows that say something else than the newest stored row of their key.

    Rows that a vendor numbers within a day (`entry`) are a whole: what is made of them sums up, so with one of them all are news.
    With `settle_days` (local files) a stored row counts only when it was read so many days after its date, and of a request
    without news its first row stays: its hash says that these bytes were read.
    """
    identity = ", ".join(f'"{name}"' for name in table.key if name != "fetched_at")
    said = [f'"{column.name}"' for column in table.columns if column.name not in _NO_NEWS]
    day = ", ".join(f'fresh."{name}"' for name in table.key if name not in {"fetched_at", "entry"})
    news = f"qualify bool_or(final.known is null) over (partition by {day})" if "entry" in table.key else "where final.known is null"
    settled = f'where fetched_at >= "{table.year_of}" + to_days({settle_days})' if settle_days and table.year_of else ""
    witness = f"""or row_number() over (
        partition by fresh.request_sha256 order by final.known nulls first, {", ".join(f'fresh."{name}"' for name in table.key)}) = 1"""
    with duckdb.connect(config={"threads": 2}) as con:
        con.execute("set timezone = 'UTC'")
        con.register("fresh", rows)
        con.register("stored", stored)
        query = f"""
            with newest as (
                select * from stored qualify row_number() over (partition by {identity} order by fetched_at desc) = 1
            ), final as (select {", ".join(said)}, true as known from newest {settled})
            select fresh.* from fresh left join final on {" and ".join(f"fresh.{name} is not distinct from final.{name}" for name in said)}
            {f"qualify final.known is null {witness}" if settle_days else news}
        """  # noqa: S608 - identifiers come from the schema, the number is a constant
        return con.sql(query).to_arrow_table()
