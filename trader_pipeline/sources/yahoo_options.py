"""Yahoo's option chains as they stand now: `option_expiries` of the expiries within `option_days`, from the nearest to the last.

Timing: a snapshot is known at the moment it was fetched and belongs to the last session closed then. There is no history
to ask for: a day that was not fetched stays missing. Nulls: a contract that never traded has no volume.
"""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pyarrow as pa

from trader_pipeline import calendar
from trader_pipeline.schema import Table, core
from trader_pipeline.schema.raw_yahoo import YAHOO_OPTIONS
from trader_pipeline.settings import Settings
from trader_pipeline.sources.asking import Found, Tally
from trader_pipeline.sources.http import NoDataError, SchemaChangeError, path_segment
from trader_pipeline.sources.json_rows import Read, Row, read_rows
from trader_pipeline.sources.listings import listing_of, with_hyphen
from trader_pipeline.sources.source import Feed, FetchRequest, FetchResult, RawTables
from trader_pipeline.sources.yahoo_answers import OPTIONS

if TYPE_CHECKING:
    from trader_pipeline.sources.yahoo_client import YahooClient
    from trader_pipeline.sources.yahoo_session import Answer

_DAY_SECONDS = 86_400


def fetch(request: FetchRequest, settings: Settings) -> Iterator[FetchResult]:
    """Ask for every ticker's chains, a request an expiry; the first answer names the expiries and brings the nearest."""
    from trader_pipeline.sources.yahoo_client import fetch_each  # noqa: PLC0415 - brings pandas and yfinance; only a fetch needs them

    def ask(client: "YahooClient", ticker: str, tally: Tally) -> Found:
        path = f"{OPTIONS}{path_segment(with_hyphen(ticker.upper()))}"
        nearest = client.get(path, {}, tally=tally)
        expiries = spread(_expiries(nearest), request.fetched_at, days=settings.yahoo.option_days, most=settings.yahoo.option_expiries)
        reads = [_read(ticker, nearest, request)]
        had = set(reads[0].rows["expiration"].to_pylist())
        reads += [_read(ticker, client.get(path, {"date": expiry}, tally=tally), request) for expiry in expiries if expiry not in had]
        return _found(ticker, reads, request)

    return fetch_each(request, settings, ask)


def spread(expiries: Sequence[int], now: dt.datetime, *, days: int, most: int) -> list[int]:
    """Return at most `most` of the expiries within `days`, evenly by rank, the nearest and the last among them; the nearest always."""
    near = [expiry for expiry in sorted(expiries) if expiry <= now.timestamp() + days * _DAY_SECONDS] or [min(expiries)]
    ranks = np.unique(np.linspace(0, len(near) - 1, min(most, len(near))).round().astype(int))
    return [near[rank] for rank in ranks]


def _expiries(answer: "Answer") -> list[int]:
    """Return the expiries that an answer names, seconds since the epoch at midnight UTC."""
    try:
        found = [int(expiry) for expiry in answer.body["expirationDates"]]
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise SchemaChangeError(f"the answer names no expiries: {type(error).__name__}") from error
    if not found:
        raise NoDataError("no options")
    return found


def _read(ticker: str, answer: "Answer", request: FetchRequest) -> Read:
    """Return raw.yahoo_options of one answer."""
    return read_rows(
        YAHOO_OPTIONS,
        _contracts(answer.body),
        fetched_at=request.fetched_at,
        sha256=answer.sha256,
        ours={"ticker": ticker, "session": calendar.last_closed_session(listing_of(ticker).exchange, request.fetched_at)},
        needed=("strike", "expiration", "currency"),
    )


def _contracts(body: Any) -> list[Row]:
    """Return the contracts of one answer with their side and the price of the underlying."""
    try:
        price = body["quote"].get("regularMarketPrice")
        return [
            {**contract, "side": side, "regularMarketPrice": price}
            for chain in body["options"]
            for side, key in (("call", "calls"), ("put", "puts"))
            for contract in chain[key]
        ]
    except (AttributeError, KeyError, TypeError) as error:
        raise SchemaChangeError(f"the option chain has another shape: {type(error).__name__}: {error}") from error


def _found(ticker: str, read: Sequence[Read], request: FetchRequest) -> Found:
    rows = pa.concat_tables([part.rows for part in read])
    if not rows.num_rows:
        raise NoDataError(f"no contract of {ticker} at {request.fetched_at:%Y-%m-%d}")
    unread = [words for part in read for words in part.unread]
    return Found(tables={YAHOO_OPTIONS: rows}, days=rows["session"].unique().to_pylist(), detail="; ".join(unread) or None)


def to_core(tables: RawTables) -> Mapping[Table, pa.Table]:
    """Return the quotes of standard contracts; one that a split or merger changed has another root and is left out."""
    with duckdb.connect(config={"threads": 2}) as con:
        con.execute("set timezone = 'UTC'")
        con.register("yahoo_options", tables[YAHOO_OPTIONS.full_name])
        return {core.OPTION_QUOTES: con.sql(_QUOTES).to_arrow_table()}


_QUOTES = """
    select ticker, session, fetched_at as known_at, 'yahoo' as source, make_timestamp(expiration * 1000000)::date as expiry,
           side as kind, strike, "regularMarketPrice" as underlying, bid, ask, "lastPrice" as last, volume as volume_contracts,
           "openInterest" as open_interest_contracts, "impliedVolatility" as implied_volatility, currency
    from yahoo_options
    where regexp_extract("contractSymbol", '^(.+)[0-9]{6}[CP][0-9]{8}$', 1) = regexp_replace(upper(ticker), '[^A-Z0-9]', '', 'g')
      and coalesce("contractSize", 'REGULAR') = 'REGULAR'"""

YAHOO_CHAINS = Feed(source="yahoo", kind="options", raw_tables=(YAHOO_OPTIONS,), fetch=fetch, to_core=to_core)
