"""Yahoo Finance: daily bars, splits and dividends through the real yfinance.

At auto_adjust=False Yahoo still divides prices, volumes and dividends by the splits known on the day of download.
`splits_after`, taken from the same answer, undoes that, so what is stored never changes when a split comes. An answer
therefore always reaches up to now: one that stopped earlier could miss a split that its prices are adjusted for.
"""

import datetime as dt
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import CancelledError, ThreadPoolExecutor
from typing import TYPE_CHECKING

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import structlog

from trader_pipeline import calendar
from trader_pipeline.errors import UsageError
from trader_pipeline.schema import Table, core, raw
from trader_pipeline.settings import Settings
from trader_pipeline.sources.gate import Cause, CircuitOpenError, Limits, SqliteGate
from trader_pipeline.sources.http import (
    NoDataError,
    RefusedError,
    RetryPolicy,
    SchemaChangeError,
    ThrottledError,
    TransientError,
    UnknownSymbolError,
    VendorError,
)
from trader_pipeline.sources.listings import UNITED_STATES, listing_of
from trader_pipeline.sources.source import Attempt, Feed, FetchRequest, FetchResult, Outcome, RawTables

if TYPE_CHECKING:
    from trader_pipeline.sources.yahoo_client import GovernedSession, History

UNITED_STATES_CODES = frozenset(
    "NMS NGM NCM NYQ NYS NIM PCX ASE BTS CXI SNP DJI PNK OTC OQX OQB OID OEM".split()  # noqa: SIM905 - a table reads best in one line
)
"""Yahoo's codes of exchanges and index providers that keep the calendar of New York."""

GATE_FILE = "gate.sqlite"
_NUMBERS = ("Open", "High", "Low", "Close", "Adj Close", "Volume", "Dividends", "Stock Splits")
_INSTANT = pa.timestamp("us", tz="UTC")
_OUTCOMES: tuple[tuple[type[VendorError], Outcome], ...] = (
    (UnknownSymbolError, "unknown_symbol"),
    (NoDataError, "no_data"),
    (ThrottledError, "throttled"),
    (TransientError, "transient_exhausted"),
    (SchemaChangeError, "schema_change"),
    (RefusedError, "schema_change"),
)
_OF_CAUSE: dict[Cause, Outcome] = {"throttled": "throttled", "failed": "transient_exhausted"}
_log = structlog.get_logger(__name__)

Answer = tuple[Attempt, pa.Table | None]


def fetch(request: FetchRequest, settings: Settings) -> Iterator[FetchResult]:
    """Ask Yahoo for every ticker of the request, each from its watermark less the overlap up to now.

    One ticker's failure is its outcome and stops no other. An interrupt ends waits at once and requests within their
    timeout. A bar that was not final at `as_of` is left out.
    """
    if request.tickers is None:
        raise UsageError("yahoo cannot list what it has; name tickers or a universe")
    from trader_pipeline.sources import yahoo_client  # noqa: PLC0415 - brings pandas and yfinance; only a fetch needs them

    stop = threading.Event()

    def sleep(seconds: float) -> None:
        if stop.wait(seconds):
            raise CancelledError

    limits = Limits(requests_per_hour=settings.yahoo.requests_per_hour, burst=settings.yahoo.burst)
    gate = SqliteGate(settings.home / GATE_FILE, "yahoo", limits, sleep=sleep)
    with yahoo_client.GovernedSession(gate, settings.yahoo) as session:
        yahoo_client.use(session)
        pool = ThreadPoolExecutor(settings.yahoo.workers, thread_name_prefix="yahoo")
        try:
            futures = [pool.submit(fetch_one, ticker, request, settings, session, sleep) for ticker in request.tickers]
            answers = [future.result() for future in futures]
        finally:
            stop.set()
            pool.shutdown(cancel_futures=True)
    attempts = tuple(attempt for attempt, _ in answers)
    tables = [rows for _, rows in answers if rows is not None]
    _log.info(
        "yahoo fetched", tickers=len(attempts), failed=sum(a.outcome != "ok" for a in attempts), requests=sum(a.requests for a in attempts)
    )
    yield FetchResult(tables={raw.YAHOO_BARS: pa.concat_tables(tables)} if tables else {}, attempts=attempts)


def fetch_one(ticker: str, request: FetchRequest, settings: Settings, session: "GovernedSession", sleep: Callable[[float], None]) -> Answer:
    """Return what became of one ticker, and its rows of raw.yahoo_bars if there are any."""
    from trader_pipeline.sources.yahoo_client import download  # noqa: PLC0415 - as in fetch

    policy = RetryPolicy(
        attempts=settings.yahoo.attempts,
        deadline_seconds=settings.yahoo.deadline_seconds,
        backoff_seconds=settings.yahoo.backoff_seconds,
    )
    rows: pa.Table | None = None
    outcome: Outcome = "ok"
    detail: str | None = None
    with session.counting() as tally:
        try:
            history = download(ticker, _first_session(ticker, request), session=session, tally=tally, policy=policy, sleep=sleep)
            rows = _raw_rows(ticker, history, request, settings)
        except VendorError as error:
            outcome, detail = next(name for kind, name in _OUTCOMES if isinstance(error, kind)), str(error)
        except CircuitOpenError as error:
            outcome, detail = _OF_CAUSE[error.cause], f"{error}; {tally.trouble}" if tally.trouble else str(error)
    days = rows["Date"].to_pylist() if rows is not None else []
    attempt = Attempt(
        ticker=ticker,
        outcome=outcome,
        at=request.fetched_at,
        detail=detail,
        rows=len(days),
        requests=tally.requests,
        retries=tally.retries,
        first_session=min(days, default=None),
        last_session=max(days, default=None),
    )
    _log.debug(
        "yahoo ticker", ticker=ticker, outcome=outcome, rows=len(days), requests=tally.requests, retries=tally.retries, detail=detail
    )
    return attempt, rows


def _first_session(ticker: str, request: FetchRequest) -> dt.date:
    first = request.since.get(ticker, request.first_session)
    if first is None:
        raise UsageError(f"{ticker} is not stored yet and the request names no first session; set live_first_session")
    return first


def _raw_rows(ticker: str, history: "History", request: FetchRequest, settings: Settings) -> pa.Table:
    """Return raw.yahoo_bars of one answer, less the sessions that were not final when it was asked."""
    exchange = listing_of(ticker).exchange
    if exchange == UNITED_STATES.exchange and history.exchange not in UNITED_STATES_CODES:
        raise UnknownSymbolError(f"Yahoo lists {ticker} at {history.exchange}, whose calendar is not known; add it to sources/listings.py")
    frame = history.frame
    days = np.array([moment.date() for moment in frame.index], dtype="datetime64[D]")
    asked = np.datetime64(min(request.as_of, request.fetched_at).astimezone(dt.UTC).replace(tzinfo=None))
    final = calendar.known_at_array(exchange, days) <= asked
    if not final.any():
        raise NoDataError("no session that was final when it was asked")
    columns: dict[str, pa.Array] = {"Date": pa.array(days[final])}
    columns |= {name: pa.array(frame[name].to_numpy(np.float64)[final]) for name in _NUMBERS}
    columns["splits_after"] = pa.array(splits_after(frame["Stock Splits"].to_numpy(np.float64))[final])
    constants = {
        "ticker": ticker,
        "currency": history.currency,
        "exchange": history.exchange,
        "longName": history.name,
        "role": "benchmark" if ticker == settings.benchmark else "stock",
        "fetched_at": pa.scalar(request.fetched_at, _INSTANT),
        "request_sha256": history.body_sha256,
    }
    columns |= {name: pa.repeat(value, int(final.sum())) for name, value in constants.items() if value is not None}
    return raw.YAHOO_BARS.conform(pa.table(columns))


def splits_after(split_T: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return, a row, the product of the split ratios of later rows. Rows ascend by date; 0 and NaN are no split."""
    ratio_T = np.where(split_T > 0, split_T, 1.0)
    through_T = np.cumprod(ratio_T[::-1])[::-1]
    return np.append(through_T[1:], 1.0)


def to_core(tables: RawTables) -> Mapping[Table, pa.Table]:
    """Return bars and actions as traded, and the tickers; name and role are those of a ticker's newest answer."""
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
               -- yfinance writes 0 shares for a session that Yahoo leaves empty
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
    core.TICKER_MAP: """
        select ticker, ticker as symbol, min("Date") as valid_from, null::date as valid_to,
               coalesce(arg_max(longName, fetched_at), ticker) as issuer_id,
               any_value(mic) as exchange, arg_max(longName, fetched_at) as name, arg_max(role, fetched_at) as role
        from yahoo_bars join listings using (ticker) group by ticker""",
}

YAHOO = Feed(source="yahoo", kind="bars", raw_tables=(raw.YAHOO_BARS,), fetch=fetch, to_core=to_core)
