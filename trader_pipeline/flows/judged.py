"""Which bars the rules judge at an instant: what checks at two instants must share for one to speak of the other."""

import datetime as dt

from trader_pipeline import calendar
from trader_pipeline.checks.prepared import DEFAULT_EXCHANGE, exchanges_without_calendar
from trader_pipeline.lake import Snapshot
from trader_pipeline.schema import Table
from trader_pipeline.schema.core import ACCEPTED_BARS, DAILY_BARS, TICKER_MAP


def judged_bars(snapshot: Snapshot, as_of: dt.datetime) -> list[str]:
    """Return how many bars are known at `as_of`, and the last closed session of each exchange. Known rows of one snapshot only grow."""
    listed = snapshot.read(TICKER_MAP, ["exchange"]).to_pylist()
    exchanges = {DEFAULT_EXCHANGE, *(row["exchange"] for row in listed)}.difference(exchanges_without_calendar(listed))
    closed = sorted(f"{exchange} {calendar.last_closed_session(exchange, as_of)}" for exchange in exchanges)
    return [f"{DAILY_BARS.full_name} {rows_known(snapshot, DAILY_BARS, as_of)}", *closed]


def rows_known(snapshot: Snapshot, table: Table, as_of: dt.datetime) -> int:
    """Return how many rows of a table with the column known_at are known at `as_of`."""
    rows = snapshot.sql(f"select count(*) as n from {table.full_name} where known_at <= ?", [as_of])  # noqa: S608 - identifiers come from the schema
    n: int = rows["n"][0].as_py()
    return n


def published_through(snapshot: Snapshot, as_of: dt.datetime) -> dt.date | None:
    """Return the newest session that core.accepted_bars held at `as_of`, None before the first load."""
    rows = snapshot.sql(f"select max(session) as day from {ACCEPTED_BARS.full_name} where known_at <= ?", [as_of])  # noqa: S608 - as above
    day: dt.date | None = rows["day"][0].as_py()
    return day
