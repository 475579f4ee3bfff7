"""The real yfinance against a Yahoo that misbehaves on demand: what is got over, what is given up, and what it costs."""

import datetime as dt
import email.utils
import logging
import multiprocessing
import signal
import socket
import subprocess
import sys
import textwrap
import time

import pytest
from curl_cffi.requests import Session

from trader_pipeline.sources.gate import CircuitOpenError, Limits, SqliteGate
from trader_pipeline.sources.gate_states import gate_states
from trader_pipeline.sources.yahoo_answers import CHART
from trader_pipeline.sources.yahoo_client import YahooClient
from trader_pipeline_tests.clock import Clock
from trader_pipeline_tests.fake_yahoo import FakeYahoo
from trader_pipeline_tests.sources.asking_yahoo import FIRST, SESSIONS, TODAY, fetch, settings_for

TICKERS = tuple(f"T{n:02}" for n in range(12))
LONG_AGO = dt.datetime.fromtimestamp(0, dt.UTC)


def test_one_request_a_ticker_beside_one_cookie_and_one_crumb(yahoo, settings):
    attempts, rows = fetch(settings, "AAA", "BBB", "SPY")
    assert {a.outcome for a in attempts.values()} == {"ok"}
    assert {a.rows for a in attempts.values()} == {SESSIONS}
    assert rows.num_rows == 3 * SESSIONS
    assert sum(a.requests for a in attempts.values()) == yahoo.hits.total() == 5
    assert attempts["AAA"].first_session == FIRST
    assert attempts["AAA"].last_session == TODAY


@pytest.mark.parametrize("fault", ["429", "500", "502", "503", "503_later", "down", "html", "null", "malformed", "truncated"])
def test_each_fault_is_got_over(yahoo, tmp_path, fault):
    yahoo.retry_after = "0"
    yahoo.plan("AAA", fault, fault)
    attempts, rows = fetch(settings_for(tmp_path, yahoo.url), "AAA")
    assert attempts["AAA"].outcome == "ok"
    assert (attempts["AAA"].retries, yahoo.requests("AAA")) == (2, 3)
    assert rows.num_rows == SESSIONS


def test_a_reset_connection_is_got_over_and_no_request_passes_the_gate_uncounted(yahoo, settings):
    """On a kept connection libcurl would send the request again by itself; the counter-example below pins that."""
    yahoo.plan("AAA", "reset", "reset")
    attempts, _ = fetch(settings, "BBB", "AAA", "CCC")
    assert (attempts["AAA"].outcome, attempts["AAA"].retries, yahoo.requests("AAA")) == ("ok", 2, 3)
    counters = SqliteGate(settings.gate_path, "yahoo", Limits(requests_per_hour=1)).counters()
    assert counters.granted == yahoo.hits.total() == sum(a.requests for a in attempts.values())


def test_a_plain_curl_session_repeats_a_request_by_itself(yahoo):
    with Session(impersonate="chrome") as plain:
        url = f"{yahoo.url}{CHART}AAA?period1=1740000000&period2=1748890000"
        assert plain.get(url).status_code == 200
        yahoo.plan("AAA", "reset")
        assert plain.get(url).status_code == 200
    assert yahoo.requests("AAA") == 3


def test_a_slow_answer_times_out_and_is_asked_again(yahoo, tmp_path):
    yahoo.plan("AAA", "slow")
    attempts, _ = fetch(settings_for(tmp_path, yahoo.url, timeout_seconds=0.5), "AAA")
    assert (attempts["AAA"].outcome, attempts["AAA"].retries) == ("ok", 1)


@pytest.mark.parametrize(
    ("fault", "outcome", "detail"),
    [
        ("404", "unknown_symbol", "may be delisted"),
        ("empty", "no_data", "no price data found"),
        ("bad_request", "no_data", "Data doesn't exist"),
        ("403", "schema_change", "403"),
        ("no_chart", "schema_change", "no chart"),
        ("short", "schema_change", "same length"),
    ],
)
def test_what_asking_again_cannot_mend_is_asked_once(yahoo, settings, fault, outcome, detail):
    yahoo.forever["BAD"] = fault
    attempts, _ = fetch(settings, "BAD", "AAA")
    assert (attempts["BAD"].outcome, yahoo.requests("BAD")) == (outcome, 1)
    assert detail in attempts["BAD"].detail
    assert attempts["AAA"].outcome == "ok"


@pytest.mark.parametrize("symbol", ["A#B", "A?interval=1wk&x=", "A/B", "../../v1/test/getcrumb"])
def test_an_odd_symbol_brings_no_other_symbols_prices(yahoo, settings, symbol):
    yahoo.world.unknown.add(symbol.upper())
    attempts, rows = fetch(settings, symbol)
    assert (attempts[symbol].outcome, rows) == ("unknown_symbol", None)


def test_an_index_is_asked_for_by_its_name(settings):
    attempts, _ = fetch(settings, "^GSPC", ".")
    assert (attempts["^GSPC"].outcome, attempts["."].outcome, attempts["."].requests) == ("ok", "unknown_symbol", 0)


def test_a_refusal_is_an_answer_and_ends_a_row_of_failures(yahoo, tmp_path):
    """Five failures in a row of three tickers open the circuit; here no more than two come without an answer between."""
    yahoo.world.unknown.update({"GONE1", "GONE2", "GONE3"})
    for ticker in ("AAA", "BBB", "CCC", "DDD"):
        yahoo.forever[ticker] = "500"
    tickers = ("AAA", "GONE1", "BBB", "GONE2", "CCC", "GONE3", "DDD")
    attempts, _ = fetch(settings_for(tmp_path, yahoo.url, attempts=2, workers=1), *tickers)
    assert [a.outcome for a in attempts.values()] == ["transient_exhausted", "unknown_symbol"] * 3 + ["transient_exhausted"]
    assert not [a.detail for a in attempts.values() if "circuit" in a.detail]


def test_an_unknown_symbol_is_named_and_costs_one_request(yahoo, settings):
    yahoo.world.unknown.add("GONE")
    attempts, _ = fetch(settings, "GONE", "AAA")
    assert attempts["GONE"].outcome == "unknown_symbol"
    assert attempts["GONE"].detail == "No data found, symbol may be delisted"
    assert yahoo.requests("GONE") == 1


def test_a_stubborn_fault_ends_with_its_name(yahoo, tmp_path):
    yahoo.forever["BAD"] = "500"
    attempts, _ = fetch(settings_for(tmp_path, yahoo.url, attempts=3), "BAD")
    assert (attempts["BAD"].outcome, attempts["BAD"].detail) == ("transient_exhausted", "HTTP 500")
    assert yahoo.requests("BAD") == 3


def test_a_refused_connection_ends_quickly(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"  # bound, not listening: refused
        attempts, rows = fetch(settings_for(tmp_path, url, attempts=2), "AAA")
    assert attempts["AAA"].outcome == "transient_exhausted"
    assert rows is None


def test_a_dead_vendor_is_soon_left_alone(tmp_path):
    """The breaker opens: twenty tickers do not each insist eight times."""
    with FakeYahoo() as yahoo:
        yahoo.forever.update({f"T{n}": "502" for n in range(20)})
        attempts, _ = fetch(settings_for(tmp_path, yahoo.url), *yahoo.forever)
    assert {a.outcome for a in attempts.values()} == {"transient_exhausted"}
    assert sum(answer.status == 502 for answer in yahoo.log) < 20
    assert any("circuit open" in a.detail and "HTTP 502" in a.detail for a in attempts.values())


def test_a_ticker_that_always_fails_holds_up_no_other(yahoo, tmp_path):
    yahoo.forever["BAD"] = "500"
    settings = settings_for(tmp_path, yahoo.url, workers=1)
    attempts, rows = fetch(settings, "BAD", *TICKERS)
    assert (attempts["BAD"].outcome, attempts["BAD"].detail, yahoo.requests("BAD")) == ("transient_exhausted", "HTTP 500", 8)
    assert {attempts[ticker].outcome for ticker in TICKERS} == {"ok"}
    assert rows.num_rows == len(TICKERS) * SESSIONS
    assert yahoo.hits.total() == 8 + len(TICKERS) + 2  # one cookie, one crumb
    assert [state.open_until for state in gate_states(settings.gate_path, now=LONG_AGO)] == [None], "the circuit was open"


@pytest.mark.parametrize("header", ["seconds", "date"])
def test_retry_after_holds_the_ticker_and_every_other_process(yahoo, settings, header):
    clock = Clock()
    yahoo.retry_after = "40" if header == "seconds" else email.utils.formatdate(clock.now + 40, usegmt=True)
    yahoo.plan("AAA", "429")
    limits = Limits(requests_per_hour=3_600_000, burst=100)
    gate = SqliteGate(settings.gate_path, "yahoo", limits, clock=clock, sleep=clock.sleep)
    other = SqliteGate(settings.gate_path, "yahoo", limits, clock=clock)
    reserved = []

    def sleep(seconds):
        reserved.append(other.reserve(1000) - clock.now)
        clock.sleep(seconds)

    with YahooClient(gate, settings.yahoo, sleep=sleep, clock=clock) as client:
        tally = client.tally("AAA")
        client.get(f"{CHART}AAA", {"period1": 1_740_000_000, "period2": int(clock.now)}, tally=tally)
    assert (tally.retries, tally.throttled) == (1, 1)
    assert clock.slept[0] == 40
    assert reserved == [40]
    assert (gate.counters().throttled, other.counters().granted) == (1, tally.requests + len(reserved))


def test_homes_that_name_one_gate_file_share_the_pace_and_others_do_not(yahoo, tmp_path):
    shared = tmp_path / "of" / "all" / "gates.sqlite"
    one, two = (
        settings_for(tmp_path / name, yahoo.url, requests_per_hour=1, burst=5, deadline_seconds=1).model_copy(update={"gate_file": shared})
        for name in ("one", "two")
    )
    attempts, _ = fetch(one, "AAA", "BBB", "CCC")
    assert {a.outcome for a in attempts.values()} == {"ok"}
    attempts, _ = fetch(two, "AAA")
    assert (attempts["AAA"].outcome, attempts["AAA"].requests) == ("throttled", 0)
    assert [state.granted for state in gate_states(shared, now=LONG_AGO)] == [yahoo.hits.total()] == [5]
    assert list(tmp_path.rglob("gate*.sqlite")) == [shared]
    attempts, _ = fetch(two.model_copy(update={"gate_file": None}), "AAA")
    assert attempts["AAA"].outcome == "ok"
    assert (tmp_path / "two" / "gate.sqlite").exists()


def test_an_endless_throttle_is_called_by_its_name(yahoo, tmp_path):
    yahoo.retry_after = "3600"
    yahoo.forever["AAA"] = "429"
    attempts, _ = fetch(settings_for(tmp_path, yahoo.url), "AAA")
    assert (attempts["AAA"].outcome, attempts["AAA"].detail) == ("throttled", "HTTP 429")
    assert yahoo.requests("AAA") == 1
    with pytest.raises(CircuitOpenError, match="past the deadline"):
        SqliteGate(tmp_path / "gate.sqlite", "yahoo", Limits(requests_per_hour=1)).reserve(300)


def test_nothing_is_written_beside_the_home_and_no_crumb_is_logged(yahoo, settings, caplog, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    caplog.set_level(logging.DEBUG)
    yahoo.plan("AAA", "500")
    fetch(settings, "AAA")
    assert "fakeCrumb" not in caplog.text
    assert [path.name for path in tmp_path.iterdir()] == ["gate.sqlite"]


def test_an_interrupt_ends_the_waits_at_once(yahoo, tmp_path):
    """The gate would hold the fourth ticker for hours; Ctrl-C does not wait for it."""
    script = textwrap.dedent(f"""
        import datetime as dt, pathlib
        from trader_pipeline_tests.sources.asking_yahoo import fetch, settings_for
        print("started", flush=True)
        settings = settings_for(pathlib.Path({str(tmp_path)!r}), {yahoo.url!r}, requests_per_hour=1, burst=3, deadline_seconds=9999)
        fetch(settings, "AAA", "BBB")
    """)
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert child.stdout.readline() == b"started\n"
        deadline = time.monotonic() + 60
        while yahoo.hits.total() < 3 and time.monotonic() < deadline:
            time.sleep(0.05)
        child.send_signal(signal.SIGINT)
        _, errors = child.communicate(timeout=60)
    assert b"KeyboardInterrupt" in errors


def storm_worker(home, url, tickers, queue):
    """Fetch in a child process."""
    settings = settings_for(home, url, requests_per_hour=2 * 3600, burst=20, deadline_seconds=120, timeout_seconds=10)
    attempts, _ = fetch(settings, *tickers)
    queue.put([(a.ticker, a.outcome, a.requests) for a in attempts.values()])


@pytest.mark.slow
def test_a_storm_ends_complete_without_429_after_the_first_pause(tmp_path):
    """Two processes burst into a server that allows 12 requests in 3 seconds; after its Retry-After nobody is refused again."""
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    tickers = [f"T{n:02}" for n in range(24)]
    with FakeYahoo(rate=(12, 3.0), retry_after="3") as yahoo:
        children = [context.Process(target=storm_worker, args=(tmp_path, yahoo.url, tickers[n::2], queue)) for n in range(2)]
        for child in children:
            child.start()
        outcomes = [row for _ in children for row in queue.get(timeout=120)]
        for child in children:
            child.join()
    assert {(ticker, outcome) for ticker, outcome, _ in outcomes} == {(ticker, "ok") for ticker in tickers}
    refused = [answer.at for answer in yahoo.log if answer.status == 429]
    assert refused
    assert refused[-1] < refused[0] + 3
    counters = SqliteGate(tmp_path / "gate.sqlite", "yahoo", Limits(requests_per_hour=1)).counters()
    assert counters.throttled == len(refused)
    assert counters.granted == yahoo.hits.total() == sum(requests for *_, requests in outcomes)
