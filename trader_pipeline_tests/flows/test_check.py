import datetime as dt

import pyarrow as pa
import pytest

from trader_pipeline import calendar
from trader_pipeline.checks import CHECKS
from trader_pipeline.checks.report import run_rules
from trader_pipeline.errors import BlockedByDataError
from trader_pipeline.flows import check as flow
from trader_pipeline.flows.check import accept, check
from trader_pipeline.flows.freshness import staleness
from trader_pipeline.lake import Change, Lake
from trader_pipeline.schema.core import ACCEPTED_BARS, CORPORATE_ACTIONS, DAILY_BARS, MACRO, TICKER_MAP
from trader_pipeline.schema.quality import FINDINGS, METRICS, QUARANTINE
from trader_pipeline.settings import CheckSettings
from trader_pipeline_tests.checks.build import DAYS, bars, changed, row, table

AS_OF = calendar.known_at("XNYS", DAYS[99])
CLEAN = bars(dict.fromkeys("ABC", DAYS[:100]))


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "lake", "own")


def checked(lake, rows=None, *, as_of=AS_OF, run_id="run-1", settings=None):
    if rows is not None:
        lake.publish(Change.replace(DAILY_BARS, rows))
    return check(lake, as_of=as_of, settings=settings or CheckSettings(), run_id=run_id)


def accepted(lake, *, as_of=AS_OF):
    return accept(lake, as_of=as_of, run_id="run-1")


def test_a_second_check_writes_nothing_and_returns_the_same_report(lake):
    first = checked(lake, changed(CLEAN, "A", DAYS[5], low=99.0))
    head = lake.snapshot().commit.id
    again = checked(lake, run_id="run-2", as_of=AS_OF + dt.timedelta(minutes=5))
    assert lake.snapshot().commit.id == head
    assert (first.changed, again.changed) == (True, False)
    assert again.run_id == "run-1"
    assert [(r.rule, r.passed, r.severity, r.metrics, r.findings.to_pylist()) for r in again.results] == [
        (r.rule, r.passed, r.severity, r.metrics, r.findings.to_pylist()) for r in first.results
    ]
    assert again.quarantine.to_pylist() == first.quarantine.to_pylist()


def test_a_new_session_other_settings_or_new_rows_are_checked_again(lake):
    checked(lake, CLEAN)
    assert checked(lake, run_id="run-2", as_of=calendar.known_at("XNYS", DAYS[100])).changed
    assert checked(lake, run_id="run-3", settings=CheckSettings(missing_ratio=0.5)).changed
    assert checked(lake, changed(CLEAN, "A", DAYS[5], close=10.6), run_id="run-4").changed


def test_metrics_are_kept_over_time_and_the_same_instant_is_replaced(lake):
    checked(lake, CLEAN)
    checked(lake, changed(CLEAN, "A", DAYS[5], low=99.0), run_id="run-2")
    checked(lake, run_id="run-3", as_of=calendar.known_at("XNYS", DAYS[100]))
    runs = lake.snapshot().sql("select distinct run_id from quality.metrics order by all")["run_id"].to_pylist()
    assert runs == ["run-2", "run-3"]
    found = lake.snapshot().sql("select run_id, ticker from quality.findings where rule = 'ohlc_order' order by all").to_pylist()
    assert found == [{"run_id": "run-2", "ticker": "A"}, {"run_id": "run-3", "ticker": "A"}]


def test_two_checks_at_once_are_both_kept(lake, monkeypatch):
    checked(lake, CLEAN)
    monday, tuesday = (calendar.known_at("XNYS", DAYS[n]) for n in (100, 101))

    def while_another_checks(*args, **options):
        monkeypatch.undo()
        checked(lake, changed(CLEAN, "A", DAYS[5], low=99.0), run_id="inner", as_of=tuesday)
        return run_rules(*args, **options)

    monkeypatch.setattr(flow, "run_rules", while_another_checks)
    checked(lake, changed(CLEAN, "B", DAYS[5], low=99.0), run_id="outer", as_of=monday)
    metrics = lake.snapshot().sql("select run_id, count(*) as n from quality.metrics where name = 'findings' group by all order by all")
    assert metrics.to_pylist() == [{"run_id": name, "n": len(CHECKS)} for name in ("inner", "outer", "run-1")]
    found = lake.snapshot().sql("select run_id, ticker from quality.findings where rule = 'ohlc_order' order by all").to_pylist()
    assert found == [{"run_id": "inner", "ticker": "A"}, {"run_id": "outer", "ticker": "B"}]


def test_a_finding_that_is_gone_at_the_same_instant_is_gone(lake):
    checked(lake, changed(CLEAN, "A", DAYS[5], low=99.0))
    assert lake.snapshot().rows(FINDINGS) == 1
    checked(lake, CLEAN)
    assert lake.snapshot().rows(FINDINGS) == 0


def test_what_others_measured_at_the_same_instant_is_kept(lake):
    checked(lake, CLEAN)
    other = {"run_id": "run-1", "table_name": "core.accepted_bars", "rule": "history", "name": "sessions_needed", "value": 700.0}
    row = METRICS.conform(pa.Table.from_pylist([other | {"passed": False, "known_at": AS_OF}]))
    lake.publish(Change.upsert(METRICS, row))
    assert checked(lake, run_id="run-2").changed is False
    assert accepted(lake).rows == 300
    assert checked(lake, changed(CLEAN, "A", DAYS[5], close=10.6), run_id="run-3").blocked_by == []
    runs = lake.snapshot().sql("select distinct run_id, rule = 'history' as other from quality.metrics order by all").to_pylist()
    assert runs == [{"run_id": "run-1", "other": True}, {"run_id": "run-3", "other": False}]


def observation(day, **values):
    known = {"known_at": calendar.known_at("XNYS", day), "known_at_basis": "assumed", "source": "fred", "vintage": "final"}
    return known | {"series": "DGS10", "observed_on": day, "value": 2.5, **values}


def test_the_tables_beside_the_bars_are_judged_as_known_and_again_when_they_change(lake):
    sound = [observation(day) for day in DAYS[:20]]
    lake.publish(Change.replace(MACRO, MACRO.conform(pa.Table.from_pylist(sound))))
    assert [r.table for r in checked(lake, CLEAN).results if not r.passed] == []
    assert checked(lake, run_id="run-2").changed is False
    later = observation(DAYS[30], known_at=AS_OF + dt.timedelta(days=1), vintage="nobody's")
    lake.publish(Change.replace(MACRO, MACRO.conform(pa.Table.from_pylist([*sound, later, observation(DAYS[25], vintage="odd")]))))
    report = checked(lake, run_id="run-3")
    assert (report.changed, report.blocked_by) == (True, [])
    stored = lake.snapshot().sql("select table_name, rule, ticker, first_session from quality.findings where run_id = 'run-3'").to_pylist()
    assert stored == [{"table_name": "core.macro", "rule": "macro_versions", "ticker": "DGS10", "first_session": DAYS[25]}]
    assert accepted(lake).rows == 300


def split(source, day, known_at=AS_OF - dt.timedelta(days=50)):
    of = {"ticker": "A", "session": day, "kind": "split", "value": 4.0, "source": source}
    return of | {"known_at": known_at, "known_at_basis": "assumed"}


@pytest.mark.parametrize(("order", "moves"), [(("own", "yahoo"), 0), (("yahoo", "own"), 2 * 2)])
def test_a_split_is_dated_by_the_first_source_while_it_has_bars(lake, order, moves):
    low = {"open": 2.5, "high": 2.75, "low": 2.25, "close": 2.625}
    both = pa.concat_tables([changed(rows, "A", *DAYS[50:], **low) for rows in (CLEAN, bars({"A": DAYS[:100]}, source="yahoo"))])
    actions = pa.Table.from_pylist([split("own", DAYS[50]), split("yahoo", DAYS[52])])
    lake.publish(Change.replace(DAILY_BARS, both), Change.replace(CORPORATE_ACTIONS, CORPORATE_ACTIONS.conform(actions)))
    report = check(lake, as_of=AS_OF, settings=CheckSettings(), run_id="run-1", order=order)
    outliers = next(r for r in report.results if r.rule == "outlier_returns")
    assert outliers.metrics["outliers"] == moves  # down on the day, up where the wrong date undoes a split, in both sources


def test_an_exchange_without_a_calendar_is_told_and_stops_nothing(lake):
    row = {"ticker": "A", "symbol": "A", "valid_from": DAYS[0], "issuer_id": "A", "exchange": "XXXX", "role": "stock"}
    lake.publish(Change.replace(TICKER_MAP, TICKER_MAP.conform(pa.Table.from_pylist([row]))))
    report = checked(lake, CLEAN)
    assert [(r.rule, r.findings["message"][0].as_py()) for r in report.results if not r.passed] == [
        (
            "ticker_map",
            "A: no calendar is known for the exchange XXXX: 1 row, first 2018-01-02; correct symbols.toml or the source's listing",
        )
    ]


def test_an_empty_table_blocks(lake):
    assert checked(lake).blocked_by == ["staleness"]
    with pytest.raises(BlockedByDataError, match="fetch a source first"):
        accepted(lake)


@pytest.mark.parametrize("n", [98, 100])
def test_bars_are_accepted_as_they_were_judged(lake, n):
    checked(lake, bars(dict.fromkeys("ABC", DAYS[:102])))
    accepted(lake, as_of=AS_OF + dt.timedelta(hours=3))  # the same session is the last that closed
    before = lake.snapshot().commit.id
    with pytest.raises(
        BlockedByDataError, match=r"the last checks judged what was known at .*, core.daily_bars is to be accepted as known at"
    ):
        accepted(lake, as_of=calendar.known_at("XNYS", DAYS[n]))
    assert lake.snapshot().commit.id == before


def test_an_outage_is_news_by_what_was_published_then(lake):
    names = "ABCDEFGHIJ"
    day_before = calendar.known_at("XNYS", DAYS[98])
    checked(lake, bars(dict.fromkeys(names, DAYS[:99])), as_of=day_before)
    accepted(lake, as_of=day_before)
    later = lake.snapshot().read(ACCEPTED_BARS).slice(0, 1).to_pylist()[0] | {
        "session": DAYS[101],
        "known_at": calendar.known_at("XNYS", DAYS[101]),
    }
    lake.publish(Change.append(ACCEPTED_BARS, ACCEPTED_BARS.conform(pa.Table.from_pylist([later]))))
    report = checked(lake, bars({name: DAYS[: 100 if name < "H" else 99] for name in names}), run_id="run-2")
    assert held_sessions(report) == 1


def test_what_is_not_published_any_more_is_judged_again(lake):
    checked(lake, CLEAN)
    accepted(lake)
    checked(lake, run_id="run-2", settings=CheckSettings(missing_run=6))
    assert checked(lake, run_id="run-3", settings=CheckSettings(missing_run=6)).changed is False
    lake.drop(tables=[ACCEPTED_BARS.full_name])
    assert checked(lake, run_id="run-4", settings=CheckSettings(missing_run=6)).changed


def held_sessions(report):
    return next(r for r in report.results if r.rule == "missing_dates").metrics["held_sessions"]


def test_only_the_years_that_changed_are_accepted_again(lake, monkeypatch):
    staged, stage = [], lake.stage

    def noted(table, rows):
        staged.append(sorted({day.year for day in rows["session"].to_pylist()}))
        return stage(table, rows)

    monkeypatch.setattr(lake, "stage", noted)
    both = bars(dict.fromkeys("ABC", DAYS[:300]))
    as_of = calendar.known_at("XNYS", DAYS[299])
    spoilt = changed(both, "A", DAYS[5], low=99.0)  # kept out by the checks, in 2018
    moved = changed(spoilt, "B", DAYS[290], close=10.6)  # in 2019
    for n, rows in enumerate((both, spoilt, moved, bars(dict.fromkeys("ABC", DAYS[:200])))):
        checked(lake, rows, as_of=as_of, run_id=f"run-{n}")
        accept(lake, as_of=as_of, run_id="run", force=True)
        fresh = lake.snapshot().sql("select * from core.accepted_bars order by ticker, session")
        lake.drop(tables=[ACCEPTED_BARS.full_name])
        accept(lake, as_of=as_of, run_id="run", force=True)
        assert lake.snapshot().sql("select * from core.accepted_bars order by ticker, session").equals(fresh)
    assert staged[::2] == [[2018, 2019], [2018], [2019], [2018]]


def test_one_commit_holds_metrics_findings_and_quarantine(lake):
    lake.publish(Change.replace(DAILY_BARS, changed(CLEAN, "A", DAYS[5], low=99.0)))
    before = lake.snapshot().commit.number
    checked(lake)
    snapshot = lake.snapshot()
    assert snapshot.commit.number == before + 1
    assert [snapshot.rows(t) for t in (FINDINGS, QUARANTINE)] == [1, 1]
    assert snapshot.rows(METRICS) > 20


def test_accept_keeps_what_passed_and_does_nothing_the_second_time(lake):
    checked(lake, changed(CLEAN, "A", DAYS[5], low=99.0))
    outcome = accepted(lake)
    assert (outcome.rows, outcome.tickers, outcome.quarantined, outcome.changed) == (299, 3, 1, True)
    head = lake.snapshot().commit.id
    assert accepted(lake).changed is False
    assert lake.snapshot().commit.id == head
    gone = lake.snapshot().sql("select count(*) as n from core.accepted_bars where ticker = 'A' and session = ?", [DAYS[5]])
    assert gone["n"][0].as_py() == 0


def test_accept_takes_the_newest_version_known(lake):
    observed = {"known_at": AS_OF - dt.timedelta(days=1), "known_at_basis": "observed"}
    tomorrow = {"known_at": AS_OF + dt.timedelta(days=1), "known_at_basis": "observed"}
    versions = [row("A", DAYS[5], close=10.6, **observed), row("A", DAYS[5], close=10.7, **tomorrow)]
    checked(lake, pa.concat_tables([CLEAN, table(versions)]))
    accepted(lake)
    stored = lake.snapshot().sql("select close, known_at from core.accepted_bars where ticker = 'A' and session = ?", [DAYS[5]]).to_pylist()
    assert [(r["close"], r["known_at"].astimezone(dt.UTC)) for r in stored] == [(10.6, observed["known_at"])]


def test_accept_takes_the_first_source_whose_row_passes(lake):
    yahoo = bars(dict.fromkeys("ABC", DAYS[:100]), source="yahoo", close=10.52)
    checked(lake, pa.concat_tables([changed(CLEAN, "A", DAYS[5], low=99.0), yahoo]))
    accepted(lake)
    stored = (
        lake.snapshot().sql("select session, source, close from core.accepted_bars where ticker = 'A' and source = 'yahoo'").to_pylist()
    )
    assert stored == [{"session": DAYS[5], "source": "yahoo", "close": 10.52}]
    assert lake.snapshot().rows(ACCEPTED_BARS) == 300


def test_only_dollars_have_a_close_in_dollars(lake):
    checked(lake, pa.concat_tables([CLEAN, bars({"VOD": DAYS[:100]}, currency="GBP", price_unit="GBp")]))
    accepted(lake)
    counted = lake.snapshot().sql(
        "select ticker, count(close) as n, count(close_usd) as usd from core.accepted_bars group by all order by all"
    )
    assert [(r["ticker"], r["n"], r["usd"]) for r in counted.to_pylist()] == [
        ("A", 100, 100),
        ("B", 100, 100),
        ("C", 100, 100),
        ("VOD", 100, 0),
    ]


def test_a_blocked_report_leaves_the_accepted_bars_as_they_were(lake):
    checked(lake, CLEAN)
    accepted(lake)
    late = calendar.known_at("XNYS", DAYS[104])
    assert checked(lake, run_id="run-2", as_of=late).blocked_by == ["staleness"]
    with pytest.raises(BlockedByDataError, match=r"staleness: core.daily_bars ends .* 5 sessions before .*; fetch again"):
        accepted(lake, as_of=late)
    assert lake.snapshot().rows(ACCEPTED_BARS) == 300


def test_bars_that_nobody_checked_are_not_accepted(lake):
    with pytest.raises(BlockedByDataError, match="run the checks"):
        accepted(lake)
    checked(lake, CLEAN)
    lake.publish(Change.replace(DAILY_BARS, changed(CLEAN, "A", DAYS[5], close=10.6)))
    with pytest.raises(BlockedByDataError, match="run the checks"):
        accepted(lake)


def test_an_outage_holds_the_watermark_and_later_days_release_it(lake):
    tickers = [f"T{i}" for i in range(10)]
    checked(lake, bars(dict.fromkeys(tickers, DAYS[:98])), as_of=calendar.known_at("XNYS", DAYS[97]))
    accepted(lake, as_of=calendar.known_at("XNYS", DAYS[97]))
    hole = {t: DAYS[: 98 if i < 3 else 99] for i, t in enumerate(tickers)}
    as_of = calendar.known_at("XNYS", DAYS[98])
    report = checked(lake, bars(hole), as_of=as_of, run_id="run-2")
    assert report.blocked_by == []
    outcome = accepted(lake, as_of=as_of)
    assert outcome.held_from == DAYS[98]
    assert lake.snapshot().sql("select max(session) as day from core.accepted_bars")["day"][0].as_py() == DAYS[97]
    checked(lake, bars(dict.fromkeys(tickers, DAYS[:99])), as_of=as_of, run_id="run-3")
    assert accepted(lake, as_of=as_of).held_from is None
    assert lake.snapshot().rows(ACCEPTED_BARS) == 990


def test_the_same_rows_give_the_same_parts(lake, tmp_path):
    other = Lake(tmp_path / "other", "own")
    for each in (lake, other):
        checked(each, changed(CLEAN, "A", DAYS[5], low=99.0))
        accepted(each)
    assert lake.snapshot().data_version([ACCEPTED_BARS]) == other.snapshot().data_version([ACCEPTED_BARS])


def test_staleness_counts_sessions_of_each_table(lake):
    assert staleness(lake, as_of=AS_OF) == {}
    checked(lake, CLEAN)
    assert staleness(lake, as_of=calendar.known_at("XNYS", DAYS[102])) == {"core.daily_bars": 3}
    accepted(lake)
    assert staleness(lake, as_of=AS_OF) == {"core.daily_bars": 0, "core.accepted_bars": 0}
