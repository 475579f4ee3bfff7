import datetime as dt

import pytest

from trader_pipeline.checks import CHECKS
from trader_pipeline.checks.report import run_rules
from trader_pipeline_tests.checks.build import DAYS
from trader_pipeline_tests.checks.vendor import (
    PRICES,
    adjusted_before,
    away,
    errors,
    judged,
    opened,
    proposals,
    put,
    recorded,
    series,
    times,
)

RULES = ("dividend_adjustment", "dividend_size", "dividend_repeated")
EX = (40, 100, 160, 220)
QUARTERLY = dict.fromkeys(EX, 2.0)
CLEAN = series(260, dividends=QUARTERLY)


def readjusted(rows):
    """Return `rows` with the adjusted closes that a vendor would compute from the dividends listed."""
    factor, out = 1.0, []
    for i in reversed(range(len(rows))):
        out.append(rows[i] | {"adj_close": rows[i]["close"] * factor})
        if i and rows[i]["dividend"]:
            factor *= 1 - rows[i]["dividend"] / rows[i - 1]["close"]
    return out[::-1]


def share(rows, place):
    """Dividend over the close before, of the sound series."""
    return CLEAN[place]["dividend"] / rows[place - 1]["close"]


def findings(rows):
    return {rule: judged(rule, rows).findings for rule in RULES}


def only(rows, rule):
    """Run all three rules and return the result of the one that alone may object."""
    for other in RULES:
        if other != rule:
            assert judged(other, rows).findings == ()
    return judged(rule, rows)


@pytest.mark.parametrize(
    "rows",
    [
        CLEAN,
        series(260, dividends=QUARTERLY, sigma=0.03, seed=7),
        series(260, dividends={40: 2.0, 100: 2.0, 160: 2.0, 161: 30.0}),  # a special dividend the day after
        series(260, dividends=dict.fromkeys(range(5, 260, 5), 0.5)),  # paid weekly
        series(260, dividends=QUARTERLY, splits={100: 2.0}),
        series(260, dividends={40: 2.0, 100: 0.015, 160: 1.9, 220: 2.1}),  # one token dividend
        [r | {"adj_close": None} for r in CLEAN],
        [r | {"adj_close": r["close"], "dividend": None} for r in CLEAN],
        [r | {c: round(r[c], 2) for c in (*PRICES, "adj_close")} for r in CLEAN],
    ],
    ids=["quarterly", "restless", "special", "weekly", "split", "token", "no adjusted closes", "no dividends", "rounded"],
)
def test_sound_series_have_no_finding(rows):
    assert not any(findings(rows).values())


def test_a_missing_adjustment_is_found_and_the_adjusted_close_proposed():
    t = 160
    rows = adjusted_before(CLEAN, t, 1 / (1 - share(CLEAN, t)))
    result = only(rows, "dividend_adjustment")
    assert errors(result) == [DAYS[t]]
    assert away(result) == [], "the cash is right"
    assert proposals(result) == {(DAYS[t - 1], "adj_close"): pytest.approx(CLEAN[t - 1]["adj_close"])}
    assert "does not step at the dividend of 2" in result.findings[0].message


def test_recorded_8tra_was_not_adjusted():
    rows, right = recorded("missing_adjustment")
    result = only(rows, "dividend_adjustment")
    ((day, value),) = right.items()
    assert proposals(result) == {(dt.date.fromisoformat(day), "adj_close"): pytest.approx(value)}


@pytest.mark.parametrize(
    ("factor", "word"), [(0.01, "a hundred times too small"), (20.0, "takes off"), (1.5, "takes off"), (0.5, "takes off")]
)
def test_an_adjustment_of_another_size_is_found(factor, word):
    t = 160
    rows = adjusted_before(CLEAN, t, (1 - factor * share(CLEAN, t)) / (1 - share(CLEAN, t)))
    (finding,) = only(rows, "dividend_adjustment").findings
    assert finding.first_session == DAYS[t]
    assert word in finding.message


def test_a_hundredfold_adjustment_is_found():
    rows = series(260, dividends=dict.fromkeys(EX, 0.5))
    t = 160
    cash = 0.5 / rows[t - 1]["close"]
    (finding,) = only(adjusted_before(rows, t, (1 - 100 * cash) / (1 - cash)), "dividend_adjustment").findings
    assert "a hundred times too large" in finding.message


@pytest.mark.parametrize("cash", [200.0, 0.02])
def test_a_dividend_listed_in_the_wrong_unit_is_found(cash):
    result = only(put(CLEAN, 160, dividend=cash), "dividend_adjustment")
    assert away(result) == [DAYS[160]]
    assert proposals(result) == {(DAYS[160], "dividend"): pytest.approx(2.0)}


def test_what_is_held_is_the_dividend_on_its_own_day():
    closed = dict.fromkeys((*PRICES, "adj_close", "volume"), None)
    rows = put(put(CLEAN, 160, dividend=0.0), 159, **closed, dividend=200.0)  # paid on a day without a price
    result = judged("dividend_adjustment", rows)
    assert errors(result) == [DAYS[160]], "the next row shows it"
    held = [(r["session"], r["source"], r["item"]) for r in result.quarantine.to_pylist()]
    assert held == [(DAYS[159], "own", "dividend")]


def test_cash_that_the_price_contradicts_is_held_though_it_was_not_taken_off():
    rows = put(CLEAN, 130, dividend=30.0)
    assert away(judged("dividend_adjustment", rows)) == []
    assert away(judged("dividend_size", rows)) == [DAYS[130]]


@pytest.mark.parametrize(
    ("rule", "rows"),
    [
        ("dividend_adjustment", times(CLEAN, range(150, 170), 100.0, *PRICES)),
        ("dividend_size", readjusted(times(series(260, dividends=dict.fromkeys(EX, 8.0)), range(150, 170), 100.0))),
    ],
)
def test_payouts_beside_rows_in_another_unit_are_not_judged(rule, rows):
    found = run_rules([r for r in CHECKS if r.name in ("price_unit", rule)], opened(rows), run_id="run-1")
    assert [f["rule"] for r in found.results for f in r.findings.to_pylist()] == ["price_unit"]
    assert judged(rule, rows).findings, "by itself it takes the cash for wrong"


def test_payouts_before_a_split_that_is_not_in_the_prices_are_not_judged():
    listed = series(260, dividends=QUARTERLY, splits={200: 4.0})
    rows = times(listed, range(200), 4.0)
    assert errors(judged("split_applied", rows)) == [DAYS[200]]
    assert not any(findings(rows).values())
    assert errors(judged("dividend_adjustment", put(rows, 220, dividend=200.0))) == [DAYS[220]], "the rows after it are sound"


def test_payouts_before_a_step_that_no_action_explains_are_judged():
    step = 200
    wrong = put(CLEAN, 40, dividend=200.0)
    rows = times(wrong, range(step), 2.0, *PRICES, "adj_close", "dividend")
    found = run_rules([r for r in CHECKS if r.name in ("split_jump", "dividend_adjustment")], opened(rows), run_id="run-1")
    assert {(f["rule"], f["first_session"]) for r in found.results for f in r.findings.to_pylist()} == {
        ("split_jump", DAYS[step]),
        ("dividend_adjustment", DAYS[40]),
    }
    held = found.quarantine.to_pylist()
    assert [r["session"] for r in held if r["item"] == "dividend"] == [DAYS[40]]
    assert [r["session"] for r in held if r["rule"] == "split_jump"] == DAYS[:step]


def test_payouts_at_a_step_that_no_action_explains_are_not_judged():
    rows = times(put(CLEAN, 200, dividend=2.0), range(200), 2.0, *PRICES, "adj_close", "dividend")
    found = run_rules([r for r in CHECKS if r.name in ("split_jump", "dividend_adjustment")], opened(rows), run_id="run-1")
    assert [f["rule"] for r in found.results for f in r.findings.to_pylist()] == ["split_jump"]


def test_a_dividend_as_before_the_split_of_the_same_day_is_found():
    # as 4063.T on 2023-03-30: 275 listed, 55 taken off, split 5:1
    rows = series(260, dividends=QUARTERLY, splits={160: 5.0})
    result = only(put(rows, 160, dividend=10.0), "dividend_adjustment")
    assert proposals(result) == {(DAYS[160], "dividend"): pytest.approx(2.0)}


def test_an_adjustment_without_a_dividend_is_found():
    (finding,) = only(adjusted_before(CLEAN, 130, 0.95), "dividend_adjustment").findings
    assert (finding.first_session, finding.severity) == (DAYS[130], "error")
    assert "no dividend is listed" in finding.message


def test_digits_of_the_file_are_no_fault():
    small = series(260, dividends=dict.fromkeys(EX, 0.02))
    coarse = [r | {c: round(r[c], 2) for c in (*PRICES, "adj_close")} for r in small]
    assert not any(findings(coarse).values())


def test_a_dividend_and_its_adjustment_a_hundredfold_are_told_by_the_price():
    # as SCR.TO in 2023: 0.441 for 0.00441, the price does not fall
    rows = series(260, dividends=dict.fromkeys(EX, 0.5))
    rows = readjusted(put(rows, 160, dividend=50.0))
    (finding,) = only(rows, "dividend_size").findings
    assert finding.first_session == DAYS[160]
    assert proposals(judged("dividend_size", rows)) == {(DAYS[160], "dividend"): pytest.approx(0.5)}


def test_a_phantom_dividend_has_no_fall():
    rows = readjusted(put(CLEAN, 130, dividend=30.0))
    assert errors(only(rows, "dividend_size")) == [DAYS[130]]


def test_a_dividend_on_the_wrong_day_is_told_where_the_price_fell():
    rows = series(260, dividends={160: 15.0})
    moved = readjusted(put(put(rows, 160, dividend=0.0), 158, dividend=15.0))
    (finding,) = only(moved, "dividend_size").findings
    assert finding.first_session == DAYS[158]
    assert f"it fell so on {DAYS[160]}" in finding.message
    assert only(rows, "dividend_size").findings == ()


def test_more_than_the_price_cannot_be_paid_even_where_nothing_trades():
    rows = [r | dict.fromkeys(PRICES, 0.375) | {"volume": 0.0, "adj_close": 0.375} for r in CLEAN[:60]]
    rows = readjusted(put([r | {"dividend": 0.0} for r in rows], 40, dividend=0.42))
    assert rows[0]["adj_close"] < 0
    assert proposals(only(rows, "dividend_size")) == {(DAYS[40], "dividend"): pytest.approx(0.0042)}
    half = readjusted(put([r | {"dividend": 0.0} for r in rows], 40, dividend=0.1))
    assert not any(findings(half).values())  # nobody traded, nothing can be said


def test_a_price_that_trades_days_later_falls_then():
    rows = series(260, dividends={160: 20.0})
    quiet = dict.fromkeys(PRICES, rows[159]["close"]) | {"volume": 0.0}
    rows = readjusted([r | quiet if 160 <= i < 164 else r for i, r in enumerate(rows)])
    assert not any(findings(rows).values())


def test_a_price_that_trades_days_later_and_has_not_fallen_tells_a_phantom():
    rows = series(260)
    quiet = dict.fromkeys(PRICES, rows[159]["close"]) | {"volume": 0.0}
    rows = [r | quiet if 160 <= i < 164 else r for i, r in enumerate(rows)]
    assert errors(only(readjusted(put(rows, 160, dividend=25.0)), "dividend_size")) == [DAYS[160]]


def test_coarse_ticks_hide_a_dividend():
    tick = 0.0025
    rows = series(260, first=0.036, dividends=dict.fromkeys(EX, 0.0018), sigma=0.03)
    ticks = [r | {c: max(tick, round(r[c] / tick) * tick) for c in PRICES} for r in rows]
    assert not any(findings(readjusted(ticks)).values())


def test_a_hundredth_of_the_others_cash_is_found():
    rows = readjusted(put(CLEAN, 160, dividend=0.02))
    assert proposals(only(rows, "dividend_size")) == {(DAYS[160], "dividend"): pytest.approx(2.0)}


def test_all_dividends_a_hundredth_are_told_by_the_falls_together():
    rows = series(500, dividends=dict.fromkeys(range(20, 500, 40), 4.0))
    small = readjusted([r | {"dividend": r["dividend"] / 100} for r in rows])
    result = only(small, "dividend_size")
    (finding,) = result.findings
    assert "times the dividends" in finding.message
    assert (finding.first_session, finding.last_session) == (DAYS[20], DAYS[460])
    assert len(away(result)) == len(range(20, 500, 40)), "all of them are wrong"
    assert set(proposals(result).values()) == {4.0}
    assert not any(findings(rows).values())


@pytest.mark.parametrize(("gap", "cash"), [(1, 2.0), (4, 2.0), (4, 200.0), (-3, 2.0), (10, 2.0)])
def test_the_same_cash_again_within_days_is_found(gap, cash):
    rows = readjusted(put(CLEAN, 160 + gap, dividend=cash))
    result = judged("dividend_repeated", rows)
    assert away(result) == [DAYS[160 + gap]]
    assert proposals(result) == {(DAYS[160 + gap], "dividend"): 0.0}


@pytest.mark.parametrize(("gap", "cash"), [(4, 1.0), (30, 2.0)])
def test_other_cash_or_later_is_no_repeat(gap, cash):
    assert judged("dividend_repeated", readjusted(put(CLEAN, 160 + gap, dividend=cash))).findings == ()


def test_weekly_bars_are_adjusted_at_their_own_row_or_the_next():
    weeks = [dt.date(2018, 1, 1) + dt.timedelta(weeks=i) for i in range(120)]
    rows = series(120, dividends={60: 5.0}, days=weeks, sigma=0.02)
    assert not any(findings(rows).values())
    own_row = times(rows, [60], 1 - 5.0 / rows[60]["close"], "adj_close")
    assert not any(findings(own_row).values())
    assert errors(judged("dividend_adjustment", adjusted_before(rows, 60, 1 / (1 - share_of(rows, 60))))) == [weeks[60]]


def share_of(rows, place):
    return rows[place]["dividend"] / rows[place - 1]["close"]


@pytest.mark.parametrize(("opened", "severities"), [(1.0, ["error"]), (0.94, [])])
def test_the_open_tells_a_dividend_that_was_never_paid(opened, severities):
    rows = series(260, dividends={40: 2.0, 100: 2.0, 130: 6.0, 160: 2.0, 220: 2.0}, sigma=0.015, seed=3)
    before, bar = rows[129]["close"], rows[130]
    kept = {"open": before * opened * 1.001, "low": before * 0.985, "high": before * 1.02, "close": before * 1.01}
    rows = put(rows, 130, **kept)
    after = kept["close"] / bar["close"]
    rows = [r | {c: r[c] * after for c in PRICES} if i > 130 else r for i, r in enumerate(rows)]
    rows = [r | {"low": min(r["low"], r["open"])} for r in rows]
    found = [f for f in judged("dividend_size", readjusted(rows)).findings if f.first_session == DAYS[130]]
    assert [f.severity for f in found] == severities
