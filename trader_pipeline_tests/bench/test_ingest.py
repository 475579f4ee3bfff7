"""Both parts of `trader bench ingest`, small, against the bench's own server. Figures are asserted where no clock decides them."""

import datetime as dt
import json
from http.client import HTTPConnection

import pytest

from trader_pipeline.bench import incremental, storm
from trader_pipeline.bench.market import SERIES, series_of
from trader_pipeline.bench.ways import live_settings
from trader_pipeline.bench.yahoo_server import serving
from trader_pipeline_tests.conftest import trader

NOW = dt.datetime(2026, 1, 6, 12, tzinfo=dt.UTC)
FIRST, LAST = dt.date(2025, 12, 1), dt.date(2026, 1, 5)
SESSIONS = 24  # 2025-12-01 to 2026-01-05: 26 weekdays less Christmas and New Year's Day
NEVER_TIGHT = 0.4
"""Share of the server's rate that a busy machine keeps to: an answer may be late by half a second."""


def asked(yahoo, *paths):
    """Statuses and bodies of GETs on one connection."""
    connection = HTTPConnection(yahoo.url.removeprefix("http://"), timeout=30)
    answers = []
    for path in paths:
        connection.request("GET", path)
        answer = connection.getresponse()
        answers.append((answer.status, answer.read()))
    connection.close()
    return answers


def test_the_server_speaks_charts_of_its_sessions():
    with serving(FIRST, LAST) as yahoo:
        (_, whole), (_, rest), (_, none) = asked(
            yahoo,
            "/v8/finance/chart/ABC?period1=0&period2=9999999999",
            "/v8/finance/chart/ABC?period1=1767571200",  # 2026-01-05 in New York
            "/v8/finance/chart/ABC?period1=1767744000",
        )
    chart = json.loads(whole)["chart"]["result"][0]
    assert chart["meta"]["symbol"] == "ABC"
    assert len(chart["timestamp"]) == len(chart["indicators"]["quote"][0]["close"]) == SESSIONS
    assert chart["timestamp"][0] == 1764599400  # 2025-12-01 09:30 New York
    last = json.loads(rest)["chart"]["result"][0]
    assert last["timestamp"] == chart["timestamp"][-1:]
    assert last["indicators"]["quote"][0]["close"] == chart["indicators"]["quote"][0]["close"][-1:]
    assert "timestamp" not in json.loads(none)["chart"]["result"][0]


def test_the_server_refuses_what_is_over_its_rate_and_counts():
    with serving(FIRST, LAST, per_second=3) as yahoo:
        statuses = [status for status, _ in asked(yahoo, "/", *["/v8/finance/chart/ABC?period1=0"] * 5, "/v1/test/getcrumb")]
        counts = yahoo.counts()
    assert statuses[:4] == [404, 200, 200, 200]
    assert counts == {"requests": 7, "throttled": statuses.count(429)}


def test_the_bench_stays_away_from_the_users_own_gate(tmp_path, monkeypatch):
    monkeypatch.setenv("TRADER_GATE_FILE", str(tmp_path / "users.sqlite"))
    settings = live_settings(tmp_path, "http://127.0.0.1:1", first=FIRST, benchmark="SPY", requests_per_hour=1, burst=1)
    assert settings.gate_path == tmp_path / "gate.sqlite"


@pytest.mark.slow
def test_only_ours_comes_complete_without_a_429(tmp_path):
    columns = storm.measure(tmp_path, tickers=24, now=NOW, margin=NEVER_TIGHT)
    ours = columns["ours"]
    assert list(columns) == ["plain", "naive", "ours"]
    assert (ours["complete"], ours["of"], ours["throttled"]) == (24, 24, 0)
    assert 24 <= ours["requests"] <= 4.1 * 24
    assert columns["plain"]["throttled"] > 0
    assert columns["plain"]["complete"] < 24
    assert columns["naive"]["throttled"] > 0


@pytest.mark.slow
def test_one_more_session_is_asked_for_and_stored_once_a_ticker(tmp_path):
    tickers = SERIES + 16
    figures = incremental.measure(tmp_path, tickers=tickers, sessions=30, now=NOW)
    assert len({series_of(f"T{number:05}") for number in range(tickers)}) < tickers, "no ticker is a copy"
    assert figures["ok"] == figures["tickers"] == tickers
    assert figures["new_rows"] >= tickers
    assert tickers <= figures["requests"] <= tickers + 4
    assert figures["peak_mb"] > 50


@pytest.mark.slow
def test_the_command_prints_one_object(tmp_path):
    ran = trader("bench", "ingest", "--only", "incremental", "--tickers", "3", "--json", home=tmp_path / "home")
    assert ran.code == 0, ran.err
    printed = ran.json()
    assert printed["schema"] == "trader.bench_ingest/1"
    assert printed["incremental"]["ok"] == 3
    assert {"cpu_ms_per_ticker", "cpu_ms_http", "peak_mb"} <= printed["incremental"].keys()
    assert not (tmp_path / "home").exists()
