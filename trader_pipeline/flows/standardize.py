"""Turn a source's raw rows into core tables; a bar that is known already is never written again."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from trader_pipeline.lake import Change, Lake, Snapshot
from trader_pipeline.schema import Table, core
from trader_pipeline.sources.source import Feed
from trader_pipeline.standardize.point_in_time import with_clocks
from trader_pipeline.standardize.universe import stock_members

CODE_VERSION = "2"
"""Rises when the same raw rows would give other core rows."""

CLOCKED = (core.DAILY_BARS, core.CORPORATE_ACTIONS)
"""Tables whose clocks are filled here; the universe follows from the tickers; a source hands over all others complete."""

DERIVED = tuple(table for table in core.TABLES if table is not core.ACCEPTED_BARS)


@dataclass(frozen=True, slots=True, kw_only=True)
class StandardizeOutcome:
    """Rows of every core table afterwards, and whether the lake changed."""

    rows: Mapping[str, int]
    changed: bool


def standardize(lake: Lake, feeds: tuple[Feed, ...], *, as_of: dt.datetime, run_id: str) -> StandardizeOutcome:  # noqa: ARG001 - every flow takes both
    """Bring the core tables up to date with the source's raw tables; does nothing when they are.

    All versions are kept whatever `as_of` says: readers ask for what was known with `Snapshot.known`.
    """
    (source,) = feeds
    snapshot = lake.snapshot()
    inputs = f"{snapshot.data_version(source.raw_tables)}:{CODE_VERSION}"
    if snapshot.inputs(core.DAILY_BARS) == inputs:
        return _outcome(snapshot, changed=False)
    found = dict(source.to_core({table.full_name: snapshot.read(table) for table in source.raw_tables}))
    exchanges = _exchanges(found[core.TICKER_MAP])
    bars = found[core.DAILY_BARS]
    for table in CLOCKED:
        if table in found:
            found[table] = with_clocks(table, found[table], exchanges, bars=bars)
    found[core.UNIVERSE] = stock_members(found[core.TICKER_MAP], source.source)
    lake.publish(*(_change(snapshot, table, rows, inputs) for table, rows in found.items()))
    return _outcome(lake.snapshot(), changed=True)


def _change(snapshot: Snapshot, table: Table, rows: pa.Table, inputs: str) -> Change:
    """Append what is new where all that is stored still holds; replace the table where something stored does not."""
    rows, stored = table.conform(rows), snapshot.read(table)
    if not stored.num_rows:
        return Change.replace(table, rows, inputs=inputs)
    with duckdb.connect(config={"threads": 2}) as con:
        con.execute("set timezone = 'UTC'")
        con.register("rows", rows)
        con.register("stored", stored)
        if con.sql("select count(*) from (from stored except from rows)").fetchall()[0][0]:
            return Change.replace(table, rows, inputs=inputs)
        return Change.append(table, con.sql("from rows except from stored").to_arrow_table(), inputs=inputs)


def _exchanges(ticker_map: pa.Table) -> dict[str, str]:
    """Return the calendar of each ticker."""
    return dict(zip(ticker_map["ticker"].to_pylist(), ticker_map["exchange"].to_pylist(), strict=True))


def _outcome(snapshot: Snapshot, *, changed: bool) -> StandardizeOutcome:
    return StandardizeOutcome(rows={table.full_name: snapshot.rows(table) for table in DERIVED}, changed=changed)
