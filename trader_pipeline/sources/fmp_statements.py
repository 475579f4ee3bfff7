"""FMP's quarterly statements as canonical metrics, each usable after the day of its filing (sources/filing_clock.py).

FMP fills a quarter's flows with the quarter alone (its fourth is the year less nine months) and writes 0 for what a
company does not report. It shows the newest figures under the first filing's date: history loaded later may hold
restated values. Per-share figures and share counts are rescaled by later splits, which `splits_after` undoes.
"""

import datetime as dt
from collections.abc import Iterator, Mapping

import duckdb
import pyarrow as pa

from trader_pipeline.schema import Table, core
from trader_pipeline.schema.columns import INSTANT
from trader_pipeline.schema.metrics import METRIC_OF
from trader_pipeline.schema.raw_fmp import FMP_BALANCE, FMP_CASH_FLOW, FMP_INCOME
from trader_pipeline.settings import Settings
from trader_pipeline.sources import fmp
from trader_pipeline.sources.asking import Found
from trader_pipeline.sources.filing_clock import NEW_YORK, usable_at
from trader_pipeline.sources.fmp_metrics import FIGURES
from trader_pipeline.sources.fmp_splits import splits_after
from trader_pipeline.sources.http import NoDataError
from trader_pipeline.sources.json_rows import date_of
from trader_pipeline.sources.listings import listing_of
from trader_pipeline.sources.source import Feed, FetchRequest, FetchResult, RawTables

PATHS = {FMP_INCOME: "/income-statement", FMP_BALANCE: "/balance-sheet-statement", FMP_CASH_FLOW: "/cash-flow-statement"}
_DAYS_A_QUARTER = 91
_MORE_QUARTERS = 5
"""Quarters before the first day asked for: a year's worth, and one whose filing was late."""
_ALL = 400


def fetch(request: FetchRequest, settings: Settings) -> Iterator[FetchResult]:
    """Ask for every ticker's three statements by quarter, from about a year before the first session up to now.

    Always all of them, whatever `since` says: FMP restates an old quarter in its place.
    """
    return fmp.fetch(request, settings, _ask, request.tickers)


def _ask(asking: fmp.FmpTicker) -> Found:
    limit = _ALL
    first = asking.request.first_session
    if first is not None:
        limit = (asking.asked_at.date() - first).days // _DAYS_A_QUARTER + 1 + _MORE_QUARTERS
    tables: dict[Table, pa.Table] = {}
    for table, path in PATHS.items():
        rows = asking.get(path, symbol=asking.symbol, period="quarter", limit=limit)
        if not rows and not tables:
            raise NoDataError(f"{path}: no rows of {asking.ticker}")
        tables[table] = _statement(asking, table, rows)
    return asking.found(tables, tables[FMP_INCOME]["date"])


def _statement(asking: fmp.FmpTicker, table: Table, rows: fmp.Answer) -> pa.Table:
    """Return one statement; a period that is sent twice counts as sent last filed."""
    ordered = sorted(rows, key=lambda row: str(row.get("filingDate") or ""))
    newest = list({(row.get("date"), row.get("period")): row for row in ordered}.values())
    needed = (*FIGURES[table], "filingDate")
    if table is not FMP_INCOME:
        return asking.table(table, rows.of(newest), needed=needed)
    after = splits_after(asking, [date_of(row.get("filingDate") or row.get("date")) for row in newest])
    scaled = [{**row, "splits_after": ratio} for row, ratio in zip(newest, after, strict=True)]
    return asking.table(table, rows.of(scaled), needed=needed)


def to_core(tables: RawTables) -> Mapping[Table, pa.Table]:
    """Return the figures, long. A time of midnight is no acceptance: the SEC accepts nothing then.

    A filing dated on or before its period's end is no filing date but FMP's stand-in: then the day of acceptance counts,
    and without one the figures are known when fetched.
    """
    with duckdb.connect(config={"threads": 2}) as con:
        con.execute("set timezone = 'UTC'")
        for table in PATHS:
            con.register(table.name, tables.get(table.full_name, table.empty()))
        rows = con.sql(" union all ".join(_query(table) for table in PATHS)).to_arrow_table()
    return {core.FUNDAMENTALS: _clocked(rows)}


def _query(table: Table) -> str:
    """Return the SQL that turns one statement into rows of (ticker, metric, ...); names come from the schema only."""
    figures = ", ".join(
        f"{{'metric': '{f.metric}', 'unit': '{METRIC_OF[f.metric].unit}', 'value': {f.sql}}}" for f in FIGURES[table].values()
    )
    balance = "true" if table is FMP_BALANCE else "false"
    return f"""
        select ticker, figure.metric as metric, date as period_end,
               (case when {balance} then 0 when period = 'FY' then 12 else 3 end)::smallint as months,
               'fmp' as source, figure.value as value, replace(figure.unit, 'currency', coalesce("reportedCurrency", 'USD')) as unit,
               case when "filingDate" > date then "filingDate" end as filed_on,
               case when accepted::time > time '00:00' and accepted::date > date
                    then accepted at time zone 'America/New_York' end as accepted_at,
               fetched_at
        from (select *, try_cast("acceptedDate" as timestamp) as accepted, unnest([{figures}]) as figure from {table.name})
        where figure.value is not null and period in ('Q1', 'Q2', 'Q3', 'Q4', 'FY')"""  # noqa: S608 - names of the schema


def _clocked(rows: pa.Table) -> pa.Table:
    """Append `known_at`: by the filing's clock, or when fetched where there is no filing."""
    exchanges = {ticker: listing_of(ticker).exchange for ticker in rows["ticker"].unique().to_pylist()}
    where = [exchanges[ticker] for ticker in rows["ticker"].to_pylist()]
    filings = list(zip(rows["accepted_at"].to_pylist(), rows["filed_on"].to_pylist(), where, strict=True))
    usable = {filing: _usable_at(*filing) for filing in set(filings)}
    known = [usable[filing] or fetched for filing, fetched in zip(filings, rows["fetched_at"].to_pylist(), strict=True)]
    return rows.append_column("known_at", pa.array(known, INSTANT))


def _usable_at(accepted: dt.datetime | None, filed: dt.date | None, exchange: str) -> dt.datetime | None:
    day = filed or (accepted.astimezone(NEW_YORK).date() if accepted else None)
    return None if day is None else usable_at(accepted, day, exchange)


FMP_STATEMENTS_FEED = Feed(
    source=fmp.SOURCE,
    kind="fundamentals",
    raw_tables=(FMP_INCOME, FMP_BALANCE, FMP_CASH_FLOW),
    fetch=fetch,
    to_core=to_core,
    every_sessions=5,
    unready=fmp.unready,
)
