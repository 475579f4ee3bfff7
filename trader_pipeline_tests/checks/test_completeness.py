import datetime as dt

import pytest

from trader_pipeline import calendar
from trader_pipeline_tests.checks.build import DAYS, bars, quarantined, report, verdict


def without(days, gone):
    return [day for day in days if day not in gone]


def test_holidays_are_not_missing():
    # 2018 had 251 sessions, among its closures 5 December, the day of mourning for George H. W. Bush
    year = [day for day in DAYS if day.year == 2018]
    assert len(year) == 251
    assert dt.date(2018, 12, 5) not in year
    assert verdict(bars({"A": year}), "missing_dates").passed


def test_two_percent_warns_and_more_quarantines_every_row_of_the_ticker():
    days = DAYS[:100]
    rows = bars({"A": without(days, {days[10], days[20]}), "B": without(days, {days[10], days[20], days[30]}), "C": days})
    findings = {f["ticker"]: f for f in verdict(rows, "missing_dates").findings.to_pylist()}
    assert set(findings) == {"A", "B"}
    assert findings["A"]["severity"] == "warning"
    assert findings["A"]["value"] == pytest.approx(0.02)
    assert findings["B"]["severity"] == "error"
    assert findings["B"]["sessions"] == 3
    assert findings["B"]["first_session"] == days[10]
    assert findings["B"]["last_session"] == days[30]
    assert quarantined(rows, "missing_dates") == [("B", day) for day in days if day not in {days[10], days[20], days[30]}]


@pytest.mark.parametrize(("run", "severity"), [(5, "warning"), (6, "error")])
def test_five_in_a_row_warn_and_six_quarantine(run, severity):
    rows = bars({"A": without(DAYS, set(DAYS[100 : 100 + run])), "B": DAYS})
    assert run / len(DAYS) < 0.02
    assert [f["severity"] for f in verdict(rows, "missing_dates").findings.to_pylist()] == [severity]


def test_a_ticker_is_judged_only_between_its_own_first_and_last_session():
    rows = bars({"OLD": DAYS[:200], "NEW": DAYS[300:], "A": DAYS})
    assert verdict(rows, "missing_dates").passed


def test_an_outage_counts_against_no_ticker_and_twenty_percent_is_none():
    outage, busy = DAYS[50], DAYS[60]
    tickers = [f"T{i:02d}" for i in range(10)]
    rows = bars({t: without(DAYS[:100], {*([outage] if i < 3 else []), *([busy] if i < 2 else [])}) for i, t in enumerate(tickers)})
    result = verdict(rows, "missing_dates")
    sessions = [f for f in result.findings.to_pylist() if f["scope"] == "session"]
    assert [(f["ticker"], f["first_session"], f["severity"], f["value"]) for f in sessions] == [
        ("*", outage, "warning", pytest.approx(0.3))
    ]
    holes = {f["ticker"]: f["sessions"] for f in result.findings.to_pylist() if f["scope"] == "ticker"}
    assert holes == {"T00": 1, "T01": 1}
    assert result.metrics["outage_sessions"] == 1


def test_an_outage_neither_breaks_nor_lengthens_a_run():
    outage = DAYS[53]
    around = {DAYS[i] for i in (50, 51, 52, 54, 55)}
    tickers = {f"T{i}": without(DAYS, {outage}) for i in range(9)} | {"A": without(DAYS, {outage, *around})}
    finding = next(f for f in verdict(bars(tickers), "missing_dates").findings.to_pylist() if f["ticker"] == "A")
    assert finding["sessions"] == 5
    assert finding["severity"] == "warning"
    assert "longest run 5" in finding["message"]


def test_a_lone_ticker_cannot_have_an_outage():
    rows = bars({"A": without(DAYS[:100], {DAYS[10], DAYS[20], DAYS[30]})})
    assert [f["scope"] for f in verdict(rows, "missing_dates").findings.to_pylist()] == ["ticker"]


@pytest.mark.parametrize(("published", "severity"), [(None, "error"), (DAYS[98], "error"), (DAYS[99], "warning")])
def test_an_outage_of_the_newest_session_is_held_until_it_is_published(published, severity):
    rows = bars({f"T{i}": DAYS[: 99 if i < 3 else 100] for i in range(10)})
    result = verdict(rows, "missing_dates", published_through=published)
    assert [(f["scope"], f["first_session"], f["severity"]) for f in result.findings.to_pylist()] == [("session", DAYS[99], severity)]
    assert result.severity == "warning"  # it holds the watermark and blocks nothing


def test_an_outage_on_a_first_load_is_history_when_a_session_follows_it():
    rows = bars({f"T{i}": without(DAYS[:100], {DAYS[98]}) for i in range(10)})
    found = verdict(rows, "missing_dates").findings.to_pylist()
    assert [(f["first_session"], f["severity"]) for f in found] == [(DAYS[98], "warning")]


def test_an_outage_is_not_held_for_ever():
    rows = bars({f"T{i}": without(DAYS[:100], {DAYS[94]}) for i in range(10)})
    assert verdict(rows, "missing_dates", published_through=DAYS[93]).metrics["held_sessions"] == 0
    rows = bars({f"T{i}": without(DAYS[:99], {DAYS[94]}) for i in range(10)})
    assert verdict(rows, "missing_dates", published_through=DAYS[93]).metrics["held_sessions"] == 1


def test_tickers_presumed_delisted_are_no_outage():
    rows = bars({f"T{i}": DAYS[: 94 if i < 3 else 100] for i in range(10)})
    assert verdict(rows, "missing_dates").passed


def test_each_exchange_has_its_own_sessions():
    # Thanksgiving: London trades, New York does not; Boxing Day: the reverse
    thanksgiving, boxing_day = dt.date(2018, 11, 22), dt.date(2018, 12, 26)
    london = calendar.sessions("XLON", dt.date(2018, 10, 1), dt.date(2019, 1, 31)).tolist()
    york = calendar.sessions("XNYS", dt.date(2018, 10, 1), dt.date(2019, 1, 31)).tolist()
    rows = bars({"VOD.L": without(london, {thanksgiving}), "T": york, "X": [*york, thanksgiving]})
    mapped = [{"ticker": "VOD.L", "exchange": "XLON"}]
    assert boxing_day in york
    assert boxing_day not in london
    missing = verdict(rows, "missing_dates", mapped=mapped).findings.to_pylist()
    assert [(f["ticker"], f["first_session"]) for f in missing] == [("VOD.L", thanksgiving)]
    assert quarantined(rows, "off_calendar", mapped=mapped) == [("X", thanksgiving)]


def test_weekly_bars_skip_the_calendar_rules():
    mondays = [day for day in DAYS if day.weekday() == 0]
    found = report(bars({"A": mondays, "B": [*mondays, dt.date(2019, 12, 31)]}), as_of=calendar.known_at("XNYS", dt.date(2020, 6, 1)))
    assert {r.rule for r in found.results if not r.passed} == set()


def test_days_before_the_calendar_begins_are_not_called_closed():
    before, washingtons_birthday = dt.date(1985, 6, 4), dt.date(1990, 2, 19)
    assert quarantined(bars({"A": [before, washingtons_birthday, *DAYS]}), "off_calendar") == [("A", washingtons_birthday)]


def test_future_rows_are_quarantined_and_do_not_stretch_the_ticker():
    as_of = calendar.known_at("XNYS", DAYS[99])
    rows = bars({"A": [*DAYS[:100], DAYS[100], dt.date(2099, 1, 5)], "B": DAYS[:100]})
    assert quarantined(rows, "off_calendar", as_of=as_of) == [("A", DAYS[100]), ("A", dt.date(2099, 1, 5))]
    assert verdict(rows, "missing_dates", as_of=as_of).passed
    assert verdict(rows, "staleness", as_of=as_of).passed
    assert verdict(rows, "off_calendar", as_of=as_of).metrics == {"off_calendar_rows": 0, "future_rows": 2}


def test_a_finding_says_what_to_do():
    rows = bars({"BA": without(DAYS, {DAYS[10], DAYS[20], DAYS[30]}), "B": DAYS})
    (finding,) = verdict(rows, "missing_dates").findings.to_pylist()
    assert finding["message"].startswith(
        "BA: 3 of 503 sessions missing (0.6%, longest run 1), first 2018-01-17, 2018-01-31, 2018-02-14; fetch"
    )
