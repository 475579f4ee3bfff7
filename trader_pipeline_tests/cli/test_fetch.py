"""`trader fetch` asks the vendors alone, says what became of each ticker, and fails when too many fell short."""

import datetime as dt
import os
import pty
import re
import signal
import subprocess
import sys
import time

import pytest

from trader_pipeline import calendar
from trader_pipeline_tests.conftest import COMPILED, trader
from trader_pipeline_tests.fake_world import World
from trader_pipeline_tests.fake_yahoo import FakeYahoo

pytestmark = pytest.mark.slow
TICKERS = "AAA,BBB,CCC,DDD"


@pytest.fixture
def yahoo():
    today = calendar.last_closed_session("XNYS", dt.datetime.now(dt.UTC))
    with FakeYahoo(World(first=dt.date(2024, 1, 2), today=today)) as server:
        yield server


@pytest.fixture
def asking(yahoo):
    return {
        "YAHOO__BASE_URL": yahoo.url,
        "YAHOO__BACKOFF_SECONDS": "0.01",
        "YAHOO__REQUESTS_PER_HOUR": "360000",
        "YAHOO__ATTEMPTS": "3",
        "LIVE_FIRST_SESSION": "2024-01-02",
    }


def test_fetched_once_then_nobody_is_asked_until_since_says_so(tmp_path, yahoo, asking):
    home = tmp_path / "home"
    yahoo.plan("BBB", "500")
    first = trader("fetch", "--source", "yahoo", "--tickers", TICKERS, "--json", home=home, **asking)
    assert first.code == 0, first.err
    facts = first.json()
    assert (facts["schema"], facts["feeds"], facts["unavailable"]) == ("trader.fetch/1", ["yahoo_bars"], None)
    assert {a["ticker"]: a["outcome"] for a in facts["attempts"]} == dict.fromkeys(["AAA", "BBB", "CCC", "DDD", "SPY"], "ok")
    assert (facts["retries"], facts["throttled"]) == (1, 0)
    assert facts["rows"] > 5 * 250
    assert "warning: AAA, BBB, CCC, DDD: stored, but not in the list 'default'" in first.err
    asked = len(yahoo.log)
    again = trader("fetch", "--tickers", TICKERS, home=home, **asking)
    assert (again.code, len(yahoo.log)) == (0, asked), again.err
    assert "nobody was asked" in again.out
    forced = trader("fetch", "--tickers", "AAA", "--since", "2025-01-02", home=home, **asking)
    assert forced.code == 0, forced.err
    assert yahoo.requests("AAA") > 1
    assert re.search(r"^yahoo +bars +AAA +ok ", forced.out, re.MULTILINE)
    stored = trader("sql", "select count(*) n from core.daily_bars", "--json", home=home, DATASET="live")
    assert stored.json() == [{"n": 0}], "fetch makes nothing of it"


def test_too_many_failures_are_listed_and_exit_5(tmp_path, yahoo, asking):
    home = tmp_path / "home"
    yahoo.world.unknown |= {"BBB", "CCC", "DDD"}
    ran = trader("fetch", "--source", "yahoo", "--tickers", TICKERS, home=home, **asking)
    assert ran.code == 5, ran.err
    assert "unknown_symbol: BBB, CCC, DDD" in ran.err
    outcomes = re.findall(r"^yahoo +bars +(\w+) +(\w+)", ran.out, re.MULTILINE)
    assert outcomes == [("BBB", "unknown_symbol"), ("CCC", "unknown_symbol"), ("DDD", "unknown_symbol"), ("AAA", "ok"), ("SPY", "ok")]
    told = trader("status", "--json", home=home, DATASET="live", **asking).json()
    assert [(g["source"], g["granted"], g["open_until"]) for g in told["gates"]] == [("yahoo", len(yahoo.log), None)]
    assert {f["outcome"]: f["tickers"] for f in told["fetches"]} == {"ok": 2, "unknown_symbol": 3}
    assert [(r["source"], r["tickers"]) for r in told["last_run"]] == [("yahoo", 5)]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--source", "fmp", "--kind", "news"], "TRADER_SOURCES__NEWS='[\"fmp\"]'"),
        (["--source", "nobody"], "'nobody' is none of"),
        (["--source", "yahoo", "--kind", "macro"], "yahoo has no macro"),
        (["--since", "soon"], "'soon' is no date"),
        (["--since", "2999-01-04"], "2999-01-04 is still to come"),
        (["--tickers", "AAPL MSFT"], "'AAPL MSFT': no ticker looks like that"),
        (["--source", "fmp", "--kind", "earnings"], "TRADER_FMP__API_KEY"),
    ],
)
def test_what_cannot_be_asked_is_named(tmp_path, arguments, said):
    ran = trader("fetch", *arguments, home=tmp_path / "home", SOURCES__EARNINGS='["fmp"]')
    assert ran.code == 2, ran.err
    assert said in ran.err


def started(home, asking, **streams):
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("TRADER_", "DAGSTER_"))}
    environment |= {"TRADER_HOME": str(home), "NUMBA_CACHE_DIR": str(COMPILED), "COLUMNS": "200", "TERM": "xterm"}
    environment |= {f"TRADER_{name}": value for name, value in asking.items()}
    command = [sys.executable, "-m", "trader_pipeline", "fetch", "--tickers", TICKERS]
    return subprocess.Popen(command, env=environment, cwd=home.parent, **streams)


def test_an_interrupt_says_how_to_go_on_and_keeps_what_came(tmp_path, yahoo, asking):
    home = tmp_path / "home"
    yahoo.forever["DDD"] = "slow"
    process = started(home, asking | {"YAHOO__TIMEOUT_SECONDS": "60"}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 60
        while not yahoo.requests("DDD") and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130, said
    assert "run the same command again to go on" in said
    yahoo.forever.clear()
    again = trader("fetch", "--tickers", TICKERS, home=home, **asking)
    assert again.code == 0, again.err
    assert "nobody was asked" not in again.out


def test_a_terminal_shows_how_far_and_how_fast(tmp_path, asking):
    main, terminal = pty.openpty()
    process = started(tmp_path / "home", asking, stdout=subprocess.DEVNULL, stderr=terminal)
    os.close(terminal)
    shown = b""
    while chunk := _read(main):
        shown += chunk
    os.close(main)
    assert process.wait(timeout=60) == 0
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())
    assert re.search(r"yahoo bars 5/5, \d+\.\d/s, 0 retries, 0 throttled", text), text[-2000:]


def _read(descriptor):
    try:
        return os.read(descriptor, 1 << 16)
    except OSError:  # the other end is closed
        return b""
