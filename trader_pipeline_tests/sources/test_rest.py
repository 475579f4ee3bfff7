"""The client of every vendor but Yahoo, against a server that answers what a test says."""

import datetime as dt
import gzip
import logging
import socket
import threading
import time
import traceback
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress

import pytest

from trader_pipeline.errors import UsageError
from trader_pipeline.settings import VendorSettings
from trader_pipeline.sources.asking import Found, Stop
from trader_pipeline.sources.gate import CircuitOpenError, Limits, SqliteGate
from trader_pipeline.sources.http import RefusedError, SchemaChangeError, ThrottledError, UnknownSymbolError, UpstreamError
from trader_pipeline.sources.rest import Body, RestClient
from trader_pipeline.sources.source import FetchRequest
from trader_pipeline_tests.clock import Clock
from trader_pipeline_tests.fake_server import HTML, Reply
from trader_pipeline_tests.fake_vendor import CSV, FakeVendor
from trader_pipeline_tests.fast import FAST

NOW = dt.datetime(2025, 6, 2, 20, 30, tzinfo=dt.UTC)
KEY = "very-secret-key-0123456789"
LIMITS = Limits(requests_per_hour=3_600_000, burst=100, trip_failures=3)


class Answering(FakeVendor):
    """Answers `reply`, or what it makes of path, query and headers, to everything."""

    reply = Reply(body={"fine": True})

    def route(self, path, query, headers):
        return self.reply(path, query, headers) if callable(self.reply) else self.reply


@pytest.fixture
def server():
    with Answering() as vendor:
        yield vendor


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def gate(tmp_path, clock):
    return SqliteGate(tmp_path / "gate.sqlite", "vendor", LIMITS, clock=clock, sleep=clock.sleep)


class Waits(Stop):
    """Waits that only move the clock."""

    def __init__(self, clock):
        super().__init__()
        self.sleep = clock.sleep


@pytest.fixture
def client(server, gate, clock):
    def make(url=None, **changes):
        own = {name: changes.pop(name) for name in ("headers", "secrets", "judge") if name in changes}
        settings = VendorSettings(
            **(FAST | {"base_url": url or server.url, "backoff_seconds": 0.5, "attempts": 4, "timeout_seconds": 5} | changes)
        )
        return RestClient("vendor", "https://vendor.invalid", settings, gate.path, stop=Waits(clock), gate=gate, clock=clock, **own)

    return make


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_a_sound_answer_costs_one_request_and_leaves_its_hash(client, server, gate):
    rest = client()
    tally = rest.tally("AAA")
    assert rest.get("/a", {"symbol": "BRK.B"}, tally=tally, read=Body.json) == {"fine": True}
    assert (tally.requests, tally.retries, tally.throttled, tally.trouble) == (1, 0, 0, "")
    assert tally.body_sha256 == "2c096585306c68f235263e68dacf0b9a43d59c60717bf0ac56bb41171caab3d6"
    assert server.log[0].query == {"symbol": "BRK.B"}
    assert gate.counters().granted == 1


def test_a_bounded_number_of_attempts_with_waits_that_grow(client, server, clock):
    server.forever["/a"] = "500"
    rest = client(attempts=3)
    tally = rest.tally("AAA")
    with pytest.raises(UpstreamError, match="/a: HTTP 500"):
        rest.get("/a", tally=tally, read=Body.json)
    assert (tally.requests, tally.retries, server.hits["/a"]) == (3, 2, 3)
    assert len(clock.slept) == 2
    assert clock.slept[0] <= 0.5
    assert clock.slept[1] <= 1.0


def test_the_circuit_opens_for_everybody_after_failures_of_several_tickers_in_a_row(client, server):
    server.reply = Reply(status=502)
    rest = client(attempts=1)
    for ticker in ("AAA", "BBB"):
        with pytest.raises(UpstreamError):
            rest.get(f"/{ticker}", tally=rest.tally(ticker), read=Body.json)
    insists = client(attempts=8)
    tally = insists.tally("CCC")
    with pytest.raises(CircuitOpenError):
        insists.get("/CCC", tally=tally, read=Body.json)
    assert (tally.requests, tally.trouble) == (1, "/CCC: HTTP 502")
    other = rest.tally("DDD")
    with pytest.raises(CircuitOpenError):
        rest.get("/DDD", tally=other, read=Body.json)
    assert (other.requests, server.hits["/DDD"]) == (0, 0)


def asked_for(rest, *tickers):
    """Return outcome and requests of each ticker, asked for through the client's own pool."""

    def find(ticker, tally):
        rest.get(f"/{ticker}", tally=tally, read=Body.json)
        return Found(tables={})

    request = FetchRequest(as_of=NOW, fetched_at=NOW, tickers=tickers)
    attempts = [attempt for result in rest.ask_each(tickers, request, find) for attempt in result.attempts]
    return {attempt.ticker: (attempt.outcome, attempt.requests) for attempt in attempts}


def test_a_ticker_that_always_fails_costs_its_attempts_and_holds_up_no_other(client, server, gate, clock):
    server.forever["/BAD"] = "500"
    sound = [f"T{number}" for number in range(6)]
    found = asked_for(client(attempts=8, workers=1), "BAD", *sound)
    assert found == {"BAD": ("transient_exhausted", 8), **dict.fromkeys(sound, ("ok", 1))}
    assert gate.counters().failed == 8
    assert gate.reserve(0) == clock.now


def test_an_outage_is_left_alone_after_a_few_tickers(client, server):
    server.reply = Reply(status=500)
    tickers = [f"T{number}" for number in range(12)]
    found = asked_for(client(attempts=2, workers=1), *tickers)
    assert {outcome for outcome, _ in found.values()} == {"transient_exhausted"}
    assert server.hits.total() == sum(requests for _, requests in found.values()) == 5  # two, two, and the one that shows the outage


def test_retry_after_is_kept_to_the_second(client, server, clock):
    server.retry_after = "7"
    server.plan("/a", "429")
    rest = client()
    tally = rest.tally("AAA")
    rest.get("/a", tally=tally, read=Body.json)
    assert (tally.throttled, tally.retries) == (1, 1)
    assert 7.0 <= sum(clock.slept) < 7.2


def test_a_retry_after_beyond_the_deadline_ends_the_ticker(client, server):
    server.retry_after = "4000"
    server.plan("/a", "429")
    rest = client(deadline_seconds=300)
    tally = rest.tally("AAA")
    with pytest.raises(ThrottledError):
        rest.get("/a", tally=tally, read=Body.json)
    assert (tally.requests, tally.throttled) == (1, 1)


def test_the_deadline_is_the_tickers_not_the_requests(client, server, clock):
    rest = client(deadline_seconds=10)
    tally = rest.tally("AAA")
    rest.get("/a", tally=tally, read=Body.json)
    clock.now += 11
    server.plan("/a", "500")
    with pytest.raises(CircuitOpenError, match="past the deadline"):
        rest.get("/a", tally=tally, read=Body.json)


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply(status=400, body="{}"), SchemaChangeError),
        (Reply(status=401, body="{}"), RefusedError),
        (Reply(status=402, body="{}"), RefusedError),
        (Reply(status=403, body="{}"), RefusedError),
        (Reply(status=404, body="{}"), UnknownSymbolError),
        (Reply(status=204), SchemaChangeError),
        (Reply(status=302), SchemaChangeError),
    ],
)
def test_what_asking_again_does_not_help_is_asked_once(client, server, reply, error):
    server.reply = reply
    rest = client()
    tally = rest.tally("AAA")
    with pytest.raises(error, match=f"^/a: HTTP {reply.status}"):
        rest.get("/a", tally=tally, read=Body.json)
    assert tally.requests == 1


def test_an_answer_that_refuses_closes_the_circuit(client, server, gate):
    for _ in range(3):
        server.plan("/a", "500", "500", "404")
        with pytest.raises(UnknownSymbolError):
            client().get("/a", tally=client().tally("AAA"), read=Body.json)
    assert gate.counters().failed == 6


@pytest.mark.parametrize("content", [b"", b"<html>", b'{"cut": ', b"\xff\xfe"])
def test_what_is_no_json_is_asked_again(client, server, content):
    answers = [Reply(body=content), Reply(body={"fine": True})]
    server.reply = lambda *_: answers.pop(0)
    rest = client()
    assert rest.get("/a", tally=rest.tally("AAA"), read=Body.json) == {"fine": True}


@pytest.mark.parametrize(("content", "kind"), [("<html>", CSV), ("a,b", HTML), (b"\xe4", CSV)])
def test_what_is_no_text_is_asked_again(client, server, content, kind):
    answers = [Reply(body=content, content_type=kind), Reply(body="\ufeffday,value\n", content_type=CSV)]
    server.reply = lambda *_: answers.pop(0)
    rest = client()
    tally = rest.tally("AAA")
    assert rest.get("/a", tally=tally, read=Body.text) == "day,value\n"
    assert tally.retries == 1


@pytest.mark.parametrize("status", [408, 425])
def test_a_vendor_that_says_later_is_asked_again(client, server, status):
    answers = [Reply(status=status), Reply(body={"fine": True})]
    server.reply = lambda *_: answers.pop(0)
    rest = client()
    assert rest.get("/a", tally=rest.tally("AAA"), read=Body.json) == {"fine": True}


def test_an_answer_that_only_trickles_ends_at_the_deadline(client, clock):
    """A byte before every timeout would keep a request going for ever."""
    with trickling(lambda: setattr(clock, "now", clock.now + 4)) as url:
        rest = client(url, deadline_seconds=10, attempts=1)
        tally = rest.tally("AAA")
        with pytest.raises(UpstreamError, match=r"^/a: still coming at the deadline, \d bytes so far"):
            rest.get("/a", tally=tally, read=Body.json)
    assert tally.requests == 1


def test_a_fetch_that_is_given_up_reads_no_further(client):
    with trickling(lambda: None) as url:
        rest = client(url)
        rest._stop.set()
        with pytest.raises(CancelledError):
            rest.get("/a", tally=rest.tally("AAA"), read=Body.json)


def test_a_body_is_read_up_to_a_size(client, server, monkeypatch):
    monkeypatch.setattr("trader_pipeline.sources.rest.MOST_BYTES", 2**20)
    bomb = gzip.compress(b"0" * 2**21)
    server.reply = Reply(body=bomb, headers={"Content-Encoding": "gzip"})
    rest = client()
    with pytest.raises(SchemaChangeError, match=r"^/a: more than 1048576 bytes"):
        rest.get("/a", tally=rest.tally("AAA"), read=Body.text)
    server.reply = Reply(body=gzip.compress(b"day,value\n"), content_type=CSV, headers={"Content-Encoding": "gzip"})
    assert rest.get("/a", tally=rest.tally("AAA"), read=Body.text) == "day,value\n"


@contextmanager
def trickling(after_byte):
    """A server that sends a byte at a time of a long answer, and tells of each; yields its URL."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        listening.settimeout(30)

        def serve():
            with suppress(OSError), listening.accept()[0] as connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
                while True:
                    after_byte()
                    connection.sendall(b"1")
                    time.sleep(0.02)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        thread.join()


def test_a_readers_own_verdict_decides(client):
    def incomplete(body):
        raise UpstreamError(f"{body.path}: half of it")

    def strange(body):
        raise SchemaChangeError(f"{body.path}: another shape")

    rest = client(attempts=2)
    tally = rest.tally("AAA")
    with pytest.raises(UpstreamError, match="half"):
        rest.get("/a", tally=tally, read=incomplete)
    with pytest.raises(SchemaChangeError, match="shape"):
        rest.get("/a", tally=tally, read=strange)
    assert (tally.requests, tally.retries) == (3, 1)


def test_the_judge_hears_every_answer_before_its_status_counts(client, server):
    server.reply = Reply(status=403, body="too fast")

    def judge(body):
        if b"too fast" in body.content:
            raise ThrottledError(body.path, None)

    rest = client(judge=judge, attempts=2)
    tally = rest.tally("AAA")
    with pytest.raises(ThrottledError):
        rest.get("/a", tally=tally, read=Body.json)
    assert tally.throttled == tally.requests == 2


def test_a_key_in_the_query_is_not_in_the_warning_of_odd_headers(client, server, caplog):
    """urllib3 warns of headers that it cannot parse, with the whole URL."""
    server.reply = Reply(body={"fine": True}, headers={"Odd": "a\r\nno header at all"})
    rest = client(secrets=(KEY,))
    assert rest.get("/a", {"api_key": KEY}, tally=rest.tally("AAA"), read=Body.json) == {"fine": True}
    with caplog.at_level(logging.WARNING, "urllib3"):
        rest.get("/a", {"api_key": "shown"}, tally=rest.tally("AAA"), read=Body.json)
    assert "api_key=shown" in caplog.text, "the headers were not odd, so this test would prove nothing"
    assert KEY not in caplog.text


@pytest.mark.parametrize("key", ["se\u2019cret", "secret\n2"])
def test_a_key_that_no_header_can_hold_is_named_and_not_shown(client, key):
    with pytest.raises(UsageError, match="TRADER_VENDOR__API_KEY") as raised:
        client(secrets=(key,))
    assert "cret" not in str(raised.value)


@pytest.mark.parametrize("where", ["header", "query"])
@pytest.mark.parametrize("trouble", ["refused", "reset", "slow", "401", "repeated", "malformed"])
def test_a_key_shows_nowhere(client, server, caplog, where, trouble):
    """Not in logs, errors, their causes and contexts, tracebacks, nor in what the client and the tally look like."""
    caplog.set_level(logging.DEBUG)
    logging.getLogger("urllib3.connectionpool").debug("listening")
    headers, params = ({"apikey": KEY}, {}) if where == "header" else ({}, {"api_key": KEY})
    if trouble == "repeated":
        server.reply = lambda _path, query, headers: Reply(status=400, body={"you": str(query) + str(headers)})
    elif trouble != "refused":
        server.forever["/a"] = trouble
    url = f"http://127.0.0.1:{free_port()}" if trouble == "refused" else None
    rest = client(url, headers=headers, secrets=(KEY,), attempts=2, timeout_seconds=0.3 if trouble == "slow" else 5, judge=_shows)
    tally = rest.tally("AAA")
    with pytest.raises((UpstreamError, RefusedError, SchemaChangeError)) as raised:
        rest.get("/a", params, tally=tally, read=Body.json)
    shown = ["".join(traceback.format_exception(raised.value)), caplog.text, repr(rest), str(rest), repr(tally)]
    error = raised.value
    while error is not None:
        shown += [repr(error), str(error.args)]
        assert not type(error).__module__.startswith(("requests", "urllib3"))
        error = error.__cause__ or error.__context__
    assert all(KEY not in text for text in shown)


def _shows(body):
    if body.status == 400:
        raise SchemaChangeError(body.content.decode())


def test_what_netrc_says_goes_to_no_vendor(client, server, tmp_path, monkeypatch):
    (tmp_path / "netrc").write_text("default login someone password elsewhere\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    rest = client(headers={"Authorization": f"Token {KEY}"}, secrets=(KEY,))
    rest.get("/a", tally=rest.tally("AAA"), read=Body.json)
    assert server.log[0].headers["Authorization"] == f"Token {KEY}"


def test_no_redirect_is_followed_with_a_key(client, server):
    with Answering() as elsewhere:
        server.reply = Reply(status=302, headers={"Location": f"{elsewhere.url}/b"})
        rest = client(headers={"apikey": KEY}, secrets=(KEY,))
        with pytest.raises(SchemaChangeError, match="/a: HTTP 302"):
            rest.get("/a", tally=rest.tally("AAA"), read=Body.json)
        assert not elsewhere.log
        keyless = client()
        assert keyless.get("/a", tally=keyless.tally("AAA"), read=Body.json) == {"fine": True}
        assert len(elsewhere.log) == 1
