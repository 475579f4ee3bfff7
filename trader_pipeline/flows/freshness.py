"""How many sessions each table lies behind the market: one answer for the check, the sensor and the dashboard, and what follows from it."""

import datetime as dt
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from trader_pipeline import calendar
from trader_pipeline.checks.freshness import sessions_behind
from trader_pipeline.checks.prepared import DEFAULT_EXCHANGE
from trader_pipeline.lake import Lake
from trader_pipeline.schema.core import ACCEPTED_BARS, DAILY_BARS

JUDGED = (DAILY_BARS, ACCEPTED_BARS)
"""Tables that a fetch can bring up to date."""

_EXCHANGE = "select coalesce(mode(exchange), ?) as exchange from core.ticker_map"


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """How old the tables are at one instant.

    `target` is the last session that closed (+ 30 min) before it, on the calendar of most tickers; `newest` each table's own last
    session and `behind` the sessions between the two, by table name.
    """

    target: dt.date
    newest: Mapping[str, dt.date]
    behind: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reaction:
    """What to do about stale tables: those to fetch again, and those to tell somebody about. `seen` was done about the others."""

    target: dt.date
    seen: Mapping[str, str]
    fetch: tuple[str, ...]
    tell: tuple[str, ...]

    def cursor(self, told: Collection[str]) -> str:
        """Return what to remember when `fetch` is fetched and `told` of `tell` reached somebody; the rest is to be told again."""
        done = {**self.seen, **dict.fromkeys(self.fetch, _FETCHED), **dict.fromkeys(told, _TOLD)}
        return json.dumps({"target": self.target.isoformat(), "tables": done}, sort_keys=True)


def freshness(lake: Lake, *, as_of: dt.datetime) -> Freshness:
    """Judge the tables at `as_of`. A table without rows is absent: it is not stale, it was never filled."""
    snapshot = lake.snapshot()
    exchange = snapshot.sql(_EXCHANGE, [DEFAULT_EXCHANGE])["exchange"][0].as_py()
    newest = {}
    for table in JUDGED:
        day = snapshot.sql(f"select max(session) as day from {table.full_name} where known_at <= ?", [as_of])["day"][0].as_py()  # noqa: S608 - a table of the schema
        if day is not None:
            newest[table.full_name] = day
    return Freshness(
        target=calendar.last_closed_session(exchange, as_of),
        newest=newest,
        behind={name: sessions_behind(day, exchange, as_of) for name, day in newest.items()},
    )


def staleness(lake: Lake, *, as_of: dt.datetime) -> dict[str, int]:
    """Return the sessions that closed (+ 30 min) before `as_of` and after each table's newest one, by table name."""
    return dict(freshness(lake, as_of=as_of).behind)


def react(behind: Mapping[str, int], target: dt.date, cursor: str, *, limit: int) -> Reaction:
    """Decide what to do about tables that are `limit` sessions or more behind `target`.

    A table is fetched again the first time that it is found stale at a target session, told about from the second time on until
    somebody was reached, and left alone until the next session closes. `cursor` is what the last decision remembered; one that cannot
    be read remembers nothing.
    """
    seen = _remembered(cursor, target)
    stale = sorted(table for table, sessions in behind.items() if sessions >= limit)
    fetch = tuple(table for table in stale if table not in seen)
    tell = tuple(table for table in stale if seen.get(table) == _FETCHED)
    return Reaction(target=target, seen=seen, fetch=fetch, tell=tell)


_FETCHED, _TOLD = "fetched", "told"


def _remembered(cursor: str, target: dt.date) -> dict[str, str]:
    try:
        kept = json.loads(cursor)
        return dict(kept["tables"]) if kept["target"] == target.isoformat() else {}
    except (ValueError, KeyError, TypeError):
        return {}
