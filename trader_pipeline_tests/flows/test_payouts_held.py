"""A wrong dividend or split is kept out as an action, or stands repaired; the bar of its ex-date stays."""

import datetime as dt

import pytest

from trader_pipeline.flows.build_features import build_features
from trader_pipeline.flows.check import accept, check
from trader_pipeline.flows.standardize import standardize
from trader_pipeline.settings import CheckSettings
from trader_pipeline.sources.yahoo import YAHOO
from trader_pipeline_tests.checks.vendor import PRICES, adjusted_before, put
from trader_pipeline_tests.flows.test_vendor_prices import AS_OF, DAYS, EX, lake_of, rows_of, sound

HUNDREDFOLD = put(sound(), 160, dividend=200.0)
REPAIRING = CheckSettings(apply_repairs=("dividend_adjustment",))


def judged(tmp_path, rows, settings=None, *, as_of=AS_OF, lake=None):
    lake = lake or lake_of(tmp_path, rows_of(rows))
    standardize(lake, (YAHOO,), as_of=as_of, run_id="run-1")
    check(lake, as_of=as_of, settings=settings or CheckSettings(), run_id="run-1")
    accept(lake, as_of=as_of, run_id="run-1")
    return lake


def cash(lake, as_of=None):
    return {row["session"]: row["value"] for row in lake.snapshot().actions(as_of).to_pylist()}


def test_a_wrong_dividend_is_no_action_and_its_bar_stays(tmp_path):
    lake = judged(tmp_path, HUNDREDFOLD)
    held = lake.snapshot().sql("select table_name, ticker, session, item, source, rule from quality.quarantine").to_pylist()
    assert held == [
        {
            "table_name": "core.corporate_actions",
            "ticker": "A",
            "session": DAYS[160],
            "item": "dividend",
            "source": "yahoo",
            "rule": "dividend_adjustment",
        }
    ]
    assert cash(lake) == cash(lake, AS_OF) == {DAYS[i]: pytest.approx(2.0) for i in EX if i != 160}
    assert lake.snapshot().rows("core.accepted_bars") == len(HUNDREDFOLD)


def test_a_repair_that_the_settings_apply_is_the_action(tmp_path):
    lake = judged(tmp_path, HUNDREDFOLD, REPAIRING)
    assert cash(lake) == {DAYS[i]: pytest.approx(2.0) for i in EX}
    before = AS_OF - dt.timedelta(seconds=1)
    assert DAYS[160] not in cash(lake, before), "nobody knew the repaired value before"
    assert DAYS[100] in cash(lake, before)


def test_an_adjustment_that_is_wrong_changes_no_action_and_its_repair_is_not_applied(tmp_path):
    unadjusted = adjusted_before(sound(), 160, 1 / (1 - 2.0 / sound()[159]["close"]))
    lake = judged(tmp_path, unadjusted, REPAIRING)
    assert cash(lake) == {DAYS[i]: pytest.approx(2.0) for i in EX}
    repairs = lake.snapshot().sql("select column_name, applied from quality.repairs").to_pylist()
    assert repairs == [{"column_name": "adj_close", "applied": False}]


def test_features_are_made_again_when_an_action_is_held_or_repaired(tmp_path):
    lake = judged(tmp_path, HUNDREDFOLD)
    assert build_features(lake, as_of=AS_OF, run_id="run-1").changed
    assert not build_features(lake, as_of=AS_OF, run_id="run-2").changed
    judged(tmp_path, HUNDREDFOLD, REPAIRING, lake=lake)
    assert build_features(lake, as_of=AS_OF, run_id="run-3").changed


def test_features_are_made_again_when_a_repair_is_known(tmp_path):
    lake = judged(tmp_path, HUNDREDFOLD, REPAIRING, as_of=AS_OF + dt.timedelta(minutes=5))
    assert build_features(lake, as_of=AS_OF, run_id="run-1").changed
    assert build_features(lake, as_of=AS_OF + dt.timedelta(minutes=5), run_id="run-2").changed
    assert not build_features(lake, as_of=AS_OF + dt.timedelta(minutes=5), run_id="run-3").changed


def test_a_split_that_prices_as_traded_know_nothing_of_is_no_action_and_its_bar_stays(tmp_path):
    rows = put(sound(), 150, split_ratio=4.0)
    twice = [r | {c: r[c] / 4 for c in (*PRICES, "adj_close", "dividend")} for r in rows[:150]]
    lake = lake_of(tmp_path, rows_of(twice, splits_after=4.0), rows_of(rows[150:], sha="b"))
    judged(tmp_path, rows, lake=lake)
    held = lake.snapshot().sql("select distinct table_name, session, item from quality.quarantine").to_pylist()
    assert held == [{"table_name": "core.corporate_actions", "session": DAYS[150], "item": "split"}]
    assert set(lake.snapshot().actions()["kind"].to_pylist()) == {"dividend"}
    assert lake.snapshot().rows("core.accepted_bars") == len(rows)
