"""What the data status page asks of the attempts, the bars and the map of symbols."""

import datetime as dt

import pytest

from trader_pipeline.dashboard import status
from trader_pipeline.lake import Change, Lake
from trader_pipeline.schema import TABLES, core, raw
from trader_pipeline_tests.flows.test_status import rows

AS_OF = dt.datetime(2026, 11, 20, 22, tzinfo=dt.UTC)
FRIDAY, MONDAY = dt.date(2026, 11, 20), dt.date(2026, 11, 16)


def attempt(ticker, outcome="ok", *, last=None, source="yahoo", kind="bars", hours=0, **more):
    at = AS_OF + dt.timedelta(hours=hours)
    return {"source": source, "ticker": ticker, "at": at, "outcome": outcome, "kind": kind, "last_session": last, **more}


@pytest.fixture
def snapshot(tmp_path):
    lake = Lake(tmp_path / "lake", "live")
    attempts = [
        attempt("AAA", last=MONDAY, hours=-72, throttled=5),
        attempt("AAA", "throttled", throttled=3, detail="429 to the end"),
        attempt("BBB", last=FRIDAY, kind=None, throttled=None),
        attempt("BBB", "no_data", kind="news", source="fmp"),
        attempt("CCC", "unknown_symbol"),
    ]
    bars = [{"ticker": "AAA", "session": MONDAY, "source": "yahoo"}, {"ticker": "AAA", "session": FRIDAY, "source": "fmp"}]
    securities = [
        {"ticker": "AAA", "symbol": "AAA"},
        {"ticker": "DDD", "symbol": "DDD", "ended": "presumed", "valid_to": MONDAY},
        {"ticker": "EEE", "symbol": "EEE", "ended": "renamed", "valid_to": MONDAY},
    ]
    lake.publish(
        Change.append(raw.FETCH_ATTEMPTS, rows(raw.FETCH_ATTEMPTS, *attempts)),
        Change.append(core.ACCEPTED_BARS, rows(core.ACCEPTED_BARS, *bars)),
        Change.append(core.TICKER_MAP, rows(core.TICKER_MAP, *securities)),
    )
    return lake.snapshot()


def test_the_last_attempt_of_each_ticker_and_kind_counts(snapshot):
    counted, failed = status.fetches(snapshot)
    assert [(c["source"], c["kind"], c["outcome"], c["tickers"], c["throttled"]) for c in counted] == [
        ("fmp", "news", "no_data", 1, 0),
        ("yahoo", "bars", "ok", 1, 0),
        ("yahoo", "bars", "throttled", 1, 3),
        ("yahoo", "bars", "unknown_symbol", 1, 0),
    ]
    assert [(f["ticker"], f["asked"]) for f in failed] == [("AAA", "bars"), ("CCC", "bars"), ("BBB", "news")]


def test_what_never_came_lags_most(snapshot):
    lagging = status.lagging(snapshot, "XNYS", AS_OF)
    assert [(row["ticker"], row["behind"], row["outcome"]) for row in lagging] == [("CCC", None, "unknown_symbol"), ("AAA", 4, "throttled")]
    assert lagging[1]["detail"] == "429 to the end"


def test_stand_ins_and_ends(snapshot):
    assert [(b["source"], b["rows"], b["last_session"]) for b in status.bars_by_source(snapshot)] == [
        ("fmp", 1, FRIDAY),
        ("yahoo", 1, MONDAY),
    ]
    assert [(e["ticker"], e["ended"]) for e in status.ended(snapshot)] == [("DDD", "presumed")]


def test_tables_of_every_session_are_tables():
    names = {table.full_name for table in TABLES} | {"features.panel"}
    assert names > status._EVERY_SESSION > {"raw.yahoo_bars", "core.daily_bars", "predictions.daily"}
