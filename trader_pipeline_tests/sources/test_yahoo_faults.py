"""What the whole fetch gets over: cookie and crumb hosts that fail or hang, old crumbs, mixed faults; and what it costs."""

import time
from pathlib import Path

import pytest

from trader_pipeline.schema.raw_yahoo import YAHOO_OPTIONS
from trader_pipeline.sources.asking import Tally
from trader_pipeline.sources.gate import Limits, SqliteGate, limits_of
from trader_pipeline.sources.http import UpstreamError
from trader_pipeline.sources.yahoo_answers import OPTIONS
from trader_pipeline.sources.yahoo_client import YahooClient
from trader_pipeline.sources.yahoo_options import YAHOO_CHAINS
from trader_pipeline.sources.yahoo_session import GovernedSession
from trader_pipeline_tests.fake_yahoo import COOKIE, CRUMB, FakeYahoo
from trader_pipeline_tests.feeds import fetched
from trader_pipeline_tests.plain_yfinance import history, plain_yfinance
from trader_pipeline_tests.sources.asking_yahoo import SESSIONS, fetch, request, settings_for

TICKERS = tuple(f"T{n:02}" for n in range(12))
MIX = ("500", "truncated", "429", "reset", "malformed")
REQUESTS_A_TICKER = 4.1


def asked(yahoo, *paths):
    return [yahoo.hits[path] for path in paths]


@pytest.mark.parametrize("host", [COOKIE, CRUMB])
@pytest.mark.parametrize("fault", ["hang", "500", "503", "429", "html", "down"])
def test_charts_come_without_cookie_or_crumb_and_their_hosts_are_left_alone(yahoo, tmp_path, host, fault):
    """A host that hangs costs one timeout, not one a ticker; the count shows it, whatever the clock says."""
    yahoo.beside[host] = fault
    yahoo.retry_after = "0"
    attempts, rows = fetch(settings_for(tmp_path, yahoo.url, timeout_seconds=3), *TICKERS)
    assert {a.outcome for a in attempts.values()} == {"ok"}
    assert rows.num_rows == len(TICKERS) * SESSIONS
    assert all(count <= 2 for count in asked(yahoo, COOKIE, CRUMB))  # yfinance knows two crumb hosts
    assert sum(a.requests for a in attempts.values()) == yahoo.hits.total() <= len(TICKERS) + 5


def test_what_a_host_said_is_raised_again_without_what_happened_before(yahoo, settings):
    yahoo.beside[CRUMB] = "500"
    gate = SqliteGate(settings.gate_path, "yahoo", limits_of(settings.yahoo))
    depths = []
    with GovernedSession(gate, settings.yahoo) as session, session.asking(Tally(ticker="AAA", deadline=time.time() + 60), 1, renewed=False):
        for _ in range(5):
            with pytest.raises(UpstreamError) as raised:
                session.request("GET", yahoo.url + CRUMB)
            depths.append(len(raised.traceback))
    assert yahoo.hits[CRUMB] == 1
    assert len(set(depths)) == 1


def test_a_refusal_with_a_fresh_crumb_is_final(yahoo, settings):
    yahoo.forever["BAD"] = "401"
    attempts, _ = fetch(settings, "BAD", "AAA")
    assert (attempts["BAD"].outcome, yahoo.requests("BAD")) == ("schema_change", 2)
    assert attempts["AAA"].outcome == "ok"


def test_a_mix_of_five_faults_ends_complete(yahoo, tmp_path):
    """Each ticker meets all five, in turns: so many failures of one ticker are no outage, and open no circuit."""
    yahoo.retry_after = "0"
    for n, ticker in enumerate(TICKERS):
        yahoo.plan(ticker, *(MIX[(n + step) % 5] for step in range(5)))
    planned = sum(len(faults) for faults in yahoo.plans.values())
    throttles = sum(faults.count("429") for faults in yahoo.plans.values())
    attempts, rows = fetch(settings_for(tmp_path, yahoo.url, workers=1), *TICKERS)
    assert {(a.outcome, a.retries) for a in attempts.values()} == {("ok", 5)}
    assert rows.num_rows == len(TICKERS) * SESSIONS
    counters = SqliteGate(tmp_path / "gate.sqlite", "yahoo", Limits(requests_per_hour=1)).counters()
    assert counters.granted == yahoo.hits.total() == sum(a.requests for a in attempts.values()) == len(TICKERS) + planned + 2
    assert counters.throttled == sum(a.throttled for a in attempts.values()) == throttles
    assert counters.failed == planned - throttles


def test_a_cold_fetch_costs_about_a_request_a_ticker(yahoo, settings):
    attempts, _ = fetch(settings, *TICKERS)
    assert yahoo.hits.total() == len(TICKERS) + 2  # one cookie, one crumb
    assert yahoo.hits.total() / len(attempts) <= REQUESTS_A_TICKER


def test_descriptors_do_not_grow_with_tickers(yahoo, settings):
    def descriptors():
        return sum(1 for _ in Path("/proc/self/fd").iterdir())

    fetch(settings, *(f"W{n}" for n in range(20)))
    before = descriptors()
    attempts, _ = fetch(settings, *(f"F{n:03}" for n in range(300)))
    assert {a.outcome for a in attempts.values()} == {"ok"}
    assert descriptors() <= before
    assert {path.name for path in Path(settings.home).iterdir()} == {"gate.sqlite"}
    assert yahoo.hits.total() == 320 + 4


def test_a_bad_answer_is_never_served_again(yahoo, settings):
    """yfinance's cache keeps a 500 of a closed span and never asks the healthy server again; ours does not go through it."""
    span = {"start": "2025-03-03", "end": "2025-05-30"}
    with plain_yfinance(yahoo.url) as session:
        history("AAA", session, start="2025-03-03")
        yahoo.plan("AAA", "500", "500")  # yfinance asks twice
        with pytest.raises(ValueError, match="Expecting value"):
            history("AAA", session, **span)
        count = yahoo.requests("AAA")
        with pytest.raises(ValueError, match="Expecting value"):
            history("AAA", session, **span)
        assert yahoo.requests("AAA") == count
    yahoo.plan("AAA", "500", "500")
    attempts, rows = fetch(settings, "AAA")
    assert (attempts["AAA"].outcome, rows.num_rows) == ("ok", SESSIONS)


def test_two_fetches_at_once_share_neither_cookie_nor_crumb(tmp_path):
    """Bars and options of one process are asked by clients of their own."""
    with FakeYahoo() as yahoo:
        settings = settings_for(tmp_path, yahoo.url)
        chains = YAHOO_CHAINS.fetch(request("AAA"), settings)
        first = next(chains)
        attempts, _ = fetch(settings, "BBB")
        rest = list(chains)
        assert [a.outcome for a in first.attempts] == ["ok"]
        assert (attempts["BBB"].outcome, rest) == ("ok", [])
        assert asked(yahoo, COOKIE, CRUMB) == [2, 2]


def test_a_crumb_that_grows_old_between_two_attempts_is_renewed(yahoo, settings):
    """The first attempt met a 500 and the second an old crumb: the refusal is no last word."""
    waits = []

    def sleep(seconds):
        if not waits:
            yahoo.renew_crumb()
        waits.append(seconds)

    yahoo.plan("AAA", "500")
    gate = SqliteGate(settings.gate_path, "yahoo", Limits(requests_per_hour=3_600_000, burst=100))
    with YahooClient(gate, settings.yahoo, sleep=sleep) as client:
        tally = client.tally("AAA")
        assert client.get(f"{OPTIONS}AAA", {}, tally=tally).body["expirationDates"]
    assert (len(waits), yahoo.hits[f"{OPTIONS}AAA"]) == (2, 3)


def test_an_old_crumb_of_options_is_renewed(yahoo, settings):
    """A run of hours outlives its crumb; without a new one every chain after that would be refused."""
    fetching = YAHOO_CHAINS.fetch(request("AAA", *TICKERS), settings)
    next(fetching)
    yahoo.renew_crumb()
    outcomes = [attempt.outcome for result in fetching for attempt in result.attempts]
    assert outcomes == ["ok"] * len(TICKERS)
    assert asked(yahoo, COOKIE, CRUMB) == [2, 2]
    assert fetched(YAHOO_CHAINS, request("BBB"), settings).tables[YAHOO_OPTIONS].num_rows
