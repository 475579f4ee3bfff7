"""Yahoo Finance: daily bars, splits and dividends.

Yahoo divides prices, volumes and dividends by the splits known on the day of download. `splits_after`, taken from the
same answer, undoes that, so what is stored never changes when a split comes. An answer therefore always reaches up to
now: one that stopped earlier could miss a split that its prices are adjusted for.
"""

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from trader_pipeline import calendar
from trader_pipeline.errors import UsageError
from trader_pipeline.schema import Table, core, raw
from trader_pipeline.settings import Settings
from trader_pipeline.sources.asking import Found, Tally
from trader_pipeline.sources.http import NoDataError, UnknownSymbolError, path_segment
from trader_pipeline.sources.listings import UNITED_STATES, listing_of, with_hyphen
from trader_pipeline.sources.source import Feed, FetchRequest, FetchResult, RawTables
from trader_pipeline.sources.yahoo_answers import CHART
from trader_pipeline.sources.yahoo_chart import NUMBERS, Chart, read_chart

if TYPE_CHECKING:
    from trader_pipeline.sources.yahoo_client import YahooClient

UNITED_STATES_CODES = frozenset(
    "NMS NGM NCM NYQ NYS NIM PCX ASE BTS CXI SNP DJI PNK OTC OQX OQB OID OEM".split()  # noqa: SIM905 - a table reads best in one line
)
"""Yahoo's codes of exchanges and index providers that keep the calendar of New York."""

_INSTANT = pa.timestamp("us", tz="UTC")
_TOLD = 3


def fetch(request: FetchRequest, settings: Settings) -> Iterator[FetchResult]:
    """Ask Yahoo for every ticker of the request, each from its own first day up to now; yield each as it is answered.

    One ticker's failure is its outcome and stops no other. An interrupt ends waits at once and requests within their
    timeout. A bar that was not final at `as_of` is left out.
    """
    from trader_pipeline.sources.yahoo_client import fetch_each  # noqa: PLC0415 - brings pandas and yfinance; only a fetch needs them

    def ask(client: "YahooClient", ticker: str, tally: Tally) -> Found:
        answer = client.get(
            f"{CHART}{path_segment(with_hyphen(ticker.upper()))}", _params(_first_day(ticker, request), client.now()), tally=tally
        )
        chart = read_chart(answer.body)
        rows = _raw_rows(ticker, chart, answer.sha256, request, settings)
        return Found(tables={raw.YAHOO_BARS: rows}, days=rows["Date"].to_pylist(), detail=_detail(chart))

    return fetch_each(request, settings, ask)


def _params(first: dt.date, now: float) -> dict[str, object]:
    """Return the query that yfinance's history sends; a test holds the two together."""
    start = int(dt.datetime(first.year, first.month, first.day, tzinfo=dt.UTC).timestamp())
    return {"period1": start, "period2": int(now), "interval": "1d", "includePrePost": False, "events": "div,splits,capitalGains"}


def _first_day(ticker: str, request: FetchRequest) -> dt.date:
    first = request.since.get(ticker, request.first_session)
    if first is None:
        raise UsageError(f"{ticker} is not stored yet and the request names no first session; set live_first_session")
    return first


def _detail(chart: Chart) -> str | None:
    """Return what of the answer was no number or has no column, None when nothing was."""
    told = []
    if chart.unread:
        shown = ", ".join(chart.unread[:_TOLD])
        told.append(f"{len(chart.unread)} unreadable values are null: {shown}{', ...' if len(chart.unread) > _TOLD else ''}")
    if chart.capital_gains:
        told.append(f"{chart.capital_gains} capital gains not stored")
    return "; ".join(told) or None


def _raw_rows(ticker: str, chart: Chart, body_sha256: str, request: FetchRequest, settings: Settings) -> pa.Table:
    """Return raw.yahoo_bars of one answer, less the sessions that were not final when it was asked."""
    exchange = listing_of(ticker).exchange
    if exchange == UNITED_STATES.exchange and chart.exchange not in UNITED_STATES_CODES:
        raise UnknownSymbolError(f"Yahoo lists {ticker} at {chart.exchange}, whose calendar is not known; add it to sources/listings.py")
    final = calendar.final_by(exchange, chart.days, request.asked_at)
    if not final.any():
        raise NoDataError("no session that was final when it was asked")
    columns: dict[str, pa.Array] = {"Date": pa.array(chart.days[final])}
    columns |= {name: pa.array(chart.columns[name][final]) for name in NUMBERS}
    columns["splits_after"] = pa.array(splits_after(chart.columns["Stock Splits"])[final])
    constants = {
        "ticker": ticker,
        "currency": chart.currency,
        "exchange": chart.exchange,
        "longName": chart.name,
        "role": "benchmark" if ticker == settings.benchmark else "stock",
        "fetched_at": pa.scalar(request.fetched_at, _INSTANT),
        "request_sha256": body_sha256,
    }
    columns |= {name: pa.repeat(value, int(final.sum())) for name, value in constants.items() if value is not None}
    return raw.YAHOO_BARS.conform(pa.table(columns), source="yahoo")


def splits_after(split_T: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return, a row, the product of the split ratios of later rows. Rows ascend by date; 0 and NaN are no split."""
    ratio_T = np.where(split_T > 0, split_T, 1.0)
    through_T = np.cumprod(ratio_T[::-1])[::-1]
    return np.append(through_T[1:], 1.0)


def to_core(tables: RawTables) -> Mapping[Table, pa.Table]:
    """Return bars and actions as traded, and what Yahoo says of each symbol; name and role are those of its newest answer."""
    bars = tables[raw.YAHOO_BARS.full_name]
    tickers = bars["ticker"].unique().to_pylist()
    listings = pa.table({"ticker": pa.array(tickers, pa.string()), "mic": pa.array([listing_of(t).exchange for t in tickers], pa.string())})
    with duckdb.connect(config={"threads": 2}) as con:
        con.execute("set timezone = 'UTC'")
        con.register("yahoo_bars", bars)
        con.register("listings", listings)
        return {table: con.sql(query).to_arrow_table() for table, query in _QUERIES.items()}


_QUERIES = {
    core.DAILY_BARS: """
        select ticker, "Date" as session, 'yahoo' as source, fetched_at,
               "Open" * splits_after as open, "High" * splits_after as high,
               "Low" * splits_after as low, "Close" * splits_after as close,
               -- a session without prices has no volume either, whatever Yahoo says
               case when coalesce("Open", "High", "Low", "Close") is not null then "Volume" / splits_after end as volume_shares,
               case currency when 'GBp' then 'GBP' when 'ZAc' then 'ZAR' when 'ILA' then 'ILS' else currency end as currency,
               currency as price_unit
        from yahoo_bars""",
    core.CORPORATE_ACTIONS: """
        select ticker, "Date" as session, 'split' as kind, 'yahoo' as source, "Stock Splits" as value, fetched_at
        from yahoo_bars where "Stock Splits" > 0
        union all
        select ticker, "Date", 'dividend', 'yahoo', "Dividends" * splits_after, fetched_at
        from yahoo_bars where "Dividends" > 0""",
    core.LISTINGS: """
        select 'yahoo' as source, ticker as symbol,
               min("Date") filter ("Close" is not null) as first_session, max("Date") filter ("Close" is not null) as last_session,
               any_value(mic) as exchange, arg_max(longName, fetched_at) as name, null::varchar as issuer_id,
               arg_max(role, fetched_at) as role
        from yahoo_bars join listings using (ticker) group by ticker having count("Close") > 0""",
}

YAHOO = Feed(source="yahoo", kind="bars", raw_tables=(raw.YAHOO_BARS,), fetch=fetch, to_core=to_core, actions_in_bars=True)
