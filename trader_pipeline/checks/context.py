"""What every rule looks at: bars with their series, and the exchange sessions that they should cover."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import duckdb
import pyarrow as pa

from trader_pipeline import calendar
from trader_pipeline.schema import Table, core
from trader_pipeline.schema.columns import DATE
from trader_pipeline.schema.quality import QUARANTINE
from trader_pipeline.settings import CheckSettings

DEFAULT_EXCHANGE = "XNYS"
"""Calendar of a ticker that core.ticker_map does not know, or whose exchange has none."""

BESIDE = (
    core.CORPORATE_ACTIONS,
    core.SECTORS,
    core.UNIVERSE,
    core.FUNDAMENTALS,
    core.EARNINGS,
    core.MACRO,
    core.NEWS,
    core.OPTION_QUOTES,
)
"""Tables that rules look at beside the bars and the map of tickers, each a view of its own name: `fundamentals`."""

VENDOR_PRICES = pa.schema(
    [
        pa.field("ticker", pa.string()),
        pa.field("session", DATE),
        pa.field("source", pa.string()),
        *(pa.field(name, pa.float64()) for name in ("open", "high", "low", "close", "volume", "adj_close")),
        *(pa.field(name, pa.float64()) for name in ("dividend", "split_ratio", "capital_gain")),
    ]
)
"""A series as the vendor adjusted it: prices, dividends and gains on the basis of its last row's shares, `adj_close` for dividends too.

Of sources that send adjusted closes only. Null dividend and capital gain are none, null split_ratio is no split."""

_QUARANTINED = pa.schema([QUARANTINE.arrow_schema.field(name) for name in ("ticker", "session", "source", "rule", "reason")])

_LISTINGS = """
create temp table listings as
with mapped as (
  select ticker, arg_max(exchange, valid_from) as exchange, case when count(*) = count(valid_to) then max(valid_to) end as valid_to
  from ticker_map group by all
)
select ticker, if(exchange is null or list_contains($without_calendar, exchange), $default, exchange) as exchange, valid_to
from (select distinct ticker from bars) left join mapped using (ticker)
"""
_LEADS = """
create temp table leads as
with placed as (
  select ticker, source, coalesce(list_position($order::varchar[], source), 1000) as place from (select distinct ticker, source from bars)
)
select *, case when len($order::varchar[]) = 0 then source else first_value(source) over (partition by ticker order by place, source) end
  as lead
from placed
"""
_SERIES = """
create temp table series as
with days as (
  select ticker, source, session, count(*) as rows,
    (min(open) < max(open) or min(high) < max(high) or min(low) < max(low) or min(close) < max(close)) is true as differs
  from bars group by all
), gaps as (
  select *, session - lag(session) over (partition by ticker, source order by session) as gap_days from days
)
select ticker, source, exchange, valid_to, last_closed,
  min(session) as first_session, max(session) filter (session <= last_closed) as last_session,
  case when sum(rows) >= 2 * count(*) and avg(differs::int) > 0.5 then 'intraday'
       when median(gap_days) > 10 then 'monthly'
       when median(gap_days) > 3 then 'weekly'
       else 'daily' end as spacing
from gaps join listings using (ticker) join closed using (exchange)
group by all order by ticker, source
"""
_DAILY_SERIES = """
create temp table daily_series as
with whole as (
  select ticker, lead as source, exchange, valid_to, last_closed, min(first_session) as first_session, max(last_session) as last_session
  from series join leads using (ticker, source) where spacing = 'daily' and last_session is not null group by all
)
select s.*, n.newest_session,
  (select count(*) from sessions c
   where c.exchange = s.exchange and c.session > s.last_session and c.session <= s.last_closed) as behind_sessions,
  (select count(*) from sessions c
   where c.exchange = s.exchange and c.session > s.last_session and c.session <= n.newest_session) as behind_newest_sessions
from whole s
join (select exchange, max(last_session) as newest_session from whole group by all) n using (exchange)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckContext:
    """Bars of one table at one instant, opened in an in-memory DuckDB.

    Views and tables of `connection`: `bars` (core.daily_bars rows; a row that repeats a ticker-session-source is there
    twice); `sessions` (exchange, session, position); `closed`, one row an exchange: judged_from, where its calendar begins,
    and last_closed, its last closed session at `as_of`; `series`, one row a ticker and source: exchange, valid_to, spacing
    (daily, weekly, monthly or intraday), first_session, last_session (null where nothing is closed) and last_closed;
    `leads`, one row a ticker and source: its place in the order and the ticker's first source, which the others stand in for;
    `daily_series`, the daily ones, those that stand in joined with their lead, with newest_session (of the exchange),
    behind_sessions (closed at `as_of` and after the last one) and behind_newest_sessions (up to newest_session);
    `ticker_map`; one view for each of BESIDE, of the versions known at `as_of`; `vendor_prices`, as VENDOR_PRICES says.
    `quarantine` holds what the rules before this one quarantined. `memo` holds what a rule computed and others may use.
    """

    bars: pa.Table
    as_of: dt.datetime
    settings: CheckSettings
    published_through: dt.date | None
    connection: duckdb.DuckDBPyConnection
    quarantine: pa.Table
    memo: dict[str, Any] = field(default_factory=dict)

    def table(self, query: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> pa.Table:
        """Run one SELECT; values are bound."""
        return self.connection.sql(query, params=parameters or None).to_arrow_table()

    def rows(self, query: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> list[dict[str, Any]]:
        """Run one SELECT and return its rows as dicts."""
        rows: list[dict[str, Any]] = self.table(query, parameters).to_pylist()
        return rows


def open_context(
    bars: pa.Table,
    ticker_map: pa.Table,
    *,
    as_of: dt.datetime,
    settings: CheckSettings,
    published_through: dt.date | None = None,
    order: Sequence[str] = (),
    beside: Mapping[Table, pa.Table] = MappingProxyType({}),
    vendor_prices: pa.Table | None = None,
) -> CheckContext:
    """Return the context of `bars` (core.daily_bars shape, the versions known at `as_of`).

    `published_through` is the newest session that core.accepted_bars already holds, None before the first load. `order` ranks
    the sources; without one no source stands in for another, each is judged alone. `beside` holds rows of BESIDE; what is not
    in it is empty.
    """
    connection = duckdb.connect(":memory:", config={"threads": 2})
    connection.execute("set timezone = 'UTC'")
    connection.register("bars", bars)
    connection.register("ticker_map", ticker_map)
    for table in BESIDE:
        connection.register(table.name, beside.get(table, table.empty()))
    connection.register("vendor_prices", VENDOR_PRICES.empty_table() if vendor_prices is None else vendor_prices.cast(VENDOR_PRICES))
    without_calendar = exchanges_without_calendar(ticker_map.select(["exchange"]).to_pylist())
    connection.execute(_LISTINGS, {"default": DEFAULT_EXCHANGE, "without_calendar": without_calendar})
    _add_sessions(connection, as_of)
    connection.execute(_LEADS, {"order": list(order)})
    connection.execute(_SERIES)
    connection.execute(_DAILY_SERIES)
    return CheckContext(
        bars=bars,
        as_of=as_of,
        settings=settings,
        published_through=published_through,
        connection=connection,
        quarantine=_QUARANTINED.empty_table(),
    )


def exchanges_without_calendar(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the exchanges of the rows that no calendar is known for, sorted; their tickers are judged by DEFAULT_EXCHANGE."""
    return sorted(exchange for exchange in {row["exchange"] for row in rows} if calendar.mic(exchange) is None)


def _add_sessions(connection: duckdb.DuckDBPyConnection, as_of: dt.datetime) -> None:
    connection.execute("create temp table sessions (exchange varchar, session date, position bigint)")
    connection.execute("create temp table closed (exchange varchar, judged_from date, last_closed date)")
    spans = connection.sql("select exchange, min(session), max(session) from bars join listings using (ticker) group by all").fetchall()
    for exchange, first, last in spans:
        closed = calendar.last_closed_session(exchange, as_of)
        days = calendar.sessions(exchange, first, max(last, closed))
        connection.register("days", pa.table({"session": pa.array(days, type=DATE)}))
        connection.execute("insert into sessions select ?, session, row_number() over (order by session) from days", [exchange])
        judged_from = calendar.sessions(exchange, dt.date.min, closed)[0].item()
        connection.execute("insert into closed values (?, ?, ?)", [exchange, judged_from, closed])
        connection.unregister("days")
