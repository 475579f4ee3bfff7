import datetime as dt
from dataclasses import replace

import pyarrow as pa
import pytest

from trader_pipeline.checks.context import QUARANTINED
from trader_pipeline.checks.splits import split_jump
from trader_pipeline_tests.checks.build import DAYS, row
from trader_pipeline_tests.checks.vendor import PRICES, away, errors, judged, opened, proposals, put, recorded, series, times

SPLIT = 70
RATIOS = [2.0, 5.0, 1.5, 0.1, 0.4406]


def with_split(ratio, **options):
    return series(120, splits={SPLIT: ratio}, **options)


def unadjusted(rows, places, ratio):
    """Return `rows` with some as before the split: price times ratio, volume divided by it."""
    return [r | {"volume": r["volume"] / ratio} if i in places else r for i, r in enumerate(times(rows, places, ratio))]


@pytest.mark.parametrize("ratio", RATIOS)
def test_a_split_that_was_applied_is_no_finding(ratio):
    assert judged("split_applied", with_split(ratio)).findings == ()
    assert judged("split_jump", with_split(ratio)).findings == ()


@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize("last", [SPLIT - 4, SPLIT - 1], ids=["but for three rows", "nowhere"])
def test_history_that_is_not_adjusted_is_an_error(ratio, last):
    result = judged("split_applied", unadjusted(with_split(ratio), range(last + 1), ratio))
    assert [f.severity for f in result.findings] == ["error"]
    assert away(result) == DAYS[: last + 1]  # on another basis than what follows
    assert judged("split_jump", unadjusted(with_split(ratio), range(last + 1), ratio)).findings == ()


@pytest.mark.parametrize("ratio", RATIOS)
def test_a_split_applied_twice_is_an_error(ratio):
    assert errors(judged("split_applied", unadjusted(with_split(ratio), range(SPLIT), 1 / ratio))) == [DAYS[SPLIT]]


@pytest.mark.parametrize("ratio", RATIOS)
def test_a_row_that_steps_back_is_quarantined_and_its_prices_proposed(ratio):
    rows = with_split(ratio)
    result = judged("split_applied", unadjusted(rows, [SPLIT - 2], ratio))
    assert away(result) == [DAYS[SPLIT - 2]]
    # a listed ratio turns the price back, a day's move aside
    assert proposals(result)[DAYS[SPLIT - 2], "close"] == pytest.approx(rows[SPLIT - 2]["close"], rel=1e-6)


@pytest.mark.parametrize(
    ("ratio", "times_volume", "severity"),
    [(2.0, 1, "error"), (5.0, 1, "error"), (2.0, 20, "warning"), (5.0, 20, "warning"), (5.0, 0, "warning")],
)
def test_far_from_its_split_news_may_explain_a_step(ratio, times_volume, severity):
    rows = unadjusted(with_split(ratio), range(SPLIT - 50), ratio)
    rows = put(rows, SPLIT - 50, volume=rows[SPLIT - 50]["volume"] * times_volume)
    assert [f.severity for f in judged("split_applied", rows).findings] == [severity]


@pytest.mark.parametrize("ratio", [2.0, 5.0, 0.25])
def test_a_split_applied_the_wrong_way_round_is_an_error(ratio):
    assert errors(judged("split_applied", times(with_split(ratio), range(SPLIT), ratio**2))) == [DAYS[SPLIT]]


def test_single_prices_on_the_other_side_of_the_split_are_found():
    rows = with_split(5.0)
    result = judged("split_applied", times(rows, [SPLIT - 1], 5.0, "high", "open"))
    assert away(result) == [DAYS[SPLIT - 1]]
    assert proposals(result)[DAYS[SPLIT - 1], "open"] == pytest.approx(rows[SPLIT - 1]["open"])
    assert set(proposals(result)) == {(DAYS[SPLIT - 1], "open"), (DAYS[SPLIT - 1], "high")}


@pytest.mark.parametrize("columns", [("close",), ("open", "high", "low")])
def test_far_from_the_split_single_prices_are_found_where_the_bar_contradicts_itself(columns):
    assert away(judged("split_applied", times(with_split(5.0), [20], 5.0, *columns))) == [DAYS[20]]
    alone = judged("split_applied", times(with_split(5.0), [20], 5.0, "high"))
    assert away(alone) == []  # a high that is the highest: price_spike judges it


def test_recorded_row_of_mob_is_before_its_split():
    rows, right = recorded("split_row")
    result = judged("split_applied", rows)
    ((day, close),) = right.items()
    assert away(result) == [dt.date.fromisoformat(day)]
    assert proposals(result)[dt.date.fromisoformat(day), "close"] == pytest.approx(close)


def test_recorded_rows_of_4063_step_a_day_before_the_split():
    rows, right = recorded("split_late")
    (finding,) = judged("split_applied", rows).findings
    assert finding.severity == "error"
    ((day, close),) = right.items()
    assert f"of {day} should be about {close}" in finding.message


def test_prices_as_traded_step_at_their_split_and_nowhere_else():
    rows = unadjusted(with_split(4.0), range(SPLIT), 4.0)
    known = [(DAYS[SPLIT], 4.0)]
    assert judged("split_applied", rows, vendor=False, actions=known).findings == ()
    assert judged("split_jump", rows, vendor=False, actions=known).findings == ()
    result = judged("split_applied", with_split(4.0), vendor=False, actions=known)
    assert errors(result) == [DAYS[SPLIT]]
    held = [(r["table_name"], r["session"], r["source"], r["item"]) for r in result.quarantine.to_pylist()]
    assert held == [("core.corporate_actions", DAYS[SPLIT], "own", "split")], "without the split the returns are right"


def test_files_without_adjusted_closes_may_be_as_traded():
    as_traded = [r | {"adj_close": None, "dividend": None} for r in unadjusted(with_split(4.0), range(SPLIT), 4.0)]
    assert judged("split_applied", as_traded).findings == ()
    late = [r | {"adj_close": None, "dividend": None} for r in unadjusted(with_split(4.0), range(SPLIT - 1), 4.0)]
    assert len(errors(judged("split_applied", late))) == 1


def test_adjusted_closes_that_hold_the_split_excuse_closes_as_traded():
    rows = unadjusted(with_split(4.0), range(SPLIT), 4.0)
    full = [r | {"adj_close": r["adj_close"] / 4 if i < SPLIT else r["adj_close"]} for i, r in enumerate(rows)]
    assert judged("split_applied", full).findings == ()


def test_a_dividend_of_the_split_s_size_is_no_split():
    rows = series(120, splits={SPLIT + 1: 0.8}, dividends={SPLIT: 20.0})
    assert rows[SPLIT]["close"] < 0.85 * rows[SPLIT - 1]["close"]
    assert judged("split_applied", rows).findings == ()


@pytest.mark.parametrize(("ratio", "name"), [(2.0, "2:1"), (3.0, "3:1"), (0.1, "1:10"), (0.5, "1:2")])
def test_a_jump_of_a_common_ratio_when_nothing_else_changed_is_an_error_that_names_it(ratio, name):
    result = judged("split_jump", unadjusted(series(120), range(SPLIT), ratio), vendor=False)
    assert errors(result) == [DAYS[SPLIT]]
    assert f"as a {name} split" in result.findings[0].message
    assert away(result) == DAYS[:SPLIT]  # no label may cross the step


@pytest.mark.parametrize("factor", [10, 0.1, 1000, 0.001, 1 / 3])
def test_prices_on_another_level_with_the_shares_as_before_are_an_error(factor):
    result = judged("split_jump", times(series(120), range(SPLIT, 120), factor), vendor=False)
    assert (errors(result), away(result)) == ([DAYS[SPLIT]], DAYS[:SPLIT])


def test_a_jump_with_five_times_the_volume_may_be_real():
    rows = unadjusted(series(120), range(SPLIT), 2.0)
    result = judged("split_jump", put(rows, SPLIT, volume=rows[SPLIT]["volume"] * 5), vendor=False)
    assert [(f.severity, f.first_session) for f in result.findings] == [("warning", DAYS[SPLIT])]
    assert away(result) == []


def test_a_jump_within_a_wide_bar_may_be_real():
    rows = unadjusted(series(120), range(SPLIT), 2.0)
    result = judged("split_jump", put(rows, SPLIT, high=rows[SPLIT]["high"] * 1.2), vendor=False)
    assert [f.severity for f in result.findings] == ["warning"]


def test_a_jump_of_the_newest_rows_is_not_sure_yet():
    rows = unadjusted(series(SPLIT + 2), range(SPLIT), 2.0)
    assert [f.severity for f in judged("split_jump", rows, vendor=False).findings] == ["warning"]


def test_calm_alone_proves_no_change_of_basis():
    result = judged("split_jump", times(series(120), range(SPLIT, 120), 3.37), vendor=False)
    assert ([f.severity for f in result.findings], away(result)) == (["warning"], [])


HIDDEN = {
    "volumes": {"volume": None},
    "trades": {"volume": 0.0},
    "that day's volume": {"volume": None},
    "that day's trades": {"volume": 0.0},
    "highs and lows": {"open": None, "high": None, "low": None},
}


@pytest.mark.parametrize("factor", [0.5, 0.15, 0.1, 1000])
@pytest.mark.parametrize("hidden", [*HIDDEN, "heights"])
def test_what_volume_and_bars_do_not_tell_is_a_warning(hidden, factor):
    rows = times(series(120), range(SPLIT, 120), factor)
    if hidden == "heights":
        rows = [r | dict.fromkeys(("open", "high", "low"), r["close"]) for r in rows]
    else:
        rows = [r | HIDDEN[hidden] if i == SPLIT or "that" not in hidden else r for i, r in enumerate(rows)]
    result = judged("split_jump", rows, vendor=False)
    assert ([f.severity for f in result.findings], away(result)) == (["warning"], [])


def test_a_halt_does_not_hide_the_news_that_ends_it():
    rows = series(120)
    halt = dict.fromkeys(PRICES, rows[49]["close"]) | {"volume": 0.0}
    rows = [r | halt if 50 <= i < SPLIT else r for i, r in enumerate(rows)]
    rows = times(rows, range(SPLIT, 120), 0.12 * rows[49]["close"] / rows[SPLIT]["open"])
    result = judged("split_jump", put(rows, SPLIT, volume=50_000.0), vendor=False)
    assert ([f.severity for f in result.findings], away(result)) == (["warning"], [])
    assert judged("split_jump", put(rows, SPLIT, volume=500_000.0), vendor=False).findings == ()


@pytest.mark.parametrize("back", [1, 2])
@pytest.mark.parametrize(("factor", "severity"), [(10, "error"), (0.1, "error"), (0.5, "warning"), (1 / 6, "warning")])
def test_newest_rows_on_another_level_leave_the_history(factor, severity, back):
    rows = times(series(120), range(120 - back, 120), factor)
    result = judged("split_jump", rows, vendor=False)
    assert [f.severity for f in result.findings] == [severity]
    assert away(result) == (DAYS[120 - back : 120] if severity == "error" else [])


def test_newest_rows_on_a_burst_of_volume_are_not_kept_out():
    result = judged("split_jump", put(times(series(120), [119], 10), 119, volume=8000.0), vendor=False)
    assert away(result) == []


def test_a_special_dividend_that_is_listed_is_no_step():
    rows = times(series(120), range(SPLIT, 120), 0.6)
    cash = 0.4 * rows[SPLIT - 1]["close"]
    assert judged("split_jump", rows, vendor=False, dividends=[(DAYS[SPLIT], cash)]).findings == ()
    assert len(judged("split_jump", rows, vendor=False, dividends=[(DAYS[SPLIT], cash / 100)]).findings) == 1


def test_a_special_dividend_that_is_kept_out_explains_no_step():
    rows = times(series(120), range(SPLIT, 120), 0.6)
    context = opened(rows, vendor=False, dividends=[(DAYS[SPLIT], 0.4 * rows[SPLIT - 1]["close"])])
    held = {"table_name": "core.corporate_actions", "ticker": "A", "session": DAYS[SPLIT], "item": "dividend", "source": "own"}
    context = replace(context, quarantine=pa.Table.from_pylist([held | {"rule": "-", "reason": "-"}], schema=QUARANTINED))
    assert len(split_jump(context).findings) == 1


def test_what_is_back_within_days_is_no_step_that_stays():
    rows = times(series(120), range(SPLIT, SPLIT + 3), 1.6)
    rows = put(rows, SPLIT + 3, open=rows[SPLIT + 3]["open"] * 1.3, high=rows[SPLIT + 3]["high"] * 1.3)
    assert judged("split_jump", rows, vendor=False).findings == ()


def test_a_jump_there_and_back_is_an_error():
    rows = unadjusted(series(120), range(50, 60), 2.0)
    result = judged("split_jump", rows, vendor=False)
    assert away(result) == DAYS[50:60]
    assert proposals(result)[DAYS[50], "close"] == pytest.approx(series(120)[50]["close"])
    assert "add the split" not in result.findings[0].message


@pytest.mark.parametrize(("ratio", "severities"), [(1.25, []), (1.7, ["warning"]), (2.5, ["warning"]), (12.3, ["warning"])])
def test_an_exchange_of_shares_by_a_ratio_that_nobody_chooses_is_a_warning(ratio, severities):
    result = judged("split_jump", unadjusted(series(120), range(SPLIT), ratio), vendor=False)
    assert [f.severity for f in result.findings] == severities
    assert away(result) == []


def test_a_fall_during_the_session_is_no_split():
    rows = times(series(120), range(SPLIT, 120), 0.5)
    rows = put(rows, SPLIT, open=rows[SPLIT]["open"] * 2, high=rows[SPLIT]["high"] * 2)
    assert judged("split_jump", rows, vendor=False).findings == ()


def test_a_fall_with_twenty_times_the_dollars_is_news():
    rows = times(series(120), range(SPLIT, 120), 0.5)
    rows = put(rows, SPLIT, volume=rows[SPLIT]["volume"] * 40)
    assert judged("split_jump", rows, vendor=False).findings == ()


def test_a_fall_of_everybody_is_the_market_s():
    rows = times(series(120), range(SPLIT, 120), 0.5)
    peers = [row(f"P{k}", DAYS[i], close=10.5 if i < SPLIT else 6.0) for k in range(6) for i in range(SPLIT - 3, SPLIT + 3)]
    assert judged("split_jump", rows, vendor=False, others=peers).findings == ()
    still = [r | {"close": 10.5} for r in peers]
    assert len(judged("split_jump", rows, vendor=False, others=still).findings) == 1
