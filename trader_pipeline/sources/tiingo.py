"""Tiingo: daily prices as traded, with dividends and splits by ex-date. It keeps delisted names.

Units: USD per as-traded share, shares; cash per as-traded share. `splitFactor` is new / old shares, 4.0 for 4:1; Tiingo also
writes a distribution of shares of another company (a spin-off) as one. Tiingo's own adjusted columns are stored, not used.
Timing: a bar that was not final at `as_of` is left out; corrections of the evening come with the next overlap.
Nulls: a cell that is no number is null and told. After the end of a delisted name Tiingo goes on repeating its last price
without volume: such rows at the end of an answer are left out and told.

The token travels in a header, so no URL shows it. The name is asked for with a ticker's first prices only: the free plan
allows 50 requests an hour.
"""

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any

import duckdb
import pyarrow as pa

from trader_pipeline.errors import UsageError
from trader_pipeline.schema import Table, core
from trader_pipeline.schema.raw_tiingo import TIINGO_BARS, TIINGO_TICKERS
from trader_pipeline.settings import Settings
from trader_pipeline.sources.asking import Found, Stop, Tally
from trader_pipeline.sources.cells import Told, day, final, number, objects, since, stamped, words
from trader_pipeline.sources.gate import CircuitOpenError
from trader_pipeline.sources.http import NoDataError, SchemaChangeError, TransientError, UnknownSymbolError, path_segment
from trader_pipeline.sources.listings import UNITED_STATES, listing_of, with_hyphen
from trader_pipeline.sources.rest import Body, RestClient
from trader_pipeline.sources.source import Feed, FetchRequest, FetchResult, RawTables
from trader_pipeline.sources.tiingo_client import tiingo, unready

_NUMBERS = tuple(
    "close high low open volume adjClose adjHigh adjLow adjOpen adjVolume divCash splitFactor".split()  # noqa: SIM905 - reads best in one line
)
_META = ("name", "exchangeCode", "startDate", "endDate")
_DAY = "%Y-%m-%d"


def fetch(request: FetchRequest, settings: Settings) -> Iterator[FetchResult]:
    """Ask for every ticker's prices from its first day up to now, and for its name when it is new."""
    if request.tickers is None:
        raise UsageError("tiingo cannot list what it has; name tickers or a universe")
    client = tiingo(settings, Stop())
    return client.ask_each(request.tickers, request, lambda ticker, tally: _found(ticker, request, settings, client, tally))


def _found(ticker: str, request: FetchRequest, settings: Settings, client: RestClient, tally: Tally) -> Found:
    first = since(request, ticker)
    if first is None:
        raise UsageError(f"{ticker} is not stored yet and the request names no first session; set live_first_session")
    if listing_of(ticker).exchange != UNITED_STATES.exchange:
        raise UnknownSymbolError(f"tiingo has the United States only, {ticker} is listed at {listing_of(ticker).exchange}")
    path = f"/tiingo/daily/{path_segment(with_hyphen(ticker))}"
    told = Told()
    answer = client.get(f"{path}/prices", {"startDate": first.isoformat()}, tally=tally, read=Body.json)
    rows = _traded(final(_bars(answer, path, told), "date", UNITED_STATES.exchange, request), told)
    if not rows:
        raise NoDataError(told.text() or f"{path}: no session that was final when it was asked")
    role = "benchmark" if ticker == settings.benchmark else "stock"
    tables = {TIINGO_BARS: stamped(TIINGO_BARS, [{"ticker": ticker, "role": role, **row} for row in rows], request, tally)}
    if ticker not in request.since and (meta := _meta(path, client, tally, told)):
        tables[TIINGO_TICKERS] = stamped(TIINGO_TICKERS, [{"ticker": ticker, **meta}], request, tally)
    return Found(tables=tables, days=[row["date"] for row in rows], detail=told.text())


def _bars(answer: Any, path: str, told: Told) -> list[dict[str, Any]]:
    """Return the rows by day. Of a day that comes twice the rows must agree; it is kept once."""
    rows: dict[dt.date, dict[str, Any]] = {}
    for item in objects(answer, ("date", *_NUMBERS), path):
        date = day(str(item["date"])[:10], _DAY, path)
        row = {"date": date, **{name: number(item[name], name, told) for name in _NUMBERS}}
        if rows.setdefault(date, row) != row:
            raise SchemaChangeError(f"{path}: two rows of {date} that differ")
    return [rows[date] for date in sorted(rows)]


def _traded(rows: list[dict[str, Any]], told: Told) -> list[dict[str, Any]]:
    """Return the rows up to the last one that is more than a repeated price."""
    end = len(rows)
    while end and rows[end - 1]["volume"] == 0 and len({rows[end - 1][name] for name in ("open", "high", "low", "close")}) == 1:
        end -= 1
        told.add("a repeated price without volume at the end, left out", str(rows[end]["date"]))
    return rows[:end]


def _meta(path: str, client: RestClient, tally: Tally, told: Told) -> dict[str, Any] | None:
    """Return what Tiingo says of the ticker; without an answer its prices still count, so None and told."""
    try:
        answer = client.get(path, tally=tally, read=Body.json)
    except (UnknownSymbolError, TransientError, CircuitOpenError) as error:
        told.add("no name", str(error))
        return None
    (item,) = objects([answer], _META, path)
    days = {name: day(item[name], _DAY, path) if item[name] else None for name in ("startDate", "endDate")}
    return {"name": words(item["name"]), "exchangeCode": words(item["exchangeCode"]), **days}


def to_core(tables: RawTables) -> Mapping[Table, pa.Table]:
    """Return bars and actions as traded, and the listings; name and role are those of a ticker's newest answer."""
    with duckdb.connect(config={"threads": 2}) as con:
        con.execute("set timezone = 'UTC'")
        con.register("tiingo_bars", tables[TIINGO_BARS.full_name])
        con.register("tiingo_tickers", tables[TIINGO_TICKERS.full_name])
        return {table: con.sql(query).to_arrow_table() for table, query in _QUERIES.items()}


_QUERIES = {
    core.DAILY_BARS: """
        select ticker, date as session, 'tiingo' as source, fetched_at, open, high, low, close, volume as volume_shares,
               'USD' as currency, 'USD' as price_unit
        from tiingo_bars""",
    core.CORPORATE_ACTIONS: """
        select ticker, date as session, 'split' as kind, 'tiingo' as source, splitFactor as value, fetched_at
        from tiingo_bars where splitFactor > 0 and splitFactor <> 1
        union all
        select ticker, date, 'dividend', 'tiingo', divCash, fetched_at from tiingo_bars where divCash > 0""",
    core.LISTINGS: """
        with names as (select ticker, arg_max(name, fetched_at) as name from tiingo_tickers group by ticker)
        select 'tiingo' as source, ticker as symbol, min(date) as first_session, max(date) as last_session, 'XNYS' as exchange,
               any_value(name) as name, null::varchar as issuer_id, arg_max(role, fetched_at) as role
        from tiingo_bars left join names using (ticker) group by ticker""",
}

TIINGO = Feed(
    source="tiingo",
    kind="bars",
    raw_tables=(TIINGO_BARS, TIINGO_TICKERS),
    fetch=fetch,
    to_core=to_core,
    actions_in_bars=True,
    unready=unready,
)
