import datetime as dt
from dataclasses import replace

import numpy as np
import pytest

from trader_pipeline.checks.report import run_rules
from trader_pipeline.checks.units import RULES
from trader_pipeline.settings import CheckSettings
from trader_pipeline_tests.checks.build import DAYS
from trader_pipeline_tests.checks.vendor import away, errors, judged, opened, proposals, put, recorded, series, times

CLEAN = series(120)
WEEKS = [dt.date(2018, 1, 1) + dt.timedelta(weeks=i) for i in range(120)]


@pytest.mark.parametrize("factor", [100.0, 0.01])
@pytest.mark.parametrize("places", [range(60, 61), range(119, 120), range(1), range(40, 70), range(40), range(90, 120)])
@pytest.mark.parametrize("vendor", [True, False])
def test_rows_in_another_unit_are_quarantined_and_the_right_prices_proposed(places, factor, vendor):
    result = judged("price_unit", times(CLEAN, places, factor), vendor=vendor)
    wrong = set(places)
    if len(places) == 30 and places[-1] == 119:  # a block that lasts is the unit that the vendor now quotes in
        wrong = set(range(90))
    assert away(result) == [DAYS[i] for i in sorted(wrong)]
    (finding,) = result.findings
    assert (finding.severity, finding.sessions) == ("error", len(wrong))
    t = min(wrong)
    expected = CLEAN[t]["close"] if wrong == set(places) else CLEAN[t]["close"] * factor
    assert proposals(result)[DAYS[t], "close"] == pytest.approx(expected)


def test_a_block_at_the_start_is_in_the_old_unit():
    result = judged("price_unit", times(CLEAN, range(60), 0.01))
    assert away(result) == DAYS[:60]


@pytest.mark.parametrize("column", ["open", "high", "low", "close"])
def test_a_single_price_is_enough(column):
    result = judged("price_unit", times(CLEAN, [50], 0.01, column))
    assert away(result) == [DAYS[50]]
    assert set(proposals(result)) >= {(DAYS[50], column)}
    assert proposals(result)[DAYS[50], column] == pytest.approx(CLEAN[50][column])


def test_weekly_bars_are_judged_alike():
    rows = series(120, sigma=0.03, days=WEEKS)
    assert judged("price_unit", rows).findings == ()
    assert away(judged("price_unit", times(rows, [70], 100.0))) == [WEEKS[70]]


def test_recorded_hour_of_asai_has_its_close_in_pounds():
    rows, right = recorded("unit_hour")
    result = judged("price_unit", rows)
    ((day, close),) = right.items()
    assert proposals(result)[dt.date.fromisoformat(day), "close"] == pytest.approx(close)
    assert set(proposals(result)) == {(dt.date.fromisoformat(day), column) for column in ("low", "close", "adj_close")}
    sound = [r for r in rows if r["close"] > 1]
    assert judged("price_unit", sound).findings == ()


def test_stale_quotes_in_pounds_are_wrong_where_the_only_trade_is_in_pence():
    # as AET.L in May 2022: 0.1455, then 14.55 with one trade, then 0.1455 again, nothing moves
    still = {"open": 14.55, "high": 14.55, "low": 14.55, "close": 14.55, "adj_close": 14.55, "volume": 0.0}
    rows = [r | still for r in CLEAN[:23]]
    rows = put(times(rows, [*range(4), *range(13, 23)], 0.01), 11, volume=532454.0)
    result = judged("price_unit", rows)
    assert away(result) == [*DAYS[:4], *DAYS[13:23]]
    assert set(proposals(result).values()) == {14.55}


def test_strays_in_a_fifth_of_the_rows_are_told_from_the_rest():
    places = [i for i in range(5, 115) if i % 5 == 0]
    assert away(judged("price_unit", times(CLEAN, places, 100.0))) == [DAYS[i] for i in places]


def test_trades_in_both_units_in_turn_are_a_warning_and_what_follows_is_quarantined():
    places = [*range(40, 55), *range(65, 90), *range(100, 110)]
    result = judged("price_unit", times(CLEAN, places, 100.0))
    assert [f.severity for f in result.findings] == ["warning"]
    assert away(result) == DAYS[40:120]
    assert result.repairs is None


@pytest.mark.parametrize("factor", [0.3, 3.0, 15.0, 50.0, 180.0, 1 / 60])
def test_other_moves_are_no_change_of_unit(factor):
    assert judged("price_unit", times(CLEAN, range(60, 120), factor)).findings == ()


def test_however_restless_a_series_a_sixtyfold_move_is_no_change_of_unit():
    restless = series(120, sigma=0.15)
    assert judged("price_unit", times(restless, range(60, 120), 60.0)).findings == ()
    assert len(judged("price_unit", times(restless, [60], 100.0)).findings) == 1


def test_a_known_split_of_100_to_1_is_no_change_of_unit():
    rows = times(CLEAN, range(60), 100.0)
    assert judged("price_unit", rows, vendor=False, actions=[(DAYS[60], 100.0)]).findings == ()
    assert judged("price_unit", put(rows, 60, split_ratio=100.0)).findings == ()


def test_known_splits_are_followed_in_prices_as_traded():
    rows = times(CLEAN, range(60), 10.0)  # a 10:1 split and, on the same day, pence for pounds: 1,000 in all
    rows = times(rows, range(60, 120), 0.01)
    assert len(judged("price_unit", rows, vendor=False, actions=[(DAYS[60], 10.0)]).findings) == 1
    assert judged("price_unit", rows, vendor=False).findings == ()


def test_a_fall_to_a_hundredth_over_months_is_no_change_of_unit():
    rows = [r | {c: r[c] * np.exp(-0.05 * i) for c in ("open", "high", "low", "close", "adj_close")} for i, r in enumerate(CLEAN)]
    assert judged("price_unit", rows).findings == ()


def test_the_finding_names_value_and_mend():
    (finding,) = judged("price_unit", times(CLEAN, [60], 100.0)).findings
    assert f"close {CLEAN[60]['close'] * 100:g} of {DAYS[60]} should be {CLEAN[60]['close']:g}" in finding.message
    assert errors(judged("price_unit", times(CLEAN, [60], 100.0))) == [DAYS[60]]


def test_closes_that_other_sources_are_compared_with_are_mended_too():
    sound = series(120)
    context = opened(times(sound, range(50, 55), 100.0))
    run_rules(RULES, replace(context, settings=CheckSettings(apply_repairs=("price_unit",))), run_id="run-1")
    closes = {r["session"]: r["close"] for r in context.rows("select session, close from every_close")}
    assert closes == {r["session"]: pytest.approx(r["close"]) for r in sound}
