"""Actions that a vendor took back: a bar row that carried a split or dividend comes again without it."""

import duckdb
import pyarrow as pa


def taken_back(actions: pa.Table, bars: pa.Table, stored: pa.Table) -> pa.Table:
    """Return `actions` with a row of value 1 (split) or 0 (dividend) for every bar that came without an action known of its session.

    Only for sources whose bar rows carry the actions. `actions` and `bars` are what came, with `fetched_at`; `stored` are the
    core.corporate_actions in the lake. A bar without a close says nothing. Rows for actions that were never there before are
    dropped with the repeats.
    """
    with duckdb.connect(config={"threads": 2}) as con:
        con.execute("set timezone = 'UTC'")
        con.register("actions", actions)
        con.register("bars", bars)
        con.register("stored", stored)
        return con.sql(
            """
            with ever as (
                select ticker, session, source, kind from actions union select ticker, session, source, kind from stored
            )
            select * from actions
            union all by name
            select e.*, case e.kind when 'split' then 1.0 else 0.0 end as value, b.fetched_at, b.first_known_at, b.first_basis
            from (select distinct ticker, session, source, fetched_at, first_known_at, first_basis from bars where close is not null) b
            join ever e using (ticker, session, source)
            anti join actions a
                on a.ticker = e.ticker and a.session = e.session and a.source = e.source and a.kind = e.kind and a.fetched_at = b.fetched_at
            """
        ).to_arrow_table()
