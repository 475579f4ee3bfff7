import datetime as dt

import pytest

from trader_pipeline import calendar
from trader_pipeline.checks.freshness import sessions_behind
from trader_pipeline_tests.checks.build import DAYS, bars, table, verdict

LAST = DAYS.index(dt.date(2018, 11, 20))
"""Two sessions before the half day after Thanksgiving 2018."""


def at(sessions_later):
    return calendar.known_at("XNYS", DAYS[LAST + sessions_later])


@pytest.mark.parametrize(
    ("behind", "passed", "severity"),
    [(0, True, "warning"), (1, True, "warning"), (2, False, "warning"), (4, False, "warning"), (5, False, "error")],
)
def test_two_sessions_behind_warn_and_five_block(behind, passed, severity):
    result = verdict(bars({"A": DAYS[: LAST + 1], "B": DAYS[: LAST + 1]}), "staleness", as_of=at(behind))
    assert (result.passed, result.severity) == (passed, severity)
    assert result.metrics["sessions_behind"] == behind


def test_a_holiday_and_a_session_that_is_still_open_are_not_behind():
    tuesday = dt.date(2018, 11, 20)
    assert sessions_behind(tuesday, "XNYS", dt.datetime(2018, 11, 21, 21, 29, tzinfo=dt.UTC)) == 0
    assert sessions_behind(tuesday, "XNYS", dt.datetime(2018, 11, 21, 21, 30, tzinfo=dt.UTC)) == 1
    assert sessions_behind(tuesday, "XNYS", dt.datetime(2018, 11, 23, 18, 29, tzinfo=dt.UTC)) == 1  # Thursday was Thanksgiving
    assert sessions_behind(tuesday, "XNYS", dt.datetime(2018, 11, 23, 18, 30, tzinfo=dt.UTC)) == 2  # half day, closed 13:00 New York
    assert sessions_behind(tuesday, "XNYS", dt.datetime(2018, 11, 25, 12, 0, tzinfo=dt.UTC)) == 2


def test_a_single_ticker_that_stopped_is_a_warning_and_presumed_delisted_after_five():
    rows = bars({"A": DAYS[:100], "SLOW": DAYS[:98], "GONE": DAYS[:95]})
    result = verdict(rows, "staleness")
    found = {f["ticker"]: f for f in result.findings.to_pylist()}
    assert set(found) == {"SLOW", "GONE"}
    assert {f["severity"] for f in found.values()} == {"warning"}
    assert "presumed delisted" in found["GONE"]["message"]
    assert "presumed delisted" not in found["SLOW"]["message"]
    assert result.metrics == {"sessions_behind": 0, "lagging_tickers": 2, "presumed_delisted": 1}


def test_a_ticker_known_to_have_ended_is_not_stale():
    rows = bars({"A": DAYS[:100], "GONE": DAYS[:60]})
    assert verdict(rows, "staleness", mapped=[{"ticker": "GONE", "valid_to": DAYS[59]}]).passed
    assert not verdict(rows, "staleness", mapped=[{"ticker": "GONE", "valid_to": DAYS[70]}]).passed


def test_no_rows_at_all_block():
    result = verdict(table([]), "staleness", as_of=at(0))
    assert result.severity == "error"
    assert "fetch a source first" in result.findings["message"][0].as_py()
