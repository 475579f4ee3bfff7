import math

import pytest

from trader_pipeline_tests.checks.build import DAYS, bars, changed, quarantined, verdict

DAY = DAYS[7]
CLEAN = bars({"A": DAYS[:50], "B": DAYS[:50]})


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ({"low": 10.7, "close": 12.6}, "low_above"),
        ({"high": 9.8, "low": 9.0, "open": 9.5, "close": 12.6}, "high_below"),
        ({"low": 11.0, "high": 9.0}, "low_above"),
        ({"open": 0.0, "low": 0.0}, "not_positive"),
        ({"close": -10.5, "low": -10.5}, "not_positive"),
        ({"volume_shares": -1.0}, "not_positive"),
        ({"high": math.inf}, "not_finite"),
    ],
)
def test_a_faulty_row_is_quarantined_alone(values, kind):
    rows = changed(CLEAN, "A", DAY, **values)
    assert quarantined(rows, "ohlc_order") == [("A", DAY)]
    result = verdict(rows, "ohlc_order")
    assert result.metrics["faulty_rows"] == 1
    assert result.metrics[kind] == 1
    (finding,) = result.findings.to_pylist()
    assert (finding["severity"], finding["scope"], finding["sessions"]) == ("error", "ticker_day", 1)


@pytest.mark.parametrize(
    "values", [{"low": 10.0}, {"high": 10.5}, {"low": 10.0 * (1 + 0.9e-6)}, {"high": 10.5 * (1 - 0.9e-6)}, {"volume_shares": 0.0}]
)
def test_equal_prices_and_float_noise_pass(values):
    assert verdict(changed(CLEAN, "A", DAY, **values), "ohlc_order").passed


@pytest.mark.parametrize("values", [{"low": 10.0 * (1 + 1.1e-6)}, {"high": 10.5 * (1 - 1.1e-6)}])
def test_just_over_the_tolerance_does_not(values):
    assert not verdict(changed(CLEAN, "A", DAY, **values), "ohlc_order").passed


def test_a_null_is_for_nan_ratio_to_judge():
    assert verdict(changed(CLEAN, "A", DAY, open=None), "ohlc_order").passed
