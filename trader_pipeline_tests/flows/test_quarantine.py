"""Quarantine over time: first seen, strikes, release; decisions of people; repairs that the settings apply."""

import datetime as dt
from dataclasses import replace

import pyarrow as pa
import pytest

from trader_pipeline import calendar
from trader_pipeline.checks import CHECKS
from trader_pipeline.checks.overrides import Override
from trader_pipeline.checks.rule import RuleResult
from trader_pipeline.errors import UsageError
from trader_pipeline.flows import check as flow
from trader_pipeline.flows.check import accept, check
from trader_pipeline.lake import Change, Lake
from trader_pipeline.schema.core import ACCEPTED_BARS, DAILY_BARS
from trader_pipeline.schema.quality import REPAIRS
from trader_pipeline.settings import CheckSettings
from trader_pipeline_tests.checks.build import DAYS, bars, changed

CLEAN = bars(dict.fromkeys("ABC", DAYS[:100]))
BROKEN = changed(CLEAN, "A", DAYS[5], high=1.0)
FIRST, SECOND, THIRD = (calendar.known_at("XNYS", DAYS[n]) for n in (99, 100, 101))


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "lake", "own")


def judged(lake, rows, as_of, **options):
    lake.publish(Change.replace(DAILY_BARS, rows))
    settings = options.pop("settings", CheckSettings())
    return check(lake, as_of=as_of, settings=settings, run_id=f"run-{as_of:%d}", **options)


def held(lake):
    rows = lake.snapshot().sql("select ticker, session, rule, first_seen, strikes from quality.quarantine order by all").to_pylist()
    return [(r["ticker"], r["session"], r["rule"], r["first_seen"].astimezone(dt.UTC), r["strikes"]) for r in rows]


def released(lake, run):
    found = lake.snapshot().sql("select rule, value from quality.metrics where name = 'released' and value > 0 and run_id = ?", [run])
    return [(r["rule"], r["value"]) for r in found.to_pylist()]


def test_a_row_counts_its_strikes_is_released_when_healed_and_starts_anew(lake):
    judged(lake, BROKEN, FIRST)
    assert held(lake) == [("A", DAYS[5], "ohlc_order", FIRST, 1)]
    judged(lake, BROKEN, SECOND)
    judged(lake, BROKEN, SECOND, settings=CheckSettings(missing_run=6))  # the same instant once more
    assert held(lake) == [("A", DAYS[5], "ohlc_order", FIRST, 2)]
    judged(lake, CLEAN, THIRD)
    assert held(lake) == []
    assert released(lake, f"run-{THIRD:%d}") == [("ohlc_order", 1.0)]
    later = calendar.known_at("XNYS", DAYS[102])
    judged(lake, BROKEN, later)
    assert held(lake) == [("A", DAYS[5], "ohlc_order", later, 1)]


def test_what_a_person_accepts_reaches_the_features_until_it_ends(lake):
    decision = Override(
        kind="accept",
        ticker="A",
        rule="ohlc_order",
        table="*",
        source="*",
        first=DAYS[5],
        last=DAYS[5],
        reason="confirmed",
        expires=FIRST.date(),
    )
    judged(lake, BROKEN, FIRST, overrides=[decision])
    accept(lake, as_of=FIRST, run_id="run-1")
    assert lake.snapshot().rows(ACCEPTED_BARS) == 300
    report = judged(lake, BROKEN, FIRST, overrides=[replace(decision, ended=True)])
    assert report.changed
    accept(lake, as_of=FIRST, run_id="run-1")
    assert lake.snapshot().rows(ACCEPTED_BARS) == 299


def proposing(monkeypatch, **values):
    """Let `ohlc_order` propose values for the row that it quarantines, as a rule that knows the mend does."""

    def run(context):
        found = original.run(context)
        if found.quarantine is None or not found.quarantine.num_rows:
            return found
        row = found.quarantine.select(["ticker", "session", "source"]).to_pylist()[0]
        proposed = [{**row, "column_name": k, "stored": 1.0, "proposed": v, "reason": "the day's range"} for k, v in values.items()]
        return RuleResult(
            findings=found.findings, quarantine=found.quarantine, metrics=found.metrics, repairs=pa.Table.from_pylist(proposed)
        )

    (original,) = [rule for rule in CHECKS if rule.name == "ohlc_order"]
    monkeypatch.setattr(flow, "CHECKS", tuple(replace(rule, run=run) if rule is original else rule for rule in CHECKS))


def test_a_repair_is_proposed_and_applied_only_when_the_settings_say_so(lake, monkeypatch):
    proposing(monkeypatch, high=11.0)
    judged(lake, BROKEN, FIRST)
    (stored,) = lake.snapshot().sql("select ticker, session, column_name, proposed, applied from quality.repairs").to_pylist()
    assert stored == {"ticker": "A", "session": DAYS[5], "column_name": "high", "proposed": 11.0, "applied": False}
    accept(lake, as_of=FIRST, run_id="run-1")
    assert lake.snapshot().rows(ACCEPTED_BARS) == 299

    judged(lake, BROKEN, SECOND, settings=CheckSettings(apply_repairs=("ohlc_order",)))
    accept(lake, as_of=SECOND, run_id="run-1")
    row = lake.snapshot().sql("select * from core.accepted_bars where ticker = 'A' and session = ?", [DAYS[5]]).to_pylist()[0]
    assert (row["high"], row["close"], row["repaired"], row["source"]) == (11.0, 10.5, "ohlc_order", "own")
    assert row["known_at"].astimezone(dt.UTC) == SECOND  # nobody could act on it before
    assert lake.snapshot().sql("select high from core.daily_bars where ticker = 'A' and session = ?", [DAYS[5]])["high"].to_pylist() == [
        1.0
    ]


def test_a_repair_that_is_no_bar_stays_out(lake, monkeypatch):
    proposing(monkeypatch, high=10.0)  # still below the close
    judged(lake, BROKEN, FIRST, settings=CheckSettings(apply_repairs=("ohlc_order",)))
    accept(lake, as_of=FIRST, run_id="run-1")
    assert lake.snapshot().rows(ACCEPTED_BARS) == 299


def test_what_a_person_accepts_is_not_repaired(lake, monkeypatch):
    proposing(monkeypatch, high=11.0)
    row = {"ticker": "A", "rule": "ohlc_order", "table": "*", "source": "*", "first": DAYS[5], "last": DAYS[5]}
    decision = Override(kind="accept", reason="confirmed", expires=SECOND.date(), **row)
    judged(lake, BROKEN, FIRST, settings=CheckSettings(apply_repairs=("ohlc_order",)), overrides=[decision])
    accept(lake, as_of=FIRST, run_id="run-1")
    kept = lake.snapshot().sql("select high, repaired from core.accepted_bars where ticker = 'A' and session = ?", [DAYS[5]])
    assert kept.to_pylist() == [{"high": 1.0, "repaired": None}]


def test_a_rule_that_is_none_is_refused_by_name(lake):
    with pytest.raises(UsageError, match="unit_error"):
        judged(lake, CLEAN, FIRST, settings=CheckSettings(apply_repairs=("unit_error",)))


def test_a_rule_that_says_one_thing_twice_is_taken_once(lake, monkeypatch):
    def run(context):
        found = original.run(context)
        return replace(found, findings=found.findings * 2, quarantine=pa.concat_tables([found.quarantine] * 2))

    (original,) = [rule for rule in CHECKS if rule.name == "ohlc_order"]
    monkeypatch.setattr(flow, "CHECKS", tuple(replace(rule, run=run) if rule is original else rule for rule in CHECKS))
    report = judged(lake, BROKEN, FIRST)
    assert [r.findings.num_rows for r in report.results if r.rule == "ohlc_order"] == [1]
    assert held(lake) == [("A", DAYS[5], "ohlc_order", FIRST, 1)]


A_HUNDREDFOLD = {name: 100 * value for name, value in (("open", 10.0), ("high", 11.0), ("low", 9.0), ("close", 10.5))}
APPLIED = CheckSettings(apply_repairs=("price_unit",))


def test_a_row_whose_unit_is_mended_is_judged_as_mended(lake):
    wrong = changed(CLEAN, "A", DAYS[5], **A_HUNDREDFOLD)
    judged(lake, wrong, FIRST)
    assert {rule for _, _, rule, _, _ in held(lake)} == {"price_unit", "outlier_returns"}
    accept(lake, as_of=FIRST, run_id="run-1")
    assert lake.snapshot().rows(ACCEPTED_BARS) == 299

    judged(lake, wrong, SECOND, settings=APPLIED)
    assert {rule for _, _, rule, _, _ in held(lake)} == {"price_unit"}
    accept(lake, as_of=SECOND, run_id="run-1")
    row = lake.snapshot().sql("select * from core.accepted_bars where ticker = 'A' and session = ?", [DAYS[5]]).to_pylist()[0]
    assert [row[name] for name in ("open", "high", "low", "close")] == pytest.approx([10.0, 11.0, 9.0, 10.5])
    assert (row["repaired"], row["known_at"].astimezone(dt.UTC)) == ("price_unit", SECOND)


@pytest.mark.parametrize(
    ("second", "rule"),
    [
        ({"high": 1000.0}, "ohlc_order"),  # mended, 10: below the close
        ({"volume_shares": -1.0}, "ohlc_order"),
        ({"open": 1200.0, "high": 1210.0, "low": 1195.0, "close": 1207.5}, "outlier_returns"),  # mended, 15 % over both its neighbours
    ],
)
def test_a_mended_row_with_a_second_fault_stays_out(lake, second, rule):
    judged(lake, changed(CLEAN, "A", DAYS[5], **A_HUNDREDFOLD | second), FIRST, settings=APPLIED)
    assert {rule for _, _, rule, _, _ in held(lake)} == {"price_unit", rule}
    accept(lake, as_of=FIRST, run_id="run-1")
    assert lake.snapshot().rows(ACCEPTED_BARS) == 299


def known_at(lake):
    rows = lake.snapshot().sql("select known_at from core.accepted_bars where ticker = 'A' and session = ?", [DAYS[5]]).to_pylist()
    return [row["known_at"].astimezone(dt.UTC) for row in rows]


def standing(lake):
    rows = lake.snapshot().sql("select distinct first_proposed, applied_since from quality.repairs").to_pylist()
    return [tuple(instant and instant.astimezone(dt.UTC) for instant in row.values()) for row in rows]


def test_a_repaired_bar_is_known_from_the_first_checks_that_applied_it(lake):
    wrong = changed(CLEAN, "A", DAYS[5], **A_HUNDREDFOLD)
    judged(lake, wrong, FIRST)
    assert standing(lake) == [(FIRST, None)]
    for as_of in (SECOND, THIRD):
        judged(lake, wrong, as_of, settings=APPLIED)
        assert standing(lake) == [(FIRST, SECOND)]
        accept(lake, as_of=as_of, run_id="run-1")
        assert known_at(lake) == [SECOND]

    judged(lake, wrong, FIRST, settings=APPLIED)
    accept(lake, as_of=FIRST, run_id="run-1")
    assert known_at(lake) == []  # nobody had turned it on then

    fourth, fifth = (calendar.known_at("XNYS", DAYS[n]) for n in (102, 103))
    other = {name: value / 10_000 for name, value in A_HUNDREDFOLD.items()}
    judged(lake, changed(CLEAN, "A", DAYS[5], **other), fourth, settings=APPLIED)
    assert standing(lake) == [(fourth, fourth)]  # another ratio is another repair
    judged(lake, changed(CLEAN, "A", DAYS[5], **other), fifth)
    assert standing(lake) == [(fourth, None)]


def test_a_row_to_which_the_mending_rule_objects_even_so_keeps_its_values(lake, monkeypatch):
    proposing(monkeypatch, high=10.0)  # still below the close
    judged(lake, BROKEN, FIRST, settings=CheckSettings(apply_repairs=("ohlc_order",)))
    assert lake.snapshot().rows(REPAIRS) == 0
