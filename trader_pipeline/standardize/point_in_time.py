"""Two clocks: tell a first load of history from a later correction, and say when each version was first known.

A first load counts as known when its table's rule says (a bar at its session's close + 30 minutes; basis assumed). A later
value that differs, and a hole inside the loaded history that is filled later, became known when they were fetched (basis
observed); so did a split or dividend that turns up after the bars of its session. A refetch that says the same adds
nothing. A bar fetched before its own session was over is not final and is left out.
"""

from collections.abc import Mapping

import duckdb
import pyarrow as pa

from trader_pipeline.schema import Table, core
from trader_pipeline.standardize.versions import new_versions

FINAL_ONLY = (core.DAILY_BARS, core.CORPORATE_ACTIONS)

SPAN_OF: Mapping[Table, tuple[tuple[str, ...], str]] = {
    core.DAILY_BARS: (("ticker",), "session"),
    core.CORPORATE_ACTIONS: (("ticker",), "session"),
    core.MACRO: (("series", "source"), "observed_on"),
    core.EARNINGS: (("ticker", "source"), "report_date"),
}
"""Whose history, and by which date: what turns up inside the part that was loaded before was not known before.

A ticker's bars are one history whatever their source: with what a second source says of a session that was loaded from the
first nobody acted before it came, and where it fills a hole, yesterday's answer would change.
"""


def loaded_spans(table: Table, rows: pa.Table) -> pa.Table:
    """Return whose history, fetched_at, low and high of what each fetch loaded; `rows` as for `with_clocks`."""
    whose, day = SPAN_OF[table]
    final = "where fetched_at >= first_known_at" if table in FINAL_ONLY else ""
    with duckdb.connect(config={"threads": 2}) as con:
        con.execute("set timezone = 'UTC'")
        con.register("rows", rows)
        return con.sql(
            f"select {', '.join(whose)}, fetched_at, min({day}) as low, max({day}) as high from rows {final} group by all"  # noqa: S608 - identifiers come from the schema
        ).to_arrow_table()


def with_clocks(table: Table, rows: pa.Table, *, loaded: pa.Table | None, stored: pa.Table) -> pa.Table:
    """Return the versions to append to `stored`, the versions of the same facts that are in the lake.

    `rows` have `fetched_at`, `first_known_at` and `first_basis` in the place of the clocks. `loaded` says which spans were
    loaded when (`loaded_spans`; for actions those of the bars), with a fetched_at before all others for what is stored;
    None where a table has no spans.
    """
    with duckdb.connect(config={"threads": 2}) as con:
        con.execute("set timezone = 'UTC'")
        con.register("rows", rows)
        if loaded is not None:
            con.register("loaded", loaded)
        dated = con.sql(_dated(table, has_spans=loaded is not None)).to_arrow_table()
    return new_versions(table, dated, stored)


def _dated(table: Table, *, has_spans: bool) -> str:
    """Return the query that dates first versions at the moment fetched where nothing earlier can be right."""
    final = "where fetched_at >= first_known_at" if table in FINAL_ONLY else ""
    whose, day = SPAN_OF.get(table, ((), ""))
    names = ", ".join(whose)
    before = (
        f""", before as (
            select {names}, fetched_at, min(low) over reached as low, max(high) over reached as high from loaded
            window reached as (partition by {names} order by fetched_at)
        )"""  # noqa: S608 - identifiers come from the schema
        if has_spans
        else ""
    )
    matched = " and ".join(f"r.{name} = b.{name}" for name in whose)
    joined = f"asof left join before b on {matched} and r.fetched_at > b.fetched_at" if has_spans else ""
    inside = f"(b.low <= r.{day} and r.{day} <= b.high) is true" if has_spans else "false"
    return f"""
        with final as (select * from rows {final}) {before},
        judged as (
            select r.*, first_basis <> 'released' and ({inside} or first_known_at is null or first_known_at > r.fetched_at) as late
            from final r {joined}
        )
        select * exclude (late) replace (
            case when late and first_basis = 'observed' then first_known_at when late then fetched_at else first_known_at end
                as first_known_at,
            case when late then 'observed' else first_basis end as first_basis
        ) from judged
    """  # noqa: S608 - identifiers come from the schema, there are no values
