"""A check after a few new rows says what a check of everything says, and looks at little."""

import datetime as dt
import math

import numpy as np
import pyarrow as pa
import pytest

from trader_pipeline import calendar
from trader_pipeline.flows import check as flow
from trader_pipeline.flows.check import check
from trader_pipeline.lake import Change, Lake
from trader_pipeline.schema.core import CORPORATE_ACTIONS, DAILY_BARS, SECTORS
from trader_pipeline.settings import CheckSettings
from trader_pipeline_tests.checks.build import bars, row, table

DAYS = calendar.sessions("XNYS", dt.date(2012, 1, 3), dt.date(2019, 12, 31)).tolist()
OLD, NEW = DAYS[:-3], DAYS[-3:]
SEEN_FROM = calendar.offset("XNYS", NEW[-1], -60 - 252)
TICKERS = ("A", "B", "C", "D", "E", "F", "G", "H", "I", "J", "K", "L")
BEFORE = sum(day < SEEN_FROM for day in OLD)
"""Rows of a ticker that only a look at the whole of it sees."""

SEEN = len(DAYS) - BEFORE


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
    repairs = snapshot.sql("select rule, ticker, session, source, column_name, proposed from quality.repairs order by all")
    return findings.to_pylist(), quarantine.to_pylist(), repairs.to_pylist()


def grown(tmp_path, changes):
    """Return what is said by a lake that was checked before and after the changes, and by one that was checked once."""
    first, second = (calendar.known_at("XNYS", day) for day in (OLD[-1], NEW[-1]))
    lake = Lake(tmp_path / "grown", "own")
    lake.publish(Change.replace(DAILY_BARS, EARLY))
    check(lake, as_of=first, settings=CheckSettings(), run_id="first")
    lake.publish(Change.upsert(DAILY_BARS, changes))
    check(lake, as_of=second, settings=CheckSettings(), run_id="second")
    fresh = Lake(tmp_path / "fresh", "own")
    fresh.publish(Change.replace(DAILY_BARS, lake.snapshot().read(DAILY_BARS)))
    check(fresh, as_of=second, settings=CheckSettings(), run_id="once")
    return said(lake), said(fresh)


def test_new_sessions_are_judged_with_a_year_and_what_was_spoken_of_whole(tmp_path, seen):
    new = faulty(bars(dict.fromkeys(TICKERS, NEW)), ("D", NEW[2], {"low": 99.0}), ("A", NEW[0], {"high": 1.0}))
    after, once = grown(tmp_path, new)
    assert after == once
    assert {(f["rule"], f["ticker"]) for f in after[0]} == {("ohlc_order", t) for t in "ABD"} | {("nan_ratio", "C")}
    assert seen == [
        (True, len(OLD) * 12),
        (False, len(DAYS) * 12),
        (True, SEEN * 12 + 2 * BEFORE),  # A and B were spoken of
        (True, SEEN * 12 + 3 * BEFORE),  # D is now
        (True, len(DAYS) * 12),
    ]


def test_a_ticker_whose_older_row_changed_is_judged_whole(tmp_path, seen):
    later = {"known_at": calendar.known_at("XNYS", NEW[-1]), "known_at_basis": "observed"}
    healed, broken = row("A", dt.date(2013, 5, 6), **later), row("E", dt.date(2015, 6, 1), high=1.0, **later)
    new = pa.concat_tables([bars(dict.fromkeys(TICKERS[:10], NEW)), table([healed])])
    after, once = grown(tmp_path / "healed", new)
    assert after == once
    assert ("ohlc_order", "A") not in {(f["rule"], f["ticker"]) for f in after[0]}
    after, once = grown(tmp_path / "broken", pa.concat_tables([bars(dict.fromkeys(TICKERS, NEW)), table([broken])]))
    assert after == once
    assert ("ohlc_order", "E") in {(f["rule"], f["ticker"]) for f in after[0]}
    assert seen[-2] == (True, SEEN * 12 + 3 * BEFORE)


def test_the_first_source_leads_although_its_rows_are_older_than_the_window(tmp_path):
    quotes = {day: 100 * math.exp(0.01 * math.sin(i)) for i, day in enumerate(DAYS)}

    def told(ticker, days, source):
        return [
            row(ticker, day, source=source, volume_shares=1000.0, **dict(zip(("open", "high", "low", "close"), prices, strict=True)))
            for day in days
            for prices in [(quotes[day], quotes[day] * 1.005, quotes[day] * 0.995, quotes[day])]
        ]

    first, second = (calendar.known_at("XNYS", day) for day in (OLD[-1], NEW[-1]))
    split = {"ticker": "A", "session": NEW[1], "kind": "split", "value": 4.0, "source": "yahoo", "known_at_basis": "assumed"}
    split["known_at"] = first
    said_by = []
    for only_changed in (True, False):
        lake = Lake(tmp_path / str(only_changed), "own")
        old = told("A", DAYS[:301], "yahoo") + [r for ticker in TICKERS for r in told(ticker, OLD[250 if ticker == "A" else 0 :], "tiingo")]
        lake.publish(
            Change.replace(DAILY_BARS, table(old)),
            Change.replace(CORPORATE_ACTIONS, pa.Table.from_pylist([split], schema=CORPORATE_ACTIONS.arrow_schema)),
        )
        settings = CheckSettings(only_changed=only_changed)
        check(lake, as_of=first, settings=settings, run_id="first", order=("yahoo", "tiingo"))
        lake.publish(Change.upsert(DAILY_BARS, table([r for ticker in TICKERS for r in told(ticker, NEW, "tiingo")])))
        check(lake, as_of=second, settings=settings, run_id="second", order=("yahoo", "tiingo"))
        said_by.append(said(lake))
    assert said_by[0] == said_by[1]
    assert "split_applied" in {finding["rule"] for finding in said_by[1][0]}


def test_findings_of_old_and_new_rows_are_said_once(tmp_path):
    again = {"known_at": calendar.known_at("XNYS", NEW[-1]), "known_at_basis": "observed", "high": 1.0}
    new = pa.concat_tables([bars(dict.fromkeys(TICKERS, NEW)), table([row("B", OLD[-1], **again)])])
    after, once = grown(tmp_path, new)
    assert after == once
    (b,) = [f for f in after[0] if f["ticker"] == "B"]
    assert (b["sessions"], b["first_session"], b["last_session"]) == (2, dt.date(2019, 11, 4), OLD[-1])


def test_other_settings_an_earlier_instant_many_tickers_and_a_week_judge_everything(tmp_path, seen):
    lake = Lake(tmp_path / "lake", "own")
    lake.publish(Change.replace(DAILY_BARS, EARLY))
    settings = CheckSettings(missing_run=6)
    first, second = (calendar.known_at("XNYS", day) for day in (OLD[-1], NEW[-1]))
    check(lake, as_of=first, settings=CheckSettings(), run_id="1")
    check(lake, as_of=second, settings=settings, run_id="2")
    check(lake, as_of=first, settings=settings, run_id="3")
    check(lake, as_of=second, settings=CheckSettings(missing_run=6, only_changed=False), run_id="4")
    assert seen == [(True, len(OLD) * 12)] * 4
    check(lake, as_of=second, settings=settings, run_id="5")
    for n, day in enumerate(calendar.sessions("XNYS", dt.date(2020, 1, 2), dt.date(2020, 1, 10)).tolist()):
        check(lake, as_of=calendar.known_at("XNYS", day), settings=settings, run_id=f"later-{n}")
    assert [values for values, _ in seen[5:]] == [False, True] * 3 + [True] + [
        False,
        True,
    ] * 3  # 7 January is a week after the last day of the year
    later = {"known_at": calendar.known_at("XNYS", dt.date(2020, 1, 10)), "known_at_basis": "observed", "close": 10.6}
    lake.publish(Change.upsert(DAILY_BARS, table([row(ticker, OLD[9], **later) for ticker in TICKERS[:7]])))
    check(lake, as_of=calendar.known_at("XNYS", dt.date(2020, 1, 13)), settings=settings, run_id="many")
    assert seen[-1] == (True, len(OLD) * 12)


MARKET = [f"T{n:02d}" for n in range(24)]
SPLIT_DAY = 120
"""... of the second ticker, a session later of the one after it: none of them in what a window sees."""


def moving(seed):
    """Return rows by (ticker, place) of a market that falls by a fifth on one session, in two sectors, and its listed splits."""
    rng = np.random.default_rng(seed)
    days = calendar.sessions("XNYS", dt.date(2018, 6, 1), dt.date(2020, 1, 31)).tolist()
    common = rng.normal(0, 0.006, len(days))
    common[[60, 61, 400]] = -0.2, 0.17, -0.15
    rows, actions = {}, []
    for n, ticker in enumerate(MARKET):
        close = 80 * np.exp(np.cumsum(common + rng.normal(0, 0.012, len(days))))
        volume = 1e6 * np.exp(rng.normal(0, 0.3, len(days)))
        if n % 10 == 1:
            close[SPLIT_DAY + n :] /= 2
            volume[SPLIT_DAY + n :] *= 2
            known = {"known_at": calendar.known_at("XNYS", days[0]), "known_at_basis": "assumed", "source": "own"}
            actions.append(known | {"ticker": ticker, "session": days[SPLIT_DAY + n], "kind": "split", "value": 2.0})
        opens = close * np.exp(rng.normal(0, 0.004, len(days)))
        for place, day in enumerate(days):
            high, low = max(opens[place], close[place]) * 1.006, min(opens[place], close[place]) * 0.994
            rows[ticker, place] = row(
                ticker, day, open=opens[place], high=high, low=low, close=close[place], volume_shares=math.floor(volume[place])
            )
    return days, rows, actions


def broken(rng, bar):
    """Return the bar with one of the faults that rules near a row look for."""
    names = ("open", "high", "low", "close")
    kind = rng.integers(0, 8)
    if kind < 3:
        factor = (100.0, 0.01, 1.35)[kind]
        return bar | {name: bar[name] * factor for name in names}
    return bar | ({"high": bar["low"] * 0.97}, {"close": None}, {"volume_shares": 0.0}, {"volume_shares": bar["volume_shares"] * 1000},
                  {"close": bar["close"] * 1.3, "high": bar["close"] * 1.31})[kind - 3]  # fmt: skip


@pytest.mark.parametrize("seed", range(3))
def test_a_market_that_is_broken_and_healed_day_by_day_is_told_what_one_check_tells(tmp_path, seed):
    rng = np.random.default_rng(seed)
    days, clean, actions = moving(seed)
    first = len(days) - 9
    sectors = [{"ticker": t, "sector": "AB"[n % 2], "valid_from": days[0], "valid_to": None} for n, t in enumerate(MARKET)]
    lake, fresh = Lake(tmp_path / "lake", "own"), Lake(tmp_path / "fresh", "own")
    stored = {key: broken(rng, bar) if rng.random() < 6e-4 else bar for key, bar in clean.items() if key[1] < first}
    lake.publish(Change.replace(DAILY_BARS, table(list(stored.values()))), Change.replace(SECTORS, pa.Table.from_pylist(sectors)))
    lake.publish(Change.replace(CORPORATE_ACTIONS, pa.Table.from_pylist(actions[:-1])))
    windows = 0
    for place in range(first, len(days)):
        as_of = calendar.known_at("XNYS", days[place])
        known = {"known_at": as_of, "known_at_basis": "observed"}
        new = {(t, place): broken(rng, clean[t, place]) if rng.random() < 0.02 else clean[t, place] for t in MARKET}
        for key in [key for key in stored if stored[key] != clean[key] and rng.random() < 0.1]:
            new[key] = clean[key] | known  # healed
        for _ in range(rng.integers(0, 3)):
            key = (str(rng.choice(MARKET)), int(rng.integers(0, place)))
            new[key] = broken(rng, clean[key]) | known
        stored |= new
        lake.publish(Change.upsert(DAILY_BARS, table(list(new.values()))))
        if place == first + 5:  # a split that is listed late, with the instant that it should have been known
            lake.publish(Change.upsert(CORPORATE_ACTIONS, pa.Table.from_pylist(actions[-1:])))
        check(lake, as_of=as_of, settings=CheckSettings(), run_id=f"day-{place}")
        (judged,) = lake.snapshot().sql("select distinct whole_at, known_at from quality.judged_parts").to_pylist()
        windows += judged["whole_at"] < judged["known_at"]
        whole = lake.snapshot()
        fresh.publish(*(Change.replace(name, whole.read(name)) for name in (DAILY_BARS, SECTORS, CORPORATE_ACTIONS)))
        check(fresh, as_of=as_of, settings=CheckSettings(only_changed=False), run_id=f"day-{place}")
        for ours, theirs in zip(said(lake), said(fresh), strict=True):
            assert {str(r) for r in ours} ^ {str(r) for r in theirs} == set(), days[place]
    assert windows == 7  # the first day, and the one a week later, are whole
