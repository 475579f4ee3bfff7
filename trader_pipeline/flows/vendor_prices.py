"""Prices as a vendor adjusted them, around the rows on which cash was paid: what the rules on dividends look at in the lake."""

import datetime as dt

import pyarrow as pa

from trader_pipeline.checks.context import VENDOR_PRICES
from trader_pipeline.flows.standardize_core import relabelled
from trader_pipeline.flows.symbols import stored_symbols
from trader_pipeline.lake import Snapshot
from trader_pipeline.schema import Table
from trader_pipeline.schema.raw import OWN_BARS, YAHOO_BARS
from trader_pipeline.standardize.symbols import Symbols

TABLES = (YAHOO_BARS, OWN_BARS)
"""Raw tables that hold adjusted closes."""

_TOLD = {
    YAHOO_BARS: """select 'yahoo' as source, ticker, "Date" as session, "Open" as open, "High" as high, "Low" as low, "Close" as close,
        "Volume" as volume, "Adj Close" as adj_close, "Dividends" as dividend, "Stock Splits" as split_ratio,
        null::double as capital_gain, splits_after, fetched_at, request_sha256 from raw.yahoo_bars""",
    OWN_BARS: """select 'own' as source, ticker, date as session, open, high, low, close, volume, adj_close, dividend, split_ratio,
        capital_gain, splits_after, fetched_at, request_sha256 from raw.own_bars""",
}
_NAMED = "select * from told anti join changed_symbols using (ticker) union all by name select * from renamed"
_COUNTS = """row_number() over (partition by ticker, session order by fetched_at <= $as_of desc,
    if(fetched_at <= $as_of, fetched_at, null) desc nulls last, fetched_at, request_sha256) = 1"""
"""Of the answers on a session the newest by `as_of`, else the first after it."""
_AROUND = f"""
with weeks as (
  select distinct ticker, datediff('day', date '1970-01-01', session) // 7 + shift as week
  from named, unnest([-1, 0, 1]) as t(shift) where (dividend > 0 or capital_gain > 0) and session <= $day
), chosen as (
  select * from named r
  where session <= $day and exists (
    from weeks w where w.ticker = r.ticker and w.week = datediff('day', date '1970-01-01', session) // 7)
  qualify {_COUNTS}
), splits as (
  select ticker, session, split_ratio as ratio from (
    select * from named semi join (select ticker, session from named where split_ratio > 0 and split_ratio <> 1) using (ticker, session)
    where session <= $day qualify {_COUNTS}
  ) where split_ratio > 0 and split_ratio <> 1
), later as (
  select c.ticker, c.session, product(s.ratio) as ratio
  from chosen c join splits s on s.ticker = c.ticker and s.session > c.session group by all
), based as (
  select c.*, c.splits_after / coalesce(l.ratio, 1) as basis,
    coalesce(lag(request_sha256) over w = request_sha256 and session - lag(session) over w <= $gap_days, false) as same_answer
  from chosen c left join later l using (ticker, session) window w as (partition by ticker order by session)
)
select ticker, session, source, open * basis as open, high * basis as high, low * basis as low, close * basis as close,
  volume / basis as volume, if(same_answer, adj_close * basis, null) as adj_close, dividend * basis as dividend,
  split_ratio, capital_gain * basis as capital_gain
from based order by ticker, session
"""  # noqa: S608 - a constant
GAP_DAYS = 10
"""Rows farther apart than this lie in two neighbourhoods."""


def vendor_prices(snapshot: Snapshot, as_of: dt.datetime) -> pa.Table:
    """Return VENDOR_PRICES of the week of every payout, the one before and the one after, on the basis of the newest known splits.

    Rows of all symbols that a security had are one series, as in the core tables.
    Of each row the newest answer by `as_of` counts; a history first loaded after `as_of` counts as known. A closing price is
    adjusted for the dividends that its own answer knew: where the row before it came with another answer, adj_close is null.
    """
    symbols = stored_symbols(snapshot)
    pieces = [_around(snapshot, table, as_of, symbols) for table in TABLES if snapshot.rows(table)]
    return pa.concat_tables(pieces) if pieces else VENDOR_PRICES.empty_table()


def _around(snapshot: Snapshot, table: Table, as_of: dt.datetime, symbols: Symbols) -> pa.Table:
    with snapshot.cursor(table) as cursor:
        cursor.execute(f"create temp view told as {_TOLD[table]}")
        cursor.register("changed_symbols", pa.table({"ticker": pa.array(sorted(symbols.known), pa.string())}))
        changed = cursor.sql("select * from told semi join changed_symbols using (ticker)").to_arrow_table()
        cursor.register("renamed", relabelled(changed, "fetched_at", symbols))
        cursor.execute(f"create temp view named as {_NAMED}")
        found = cursor.sql(_AROUND, params={"as_of": as_of, "day": as_of.date(), "gap_days": GAP_DAYS}).to_arrow_table()
    return found.select(VENDOR_PRICES.names).cast(VENDOR_PRICES)
