import datetime as dt

import pytest

from trader_pipeline_tests.checks.build import DAYS
from trader_pipeline_tests.checks.vendor import adjusted_before, away, judged, proposals, recorded, series

T = 90
FUND = series(130, dividends={T: 10.0}, gains={T: 8.0})


def taken_off(rows, cash):
    """Return `rows` with `cash` in all taken off the adjusted closes at T."""
    before = rows[T - 1]["close"]
    return adjusted_before(rows, T, (1 - cash / before) / (1 - rows[T]["dividend"] / before))


def test_a_gain_that_the_dividend_contains_is_taken_off_once():
    assert judged("capital_gains_twice", FUND).findings == ()
    assert judged("dividend_adjustment", FUND).findings == ()


def test_taken_off_again_it_is_an_error_with_the_right_adjusted_close():
    result = judged("capital_gains_twice", taken_off(FUND, 18.0))
    assert away(result) == [], "the distribution itself is right"
    assert proposals(result) == {(DAYS[T - 1], "adj_close"): pytest.approx(FUND[T - 1]["adj_close"])}
    assert judged("dividend_adjustment", taken_off(FUND, 18.0)).findings == ()


def test_another_amount_is_for_the_rule_on_adjustments():
    assert judged("capital_gains_twice", taken_off(FUND, 14.0)).findings == ()
    assert len(judged("dividend_adjustment", taken_off(FUND, 14.0)).findings) == 1


def test_where_the_price_falls_for_both_the_dividend_lacks_the_gain():
    both = series(130, dividends={T: 18.0})
    apart = [r | {"dividend": 10.0, "capital_gain": 8.0} if i == T else r for i, r in enumerate(both)]
    assert judged("capital_gains_twice", apart).findings == ()


def test_recorded_vwilx_took_its_gain_off_twice():
    rows, right = recorded("gain_twice")
    result = judged("capital_gains_twice", rows)
    ((day, value),) = right.items()
    assert proposals(result) == {(dt.date.fromisoformat(day), "adj_close"): pytest.approx(value, rel=1e-5)}
