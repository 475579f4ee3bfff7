"""The tables that every rule looks at, made once of the bars: series, their exchanges' sessions, who leads and who stands in."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import duckdb
import pyarrow as pa

from trader_pipeline import calendar
from trader_pipeline.schema.columns import DATE

DEFAULT_EXCHANGE = "XNYS"
"""Calendar of a ticker that core.ticker_map does not know, or whose exchange has none."""

_LISTINGS = """
create temp table listings as
with mapped as (
  select ticker, arg_max(exchange, valid_from) as exchange, case when count(*) = count(valid_to) then max(valid_to) end as valid_to
  from ticker_map group by all
)
select ticker, if(exchange is null or list_contains($without_calendar, exchange), $default, exchange) as exchange, valid_to
from (select distinct ticker from spans) left join mapped using (ticker)
"""
_LEADS = """
create temp table leads as
with placed as (
  select ticker, source, coalesce(list_position($order::varchar[], source::varchar), 1000) as place from reaches
)
select *, case when len($order::varchar[]) = 0 then source else first_value(source) over (partition by ticker order by place, source) end
  as lead
from placed
"""
_BARS = """
create temp table bars as
select b.* replace (b.ticker::names as ticker, b.source::sources as source), s.position::int as position
from known_bars b join listings l on l.ticker = b.ticker left join sessions s on s.exchange = l.exchange and s.session = b.session
"""
_SUPERSEDED = """
delete from bars using (
  select ticker, session, source, max(known_at) as newest from bars group by all having min(known_at) < max(known_at)
) n where bars.ticker = n.ticker and bars.session = n.session and bars.source = n.source and bars.known_at < n.newest
"""
_SERIES = """
create temp table series as
with gaps as (
  select ticker, source, session, position, session - lag(session) over (partition by ticker, source order by session) as gap_days from bars
), counted as (
  select ticker, source, min(session) as first_session, count(*) as rows, count(*) filter (gap_days = 0) as repeats,
    count(*) filter (gap_days > 0) as gaps, count(*) filter (gap_days > 3) as over_3_days, count(*) filter (gap_days > 10) as over_10_days
  from gaps group by all
), repeated as (
  select ticker, source from counted where rows >= 2 * (rows - repeats)
), differing as (
  select ticker, source, avg(differs::int) as share from (
    select ticker, source, session,
      (min(open) < max(open) or min(high) < max(high) or min(low) < max(low) or min(close) < max(close)) is true as differs
    from bars semi join repeated using (ticker, source) group by all
  ) group by all
), ends as (
  select ticker, source, max(session) filter (session <= last_closed) as last_session, min(position) as first_position,
    max(position) filter (session <= last_closed) as last_position
  from bars join listings using (ticker) join closed using (exchange) group by all
)
select c.ticker, c.source, l.exchange, l.valid_to, k.last_closed, c.repeats, c.first_session, e.last_session, e.first_position,
  e.last_position,
  case when d.share > 0.5 then 'intraday'
       when 2 * c.over_10_days > c.gaps then 'monthly'
       when 2 * c.over_3_days > c.gaps then 'weekly'
       else 'daily' end as spacing
from counted c join ends e using (ticker, source) join listings l using (ticker) join closed k using (exchange)
left join differing d using (ticker, source)
order by c.ticker, c.source
"""
_DAILY_SERIES = """
create temp table daily_series as
with whole as (
  select ticker, lead as source, exchange, valid_to, last_closed, min(first_session) as first_session, max(last_session) as last_session,
    min(first_position) as first_position, max(last_position) as last_position
  from series join leads using (ticker, source) where spacing = 'daily' and last_session is not null group by all
), placed as (
  select s.*, n.newest_session, coalesce(c.position, 0) - coalesce(l.position, 0) as behind_sessions,
    coalesce(m.position, 0) - coalesce(l.position, 0) as behind_newest_sessions
  from whole s join (select exchange, max(last_session) as newest_session from whole group by all) n using (exchange)
  asof left join sessions l on l.exchange = s.exchange and l.session <= s.last_session
  asof left join sessions m on m.exchange = s.exchange and m.session <= n.newest_session
  asof left join sessions c on c.exchange = s.exchange and c.session <= s.last_closed
), bounded as (
  select *, case when valid_to is not null then greatest(last_session, least(valid_to, newest_session))
                 when behind_newest_sessions < $presumed_delisted then newest_session
                 else last_session end as until
  from placed
)
select b.* exclude (until), u.position::int as until_position
from bounded b asof left join sessions u on u.exchange = b.exchange and u.session <= b.until
"""


def prepare(connection: duckdb.DuckDBPyConnection, *, as_of: dt.datetime, order: Sequence[str], presumed_delisted: int) -> None:
    """Make the tables of `CheckContext` from the views known_bars, every_bar and ticker_map.

    `presumed_delisted` sessions of silence end a listing. Who leads, and from when to when (`reaches`), is said by every bar of a ticker
    that is seen, also where a window leaves some out.
    """
    connection.execute(
        "create temp table spans as select ticker, source, min(session) as first, max(session) as last from known_bars group by all"
    )
    connection.execute(
        "create temp table reaches as select ticker, source, min(session) as first, max(session) as last from every_bar "
        "semi join spans using (ticker) group by all"
    )
    for name, column in (("names", "ticker"), ("sources", "source")):
        values = connection.sql(f"select distinct {column} from reaches order by all").fetchall()  # noqa: S608 - constants
        quoted = ", ".join("'" + value.replace("'", "''") + "'" for (value,) in values) or "''"
        connection.execute(f"create temp type {name} as enum ({quoted})")
    for table in ("spans", "reaches"):
        connection.execute(f"alter table {table} alter ticker type names")
        connection.execute(f"alter table {table} alter source type sources")
    without_calendar = exchanges_without_calendar(connection.sql("select distinct exchange from ticker_map").to_arrow_table().to_pylist())
    connection.execute(_LISTINGS, {"default": DEFAULT_EXCHANGE, "without_calendar": without_calendar})
    _add_sessions(connection, as_of)
    connection.execute(_BARS)
    connection.execute(_SUPERSEDED)
    connection.execute(_LEADS, {"order": list(order)})
    connection.execute(_SERIES)
    connection.execute(_DAILY_SERIES, {"presumed_delisted": presumed_delisted})


def exchanges_without_calendar(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the exchanges of the rows that no calendar is known for, sorted; their tickers are judged by DEFAULT_EXCHANGE."""
    return sorted(exchange for exchange in {row["exchange"] for row in rows} if calendar.mic(exchange) is None)


def _add_sessions(connection: duckdb.DuckDBPyConnection, as_of: dt.datetime) -> None:
    connection.execute("create temp table sessions (exchange varchar, session date, position bigint)")
    connection.execute("create temp table closed (exchange varchar, judged_from date, last_closed date)")
    spans = connection.sql("select exchange, min(first), max(last) from spans join listings using (ticker) group by all").fetchall()
    for exchange, first, last in spans:
        closed = calendar.last_closed_session(exchange, as_of)
        days = calendar.sessions(exchange, first, max(last, closed))
        connection.register("days", pa.table({"session": pa.array(days, type=DATE)}))
        connection.execute("insert into sessions select ?, session, row_number() over (order by session) from days", [exchange])
        judged_from = calendar.sessions(exchange, dt.date.min, closed)[0].item()
        connection.execute("insert into closed values (?, ?, ?)", [exchange, judged_from, closed])
        connection.unregister("days")
