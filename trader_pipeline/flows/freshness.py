"""How many sessions each table lies behind the market: one answer for the check, the sensor and the dashboard."""

import datetime as dt

from trader_pipeline.checks.context import DEFAULT_EXCHANGE
from trader_pipeline.checks.freshness import sessions_behind
from trader_pipeline.lake import Lake
from trader_pipeline.schema.core import ACCEPTED_BARS, DAILY_BARS

JUDGED = (DAILY_BARS, ACCEPTED_BARS)
"""Tables that a fetch can bring up to date."""

_EXCHANGE = "select coalesce(mode(exchange), ?) as exchange from core.ticker_map"


def staleness(lake: Lake, *, as_of: dt.datetime) -> dict[str, int]:
    """Return the sessions that closed (+ 30 min) before `as_of` and after each table's newest one, by table name.

    A table without rows is absent: it is not stale, it was never filled. The calendar is the one of most tickers.
    """
    snapshot = lake.snapshot()
    exchange = snapshot.sql(_EXCHANGE, [DEFAULT_EXCHANGE])["exchange"][0].as_py()
    behind = {}
    for table in JUDGED:
        newest = snapshot.sql(f"select max(session) as day from {table.full_name} where known_at <= ?", [as_of])["day"][0].as_py()  # noqa: S608 - a table of the schema
        if newest is not None:
            behind[table.full_name] = sessions_behind(newest, exchange, as_of)
    return behind
