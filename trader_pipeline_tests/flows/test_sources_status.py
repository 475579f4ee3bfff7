"""What status says of the live market's sources."""

import datetime as dt
import re
from pathlib import Path

import pytest

from trader_pipeline.flows import sources_status, universe
from trader_pipeline.flows.ingest_stored import close_of
from trader_pipeline.flows.status import status
from trader_pipeline.lake import Change, Lake
from trader_pipeline.schema import core, raw
from trader_pipeline.schema.raw_yahoo import YAHOO_BARS
from trader_pipeline.settings import Settings
from trader_pipeline.sources.gate import Limits, SqliteGate
from trader_pipeline.sources.yahoo import YAHOO
from trader_pipeline_tests.flows.test_status import rows

AS_OF = dt.datetime(2026, 11, 20, 22, tzinfo=dt.UTC)
FRIDAY, THURSDAY, MONDAY = dt.date(2026, 11, 20), dt.date(2026, 11, 19), dt.date(2026, 11, 16)


def attempt(ticker, outcome="ok", *, last=None, source="yahoo", kind="bars", hours=0, **more):
    at = AS_OF + dt.timedelta(hours=hours)
    return {"source": source, "ticker": ticker, "at": at, "outcome": outcome, "kind": kind, "last_session": last, "run_id": "r", **more}


@pytest.fixture
def market(tmp_path):
    settings = Settings(home=tmp_path / "home", dataset="live")
    universe.add(settings.universe_file, "default", ["AAA", "BBB", "CCC", "NEW", "OLD"], added=MONDAY)
    return Lake(settings.dataset_home / "lake", "live"), settings


def publish(lake, *attempts):
    lake.publish(Change.append(raw.FETCH_ATTEMPTS, rows(raw.FETCH_ATTEMPTS, *attempts)))


def bar(ticker, day, close=1.0):
    return {"ticker": ticker, YAHOO_BARS.year_of: day, close_of(YAHOO): close, "fetched_at": AS_OF}


def test_the_gates_are_those_of_the_file_that_is_named(tmp_path):
    shared = tmp_path / "gates.sqlite"
    SqliteGate(shared, "fmp", Limits(requests_per_hour=1), clock=AS_OF.timestamp).throttled(60)
    (told,) = sources_status.gates(Settings(home=tmp_path / "home", gate_file=shared), now=AS_OF)["gates"]
    assert (told["source"], told["paused_until"]) == ("fmp", AS_OF + dt.timedelta(seconds=60))
    assert sources_status.gates(Settings(home=tmp_path / "home", gate_file=None), now=AS_OF) == {"gates": []}


def test_the_worst_come_first_with_what_was_said_of_them_last(market):
    lake, settings = market
    bars = [bar("AAA", FRIDAY), bar("SPY", FRIDAY), bar("BBB", MONDAY), bar("CCC", THURSDAY), bar("CCC", FRIDAY, None)]
    lake.publish(Change.append(YAHOO_BARS, rows(YAHOO_BARS, *bars)))
    publish(
        lake,
        attempt("BBB", last=MONDAY, hours=-72),
        attempt("BBB", "throttled", detail="429 to the end", hours=1),
        attempt("BBB", "no_data", kind="news", source="fmp", hours=2),
        attempt("CCC", last=FRIDAY),
        attempt("OLD", "unknown_symbol"),
    )
    found = sources_status.universe(lake.snapshot(), settings, as_of=AS_OF)
    assert found["universe"] == {"wanted": 6, "complete": 2}
    assert found["by_source"] == [{"source": "yahoo", "complete": 2, "wanted": 6}]
    assert [(w["ticker"], w["sessions_behind"], w["last_session"], w["outcome"]) for w in found["worst"]] == [
        ("NEW", None, None, None),
        ("OLD", None, None, "unknown_symbol"),
        ("BBB", 4, MONDAY, "throttled"),
        ("CCC", 1, THURSDAY, "ok"),
    ]
    assert found["worst"][2]["detail"] == "429 to the end"


def test_without_a_list_there_is_nothing_to_lack(market):
    lake, settings = market
    settings.universe_file.unlink()
    assert sources_status.universe(lake.snapshot(), settings, as_of=AS_OF)["universe"] is None


def test_securities_that_ended_are_named(market):
    lake, _ = market
    old = {"ticker": "OLD", "symbol": "OLD", "ended": "presumed", "valid_to": MONDAY}
    lake.publish(Change.replace(core.TICKER_MAP, rows(core.TICKER_MAP, old, {"ticker": "AAA", "symbol": "AAA"})))
    assert sources_status.ended(lake.snapshot())["ended"] == [{"ticker": "OLD", "symbol": "OLD", "ended": "presumed", "on": MONDAY}]


def test_the_cost_is_of_each_sources_last_run(market):
    lake, _ = market
    publish(
        lake,
        attempt("AAA", run_id="before", requests=9, throttled=9, hours=-1),
        attempt("AAA", run_id="now", requests=2, retries=1, throttled=1),
        attempt("BBB", run_id="now", requests=1, throttled=None, kind=None),
        attempt("VIX", source="cboe", kind="macro", requests=1),
    )
    found = sources_status.fetches(lake.snapshot())
    cost = {"at": AS_OF, "tickers": 2, "requests": 3, "retries": 1, "throttled": 1}
    assert found["last_run"] == [
        {**cost, "source": "cboe", "tickers": 1, "requests": 1, "retries": 0, "throttled": 0},
        {**cost, "source": "yahoo"},
    ]
    assert [(f["source"], f["kind"], f["outcome"], f["tickers"]) for f in found["fetches"]] == [
        ("cboe", "macro", "ok", 1),
        ("yahoo", "bars", "ok", 2),
    ]


def test_rows_that_stand_in_are_counted(market):
    lake, settings = market
    bars = [{"ticker": t, "session": FRIDAY, "source": s} for t, s in (("AAA", "yahoo"), ("BBB", "fmp"), ("CCC", "fmp"))]
    lake.publish(Change.append(core.ACCEPTED_BARS, rows(core.ACCEPTED_BARS, *bars)))
    assert sources_status.stand_ins(lake.snapshot(), settings) == {
        "stand_ins": [{"source": "fmp", "rows": 2, "tickers": 2, "through": FRIDAY}]
    }


def test_a_damaged_table_hides_its_own_facts_only(market):
    lake, settings = market
    bars = {"ticker": "AAA", "session": FRIDAY, "source": "yahoo"}
    lake.publish(Change.append(core.ACCEPTED_BARS, rows(core.ACCEPTED_BARS, bars)))
    lake.publish(Change.append(YAHOO_BARS, rows(YAHOO_BARS, bar("AAA", FRIDAY))))
    publish(lake, attempt("AAA", last=FRIDAY))
    whole = status(lake, settings, now=AS_OF)
    assert (whole["damage"], whole["session_through"], whole["universe"]["complete"]) == ([], FRIDAY, 1)
    part = lake.snapshot().files(core.ACCEPTED_BARS)[0]
    part.write_bytes(part.read_bytes()[:-9])
    hurt = status(lake, settings, now=AS_OF)
    assert list(hurt) == list(whole)
    assert (hurt["session_through"], hurt["stand_ins"], hurt["behind"]) == (None, None, None)
    assert (hurt["universe"]["complete"], hurt["fetches"][0]["tickers"]) == (1, 1)
    assert next(t for t in hurt["tables"] if t["table"] == "core.accepted_bars")["through"] is None
    assert all(part.name in lost["error"] for lost in hurt["damage"])
    assert "session_through" in [lost["fact"] for lost in hurt["damage"]]


def test_every_key_has_its_line_in_the_docs(market):
    lake, settings = market
    page = (Path(__file__).parents[2] / "docs" / "architecture.md").read_text()
    told = page.split("## What `trader status --json` says")[1].split("\n## ")[0]
    lines = [line.split("|")[1] for line in told.splitlines() if line.startswith("| `")]
    assert [key for line in lines for key in re.findall(r"`(\w+)`", line)] == list(status(lake, settings, now=AS_OF))
