"""Financial Modeling Prep, `/stable/` only: what its feeds share, which is the client and the meaning of its answers.

The key travels in the header `apikey`, so no URL holds it. An unknown symbol is `[]`. A refusal is an object with
"Error Message", or plain text under a JSON content type, with status 401, 402, 403, 429 or 200.
"""

import datetime as dt
from collections.abc import Callable, Collection, Iterator, Sequence
from http import HTTPStatus
from typing import Any

import pyarrow as pa

from trader_pipeline.errors import UsageError
from trader_pipeline.schema import Table
from trader_pipeline.settings import Settings
from trader_pipeline.sources.asking import Found, Stop, Tally
from trader_pipeline.sources.http import RefusedError, SchemaChangeError, ThrottledError
from trader_pipeline.sources.json_rows import Row, read_rows
from trader_pipeline.sources.listings import with_hyphen
from trader_pipeline.sources.rest import Body, RestClient
from trader_pipeline.sources.source import FetchRequest, FetchResult

URL = "https://financialmodelingprep.com/stable"
SOURCE = "fmp"
_LIMITED = ("limit reach", "too many requests")
_PLAN = ("premium query parameter", "special endpoint", "exclusive endpoint", "restricted endpoint", "legacy endpoint", "subscription")
_KEY = ("invalid api key", "api key is missing")
_READ, _SHOWN = 2000, 200

Ask = Callable[["FmpTicker"], Found]


class Answer(list[Row]):
    """Rows of one answer, which remember its hash."""

    def __init__(self, rows: Sequence[Row], sha256: str) -> None:
        super().__init__(rows)
        self.sha256 = sha256

    def of(self, rows: Sequence[Row]) -> "Answer":
        """Return other rows, made of these."""
        return Answer(rows, self.sha256)


class FmpTicker:
    """One ticker's questions: they share its deadline and its count."""

    def __init__(self, ticker: str, request: FetchRequest, settings: Settings, client: RestClient, tally: Tally) -> None:
        self.ticker = ticker
        self.request = request
        self.settings = settings
        self.client = client
        self.tally = tally
        self.unread: list[str] = []

    @property
    def symbol(self) -> str:
        """FMP's spelling of the ticker."""
        return with_hyphen(self.ticker)

    @property
    def asked_at(self) -> dt.datetime:
        """What was known later is not ours to store."""
        return self.request.asked_at

    @property
    def first_day(self) -> dt.date | None:
        """First day to ask for; None asks for all that there is."""
        return self.request.since.get(self.ticker, self.request.first_session)

    def get(self, path: str, **params: str | int) -> Answer:
        """Return the rows of one answer."""
        return self.client.get(path, params, tally=self.tally, read=rows_of)

    def table(self, table: Table, rows: Answer, *, needed: Collection[str] = (), **ours: Any) -> pa.Table:
        """Return rows as a raw table; what could not be read is told in the attempt."""
        if "ticker" in table.arrow_schema.names:
            ours["ticker"] = self.ticker
        read = read_rows(table, rows, fetched_at=self.request.fetched_at, sha256=rows.sha256, ours=ours, needed=needed)
        self.unread += read.unread
        return read.rows

    def found(self, tables: dict[Table, pa.Table], days: pa.ChunkedArray | None = None) -> Found:
        """Return the tables, the days that they span and what of them was unreadable."""
        return Found(tables=tables, days=() if days is None else days.to_pylist(), detail="; ".join(self.unread) or None)


def fetch(request: FetchRequest, settings: Settings, ask: Ask, tickers: tuple[str, ...] | None) -> Iterator[FetchResult]:
    """Yield what `ask` finds of each ticker, as each is done; one ticker's failure stops no other."""
    if tickers is None:
        raise UsageError("fmp cannot list what it has; name tickers or a universe")
    if reason := unready(settings):
        raise UsageError(reason)
    key = settings.fmp.api_key.get_secret_value() if settings.fmp.api_key else ""
    client = RestClient(SOURCE, URL, settings.fmp, settings.gate_path, stop=Stop(), headers={"apikey": key}, secrets=(key,), judge=judge)
    return client.ask_each(tickers, request, lambda ticker, tally: ask(FmpTicker(ticker, request, settings, client, tally)))


def unready(settings: Settings) -> str | None:
    """Say why FMP cannot be asked."""
    return None if settings.fmp.api_key else "fmp wants a key; set TRADER_FMP__API_KEY"


def judge(body: Body) -> None:
    """Raise what FMP's own words mean, whatever the status; rows pass, and so does a page of HTML, which a proxy wrote."""
    words = " ".join(body.content[:_READ].decode("utf-8", "replace").split())
    said = "" if words[:1] in {"[", "<"} else words.lower()
    shown = f"{body.path}: HTTP {body.status}: {words[:_SHOWN]}"
    if any(word in said for word in _LIMITED):
        raise ThrottledError(shown, None)
    if body.status == HTTPStatus.UNAUTHORIZED or any(word in said for word in _KEY):
        raise RefusedError(f"{shown}; fmp refuses the key: set TRADER_FMP__API_KEY to a valid one")
    if body.status == HTTPStatus.PAYMENT_REQUIRED or any(word in said for word in _PLAN):
        raise RefusedError(f"{shown}; your plan of fmp does not hold this: upgrade it or take fmp out of TRADER_SOURCES__*")


def rows_of(body: Body) -> Answer:
    """Return the rows of an answer. Raises `UpstreamError` for what is no JSON, `SchemaChangeError` for what is no list of rows."""
    found = body.json()
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        said = found.get("Error Message", sorted(found)[:12]) if isinstance(found, dict) else type(found).__name__
        raise SchemaChangeError(f"{body.path}: not a list of rows but {str(said)[:_SHOWN]}")
    return Answer(found, body.sha256)
