"""A check after a few new rows says what a check of everything says, and looks at little."""

import datetime as dt

import pyarrow as pa
import pytest

from trader_pipeline import calendar
from trader_pipeline.flows import check as flow
from trader_pipeline.flows.check import check
from trader_pipeline.lake import Change, Lake
from trader_pipeline.schema.core import DAILY_BARS
from trader_pipeline.settings import CheckSettings
from trader_pipeline_tests.checks.build import bars, row, table

DAYS = calendar.sessions("XNYS", dt.date(2012, 1, 3), dt.date(2019, 12, 31)).tolist()
OLD, NEW = DAYS[:-6], DAYS[-6:]
TICKERS = ("A", "B", "C", "D", "E", "F", "G", "H", "I", "J", "K", "L")


def faulty(rows, *faults):
    edits = {(ticker, day): values for ticker, day, values in faults}
    return table([r | edits.get((r["ticker"], r["session"]), {}) for r in rows.to_pylist()])


EARLY = faulty(
    bars(dict.fromkeys(TICKERS, OLD)),
    ("A", dt.date(2013, 5, 6), {"high": 1.0}),
    ("B", dt.date(2019, 11, 4), {"high": 1.0}),
    ("C", dt.date(2014, 3, 3), {"close": None}),
)


@pytest.fixture
def seen(monkeypatch):
    """Collect how many bars each context holds."""
    counts = []
    original = flow.open_lake_context

    def opened(*arguments, **options):
        context = original(*arguments, **options)
        counts.append((options.get("values", True), context.rows("select count(*) as n from bars")[0]["n"]))
        return context

    monkeypatch.setattr(flow, "open_lake_context", opened)
    return counts


def said(lake):
    """Everything that the newest checks hold against anything."""
    snapshot = lake.snapshot()
    run = snapshot.inputs("quality.quarantine").rpartition(":")[2]
    findings = snapshot.sql(
        "select rule, ticker, source, severity, first_session, last_session, sessions, message from quality.findings "
        "where run_id = ? order by all",
        [run],
    )
    quarantine = snapshot.sql("select rule, ticker, session, source, reason from quality.quarantine order by all")
    return findings.to_pylist(), quarantine.to_pylist()


def grown(tmp_path, changes):
    """Return what is said by a lake that was checked before and after the changes, and by one that was checked once."""
    first, second = (calendar.known_at("XNYS", day) for day in (OLD[-1], NEW[-1]))
    lake = Lake(tmp_path / "grown", "own")
    lake.publish(Change.replace(DAILY_BARS, EARLY))
    check(lake, as_of=first, settings=CheckSettings(only_changed=True), run_id="first")
    lake.publish(Change.upsert(DAILY_BARS, changes))
    check(lake, as_of=second, settings=CheckSettings(only_changed=True), run_id="second")
    fresh = Lake(tmp_path / "fresh", "own")
    fresh.publish(Change.replace(DAILY_BARS, lake.snapshot().read(DAILY_BARS)))
    check(fresh, as_of=second, settings=CheckSettings(only_changed=True), run_id="once")
    return said(lake), said(fresh)


def test_new_sessions_are_judged_with_two_years_and_what_was_said_before_stands(tmp_path, seen):
    new = faulty(bars(dict.fromkeys(TICKERS, NEW)), ("D", NEW[2], {"low": 99.0}), ("A", NEW[0], {"high": 1.0}))
    after, once = grown(tmp_path, new)
    assert after == once
    assert {(f["rule"], f["ticker"]) for f in after[0]} == {("ohlc_order", t) for t in "ABD"} | {("nan_ratio", "C")}
    two_years = sum(day.year >= 2018 for day in DAYS) * len(TICKERS)
    # A had a fault in 2013 and has one now: it is judged whole, so that both are said at once
    with_a = two_years + sum(day.year < 2018 for day in DAYS)
    once_whole = (True, len(DAYS) * 12)
    assert seen == [(True, len(OLD) * 12), (False, len(DAYS) * 12), (True, two_years), (True, with_a), once_whole]


def test_a_ticker_whose_older_row_changed_is_judged_whole(tmp_path, seen):
    later = {"known_at": calendar.known_at("XNYS", NEW[-1]), "known_at_basis": "observed"}
    healed, broken = row("A", dt.date(2013, 5, 6), **later), row("E", dt.date(2015, 6, 1), high=1.0, **later)
    new = pa.concat_tables([bars(dict.fromkeys(TICKERS[:10], NEW)), table([healed])])
    after, once = grown(tmp_path / "healed", new)
    assert after == once
    assert ("ohlc_order", "A") not in {(f["rule"], f["ticker"]) for f in after[0]}
    assert seen[2] == (True, sum(day.year >= 2018 for day in DAYS) * 12 + sum(day.year < 2018 for day in DAYS) - 2 * len(NEW))
    after, once = grown(tmp_path / "broken", pa.concat_tables([bars(dict.fromkeys(TICKERS, NEW)), table([broken])]))
    assert after == once
    assert ("ohlc_order", "E") in {(f["rule"], f["ticker"]) for f in after[0]}


def test_findings_that_reach_into_what_is_judged_are_not_said_twice(tmp_path):
    again = {"known_at": calendar.known_at("XNYS", NEW[-1]), "known_at_basis": "observed", "high": 1.0}
    new = pa.concat_tables([bars(dict.fromkeys(TICKERS, NEW)), table([row("B", OLD[-1], **again)])])
    after, once = grown(tmp_path, new)
    assert after == once
    (b,) = [f for f in after[0] if f["ticker"] == "B"]
    assert (b["sessions"], b["first_session"], b["last_session"]) == (2, dt.date(2019, 11, 4), OLD[-1])


def test_other_settings_an_earlier_instant_and_five_weeks_judge_everything(tmp_path, seen):
    lake = Lake(tmp_path / "lake", "own")
    lake.publish(Change.replace(DAILY_BARS, EARLY))
    settings = CheckSettings(missing_run=6, only_changed=True)
    first, second = (calendar.known_at("XNYS", day) for day in (OLD[-1], NEW[-1]))
    check(lake, as_of=first, settings=CheckSettings(only_changed=True), run_id="1")
    check(lake, as_of=second, settings=settings, run_id="2")
    check(lake, as_of=first, settings=settings, run_id="3")
    assert seen == [(True, len(OLD) * 12)] * 3
    for n in range(3):  # new sessions keep the older verdicts alive, but not for ever
        day = calendar.sessions("XNYS", dt.date(2020, 1, 2), dt.date(2020, 12, 31))[15 * n].item()
        check(lake, as_of=calendar.known_at("XNYS", day), settings=settings, run_id=f"later-{n}")
    assert [values for values, _ in seen[3:]] == [False, True, False, True, True]
    assert seen[-1] == (True, len(OLD) * 12)
