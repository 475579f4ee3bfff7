"""Ask a vendor for many tickers: a bounded pool of threads, one outcome a ticker, results as they come."""

import datetime as dt
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

import pyarrow as pa

from trader_pipeline.schema import Table
from trader_pipeline.sources.gate import Cause, CircuitOpenError
from trader_pipeline.sources.http import (
    NoDataError,
    RefusedError,
    SchemaChangeError,
    ThrottledError,
    TransientError,
    UnknownSymbolError,
    VendorError,
)
from trader_pipeline.sources.source import Attempt, FetchRequest, FetchResult, Outcome

IN_FLIGHT_A_WORKER = 4
"""Tickers handed to the pool ahead of the reader, a worker: what is answered and not yet read stays in memory."""

_OUTCOMES: tuple[tuple[type[VendorError], Outcome], ...] = (
    (UnknownSymbolError, "unknown_symbol"),
    (NoDataError, "no_data"),
    (ThrottledError, "throttled"),
    (TransientError, "transient_exhausted"),
    (SchemaChangeError, "schema_change"),
    (RefusedError, "schema_change"),
)
_OF_CAUSE: dict[Cause, Outcome] = {"throttled": "throttled", "failed": "transient_exhausted"}


@dataclass(slots=True)
class Tally:
    """What one ticker (or series, or file) has cost so far. `deadline` is seconds since the epoch."""

    ticker: str
    deadline: float
    requests: int = 0
    retries: int = 0
    throttled: int = 0
    attempts: int = 0
    body_sha256: str = ""
    trouble: str = ""
    """What went wrong last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a vendor says of one ticker: raw rows, and the days that they span."""

    tables: Mapping[Table, pa.Table]
    days: Sequence[dt.date] = ()
    detail: str | None = None


class Stop:
    """Ends the waits of all threads of a fetch at once."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        """End every wait, now and later."""
        self._event.set()

    def sleep(self, seconds: float) -> None:
        """Wait; raise `CancelledError` when the fetch is given up meanwhile."""
        if self._event.wait(seconds):
            raise CancelledError

    def check(self) -> None:
        """Raise `CancelledError` when the fetch is given up."""
        if self._event.is_set():
            raise CancelledError


def outcome_of(error: VendorError | CircuitOpenError, tally: Tally) -> tuple[Outcome, str]:
    """Return what an error means for its ticker, and the words that say why."""
    if isinstance(error, CircuitOpenError):
        return _OF_CAUSE[error.cause], f"{error}; {tally.trouble}" if tally.trouble else str(error)
    return next(name for kind, name in _OUTCOMES if isinstance(error, kind)), str(error)


def answer_of(request: FetchRequest, tally: Tally, ask: Callable[[], Found]) -> FetchResult:
    """Run `ask` and return its rows with an `ok`, or the outcome that its error means. Any other error is a bug and goes on."""
    found = Found(tables={})
    outcome: Outcome = "ok"
    detail: str | None = None
    try:
        found = ask()
        detail = found.detail
    except (VendorError, CircuitOpenError) as error:
        outcome, detail = outcome_of(error, tally)
    attempt = Attempt(
        ticker=tally.ticker,
        outcome=outcome,
        at=request.fetched_at,
        detail=detail,
        rows=sum(rows.num_rows for rows in found.tables.values()),
        requests=tally.requests,
        retries=tally.retries,
        throttled=tally.throttled,
        first_session=min(found.days, default=None),
        last_session=max(found.days, default=None),
    )
    return FetchResult(tables=found.tables, attempts=(attempt,))


def ask_each(tickers: Sequence[str], ask: Callable[[str], FetchResult], *, workers: int, stop: Stop, name: str) -> Iterator[FetchResult]:
    """Yield `ask(ticker)` of every ticker as each is done, from `workers` threads; few are ahead of the reader.

    An error that is no outcome, or the reader's end, stops the rest: waits end at once, a request within its timeout.
    """
    pool = ThreadPoolExecutor(workers, thread_name_prefix=name)
    left = iter(tickers)
    flying: set[Future[FetchResult]] = set()
    try:
        while True:
            while len(flying) < workers * IN_FLIGHT_A_WORKER and (ticker := next(left, None)) is not None:
                flying.add(pool.submit(ask, ticker))
            if not flying:
                return
            done, flying = wait(flying, return_when=FIRST_COMPLETED)
            for future in done:
                yield future.result()
    finally:
        stop.set()
        pool.shutdown(cancel_futures=True)
