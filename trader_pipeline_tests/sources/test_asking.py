"""A bounded pool of askers: results as they come, few ahead of the reader, and an end at once."""

import datetime as dt
import threading
import time
from concurrent.futures import CancelledError

import pyarrow as pa
import pytest

from trader_pipeline.schema.raw_fmp import FMP_EARNINGS
from trader_pipeline.sources.asking import IN_FLIGHT_A_WORKER, Found, Stop, Tally, answer_of, ask_each
from trader_pipeline.sources.gate import CircuitOpenError
from trader_pipeline.sources.http import (
    NoDataError,
    RefusedError,
    SchemaChangeError,
    ThrottledError,
    UnknownSymbolError,
    UpstreamError,
)
from trader_pipeline.sources.source import FetchRequest

NOW = dt.datetime(2025, 6, 2, 20, 30, tzinfo=dt.UTC)
REQUEST = FetchRequest(as_of=NOW, fetched_at=NOW)
TICKERS = [f"T{n}" for n in range(60)]


def names_of(results):
    return [result.attempts[0].ticker for result in results]


def answer(ticker, found=None):
    return answer_of(REQUEST, Tally(ticker=ticker, deadline=0.0, requests=1), lambda: found or Found(tables={}))


def test_every_ticker_is_answered_once():
    results = list(ask_each(TICKERS, answer, workers=4, stop=Stop(), name="pool"))
    assert sorted(names_of(results)) == sorted(TICKERS)


def test_a_slow_ticker_holds_up_no_other():
    gate = threading.Event()

    def ask(ticker):
        if ticker == "T0":
            gate.wait(30)
        return answer(ticker)

    results = ask_each(TICKERS, ask, workers=2, stop=Stop(), name="pool")
    first = [next(results) for _ in range(5)]
    gate.set()
    assert "T0" not in names_of(first)
    assert sorted(names_of([*first, *results])) == sorted(TICKERS)


def test_few_tickers_are_asked_ahead_of_the_reader():
    """What is answered and not yet read is in memory: at no moment more than workers x IN_FLIGHT_A_WORKER."""
    asked, read, most = [], 0, 0

    def ask(ticker):
        asked.append(ticker)
        return answer(ticker)

    for _ in ask_each(TICKERS, ask, workers=3, stop=Stop(), name="pool"):
        time.sleep(0.005)  # the reader is slower than the askers
        most = max(most, len(asked) - read)
        read += 1
    assert read == 60
    assert 3 <= most <= 3 * IN_FLIGHT_A_WORKER


def test_a_reader_that_stops_ends_the_waits_and_the_rest():
    stop, asked, ended = Stop(), [], []

    def ask(ticker):
        asked.append(ticker)
        if ticker != "T0":
            try:
                stop.sleep(600)
            except CancelledError:
                ended.append(ticker)
                raise
        return answer(ticker)

    results = ask_each(TICKERS, ask, workers=4, stop=stop, name="stopping")
    assert names_of([next(results)]) == ["T0"]
    results.close()
    assert sorted(ended) == sorted(set(asked) - {"T0"})
    assert len(asked) <= 5
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("stopping")]


def test_an_interrupt_in_the_reader_is_the_readers_end():
    stop = Stop()

    def ask(ticker):
        if ticker != "T0":
            stop.sleep(600)
        return answer(ticker)

    def read():
        for _ in ask_each(TICKERS, ask, workers=4, stop=stop, name="interrupted"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        read()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("interrupted")]


def test_a_bug_ends_the_fetch_and_is_not_an_outcome():
    stop = Stop()

    def ask(ticker):
        if ticker == "T3":
            raise ZeroDivisionError
        if ticker != "T0":
            stop.sleep(600)
        return answer(ticker)

    with pytest.raises(ZeroDivisionError):
        list(ask_each(TICKERS, ask, workers=4, stop=stop, name="broken"))
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("broken")]


def test_nothing_to_ask_is_nothing_found():
    assert list(ask_each([], answer, workers=4, stop=Stop(), name="pool")) == []


def test_a_wait_after_the_stop_ends_at_once():
    stop = Stop()
    stop.sleep(0.001)
    stop.set()
    with pytest.raises(CancelledError):
        stop.sleep(600)


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (UnknownSymbolError("no such"), "unknown_symbol"),
        (NoDataError("nothing"), "no_data"),
        (ThrottledError("slower", 5.0), "throttled"),
        (UpstreamError("cut"), "transient_exhausted"),
        (SchemaChangeError("new shape"), "schema_change"),
        (RefusedError("your plan"), "schema_change"),
        (CircuitOpenError("open", "throttled"), "throttled"),
        (CircuitOpenError("open", "failed"), "transient_exhausted"),
    ],
)
def test_an_error_becomes_its_outcome_in_its_words(error, outcome):
    def ask():
        raise error

    result = answer_of(REQUEST, Tally(ticker="AAPL", deadline=0.0, requests=3, retries=2, throttled=1, trouble="HTTP 500"), ask)
    (attempt,) = result.attempts
    assert (attempt.ticker, attempt.outcome, attempt.at, attempt.rows) == ("AAPL", outcome, NOW, 0)
    assert (attempt.requests, attempt.retries, attempt.throttled) == (3, 2, 1)
    assert attempt.detail == (f"{error}; HTTP 500" if isinstance(error, CircuitOpenError) else str(error))
    assert result.tables == {}


def test_rows_and_days_are_counted():
    rows = pa.table({"a": [1, 2]})
    result = answer("AAPL", Found(tables={FMP_EARNINGS: rows}, days=[dt.date(2025, 5, 2), dt.date(2025, 5, 1)], detail="1 unreadable a"))
    (attempt,) = result.attempts
    assert (attempt.outcome, attempt.rows, attempt.detail) == ("ok", 2, "1 unreadable a")
    assert (attempt.first_session, attempt.last_session) == (dt.date(2025, 5, 1), dt.date(2025, 5, 2))
