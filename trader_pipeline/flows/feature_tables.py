"""What features are made from: the rows of the core tables that were known at an instant and that the checks do not hold."""

import datetime as dt
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trader_pipeline import calendar
from trader_pipeline.features.assemble import CoreTables, assemble
from trader_pipeline.features.market import Market
from trader_pipeline.flows.known_facts import option_quotes, scored_news
from trader_pipeline.lake import Snapshot
from trader_pipeline.schema import Table
from trader_pipeline.schema.core import (
    ACCEPTED_BARS,
    CHARACTERISTICS,
    CORPORATE_ACTIONS,
    EARNINGS,
    FUNDAMENTALS,
    MACRO,
    NEWS,
    NEWS_SCORES,
    OPTION_QUOTES,
    SECTORS,
    TICKER_MAP,
    UNIVERSE,
)
from trader_pipeline.schema.features import MARKET_STATE
from trader_pipeline.sources import FEEDS

CLOCKED = (
    ACCEPTED_BARS,
    CORPORATE_ACTIONS,
    CHARACTERISTICS,
    MACRO,
    FUNDAMENTALS,
    EARNINGS,
    MARKET_STATE,
    NEWS,
    OPTION_QUOTES,
)
INPUTS = (*CLOCKED, SECTORS, TICKER_MAP, NEWS_SCORES, UNIVERSE)
"""The tables that the panel and the labels are made from."""
_HELD_MACRO = "select distinct ticker as series, session as observed_on, source from quality.quarantine where table_name = 'core.macro'"
HELD = """
select table_name, ticker, session, item, source, rule, null::double as ratio from quality.quarantine
where table_name in ('core.macro', 'core.corporate_actions', 'core.fundamentals')
union all
select table_name, ticker, session, column_name, source, rule, proposed / stored from quality.repairs
where applied and applied_since <= ? and table_name = 'core.corporate_actions' order by all
"""
"""What of the tables beside the bars is kept out, or repaired by then: core.accepted_bars has its own version."""
_USABLE_MACRO = f"""
with usable as (
    select * from core.macro anti join ({_HELD_MACRO}) using (series, observed_on, source) where known_at <= ? and vintage <> 'latest'
),
chosen as (
    select series, source from usable group by series, source
    qualify row_number() over (partition by series order by bool_or(vintage = 'released') desc, source) = 1
)
select * from usable semi join chosen using (series, source)
"""  # noqa: S608 - a constant
"""Every version of a series from one source, one with vintages first, but for what the checks hold.

What was revised since, without vintages, is look-ahead."""

_HELD_FUNDAMENTALS = (
    "select distinct ticker, item, session as period_end, source from quality.quarantine where table_name = 'core.fundamentals'"
)
_USABLE_FUNDAMENTALS = f"""
select f.* from core.fundamentals f anti join ({_HELD_FUNDAMENTALS}) h
on f.ticker = h.ticker and f.period_end = h.period_end and f.source = h.source and f.metric || ' ' || f.months = h.item
where f.known_at <= ?
"""  # noqa: S608 - a constant
"""Every version of a filed figure but for what the checks hold."""

INDICES = tuple(feed.source for feed in FEEDS if feed.kind == "members")
"""Where one of them is switched on, statistics over the tickers of a session are of its members on that day."""
_MEMBERS = "select * from core.universe where list_contains($1, universe)"
_FIRST_BARS = "select ticker, min(session) as session from core.accepted_bars where known_at <= ? group by ticker order by ticker"
_DAYS = "select distinct session from core.accepted_bars where known_at <= ? order by session"
_BARS_SINCE = """
select * from core.accepted_bars where known_at <= $as_of and session >= $since
qualify row_number() over (partition by ticker, session order by known_at desc) = 1 order by ticker, session
"""


@dataclass(frozen=True, eq=False, kw_only=True)
class History:
    """The whole history's sessions [T], when each one's bars are known, and each ticker's first bar (ticker, session)."""

    sessions: calendar.Days
    known_at: calendar.Days
    first_bars: pa.Table


def read_history(snapshot: Snapshot, as_of: dt.datetime) -> History:
    """Return the sessions of the exchange that most tickers are listed on, and any others that bars have."""
    exchange = _exchange(snapshot.read(TICKER_MAP, ["exchange"]))
    days = snapshot.sql(_DAYS, [as_of])["session"].to_numpy().astype("datetime64[D]")
    sessions = np.union1d(calendar.sessions(exchange, days[0].item(), days[-1].item()), days) if len(days) else days
    return History(sessions=sessions, known_at=calendar.known_at_array(exchange, sessions), first_bars=first_bars(snapshot, as_of))


def first_bars(snapshot: Snapshot, as_of: dt.datetime) -> pa.Table:
    """Return the session of each ticker's first bar, by ticker."""
    return snapshot.sql(_FIRST_BARS, [as_of])


def read_tables(snapshot: Snapshot, as_of: dt.datetime, *, since: dt.date = dt.date.min) -> CoreTables:
    """Return what was known at `as_of`, of bars and option quotes those of the sessions from `since` on."""
    return CoreTables(
        accepted_bars=snapshot.sql(_BARS_SINCE, {"as_of": as_of, "since": since}),
        corporate_actions=snapshot.actions(as_of),
        ticker_map=snapshot.read(TICKER_MAP),
        sectors=snapshot.read(SECTORS),
        characteristics=_known_versions(snapshot, CHARACTERISTICS, as_of),
        macro=snapshot.sql(_USABLE_MACRO, [as_of]),
        fundamentals=snapshot.sql(_USABLE_FUNDAMENTALS, [as_of]),
        earnings=_known_versions(snapshot, EARNINGS, as_of),
        market_state=snapshot.known(MARKET_STATE, as_of),
        scored_news=scored_news(snapshot, as_of),
        option_quotes=option_quotes(snapshot, as_of, since=since),
        universe=snapshot.sql(_MEMBERS, [list(INDICES)]),
    )


def read_market(snapshot: Snapshot, as_of: dt.datetime) -> Market:
    """Return the dense market of what was known at `as_of`, on all its sessions."""
    history = read_history(snapshot, as_of)
    return assemble(read_tables(snapshot, as_of), history.sessions, history.known_at)


def _known_versions(snapshot: Snapshot, table: Table, as_of: dt.datetime) -> pa.Table:
    return snapshot.sql(f"select * from {table.full_name} where known_at <= ?", [as_of])  # noqa: S608 - identifiers come from the schema


def _exchange(listed: pa.Table) -> str:
    """Return the exchange that most tickers are listed on; XNYS where the map names none."""
    counts = pc.value_counts(listed["exchange"]).to_pylist()
    return str(max(counts, key=lambda c: (c["counts"], c["values"]))["values"]) if counts else "XNYS"
