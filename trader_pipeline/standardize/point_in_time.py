"""Two clocks: tell a first load of history from a later correction, and say when each version was first known.

A first load counts as known at its session's close + 30 minutes (basis assumed). A later value that differs, and a hole
inside the loaded history that is filled later, became known when they were fetched (basis observed); so did a split or
dividend that turns up after the bars of its session. A refetch that says the same adds nothing. A row fetched before its
own session was over is not final and is left out.
"""

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trader_pipeline import calendar
from trader_pipeline.schema import Table

RELATIVE_TOLERANCE = 1e-6
"""Vendors send float32: two values closer than this are the same value."""

_BASIS = "known_at_basis"


def with_clocks(table: Table, rows: pa.Table, exchange_of: dict[str, str], *, bars: pa.Table) -> pa.Table:
    """Return `rows` (all versions, with `fetched_at`) with `known_at` and `known_at_basis`, repeats dropped.

    `table` is core.daily_bars or core.corporate_actions; `exchange_of` maps tickers to calendars; `bars`, all versions of
    core.daily_bars with `fetched_at`, says which history was loaded when.
    """
    names = [c.name for c in table.columns if c.name not in {"known_at", _BASIS}]
    identity = [name for name in table.key if name != "known_at"] + (["source"] if "source" not in table.key else [])
    values = [name for name in names if name not in identity]
    rows = rows.append_column("session_known_at", _session_known_at(rows, exchange_of))
    loaded = bars.select(["ticker", "source", "session", "fetched_at"])
    loaded = loaded.append_column("session_known_at", _session_known_at(loaded, exchange_of))
    with duckdb.connect(config={"threads": 2}) as con:
        con.execute("set timezone = 'UTC'")
        con.register("versions", rows)
        con.register("loaded", loaded)
        return con.sql(_query(names, identity, values)).to_arrow_table()


def _query(names: list[str], identity: list[str], values: list[str]) -> str:
    """Return the query; every identifier comes from the schema."""
    same = " and ".join(_same(name) for name in values)
    key = ", ".join(identity)
    return f"""
        with final as (select * from versions where fetched_at >= session_known_at),
        spans as (
            select ticker, source, fetched_at, min(session) as low, max(session) as high
            from loaded where fetched_at >= session_known_at group by all
        ),
        before as (
            select ticker, source, fetched_at, min(low) over reached as low, max(high) over reached as high
            from spans
            window reached as (partition by ticker, source order by fetched_at)
        ),
        ordered as (
            select *, row_number() over version as load, {", ".join(f"lag({v}) over version as previous_{v}" for v in values)}
            from final
            window version as (partition by {key} order by fetched_at)
        ),
        clocked as (
            select o.*, o.load > 1 or (b.low <= o.session and o.session <= b.high) is true as observed
            from ordered o asof left join before b
              on o.ticker = b.ticker and o.source = b.source and o.fetched_at > b.fetched_at
            where o.load = 1 or not ({same})
        )
        select {", ".join(names)},
               case when observed then fetched_at else session_known_at end as known_at,
               case when observed then 'observed' else 'assumed' end as {_BASIS}
        from clocked
    """  # noqa: S608 - identifiers come from the schema, there are no values


def _same(name: str) -> str:
    if name in {"currency", "price_unit", "source"}:
        return f"o.{name} is not distinct from o.previous_{name}"
    return (
        f"(o.{name} is not distinct from o.previous_{name} "
        f"or coalesce(abs(o.{name} - o.previous_{name}) <= {RELATIVE_TOLERANCE} * abs(o.previous_{name}), false))"
    )


def _session_known_at(rows: pa.Table, exchange_of: dict[str, str]) -> pa.Array:
    """Return close + 30 min of each row's session on its ticker's exchange, as UTC timestamps."""
    tickers = rows["ticker"].combine_chunks().dictionary_encode()
    exchanges = np.array([exchange_of[name] for name in tickers.dictionary.to_pylist()], dtype=object)
    exchange_R = exchanges[tickers.indices.to_numpy(zero_copy_only=False)] if rows.num_rows else np.empty(0, dtype=object)
    days_R = rows["session"].to_numpy().astype("datetime64[D]")
    known_R = np.empty(rows.num_rows, dtype="datetime64[us]")
    for exchange in sorted(set(exchanges.tolist())):
        mine = exchange_R == exchange
        known_R[mine] = calendar.known_at_array(exchange, days_R[mine])
    return pc.cast(pa.array(known_R, pa.timestamp("us")), pa.timestamp("us", tz="UTC"))
