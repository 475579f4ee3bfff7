import math

import pytest

from trader_pipeline_tests.checks.build import DAYS, bars, changed, quarantined, verdict

DAY = DAYS[7]
CLEAN = bars({"A": DAYS[:50], "B": DAYS[:50]})


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ({"low": 15.0, "high": 16.0, "close": 15.5}, "low_above"),
        ({"close": 15.0}, "high_below"),
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


def test_a_price_that_is_not_positive_is_called_so():
    (finding,) = verdict(changed(CLEAN, "A", DAY, open=0.0, low=0.0), "ohlc_order").findings.to_pylist()
    assert "price_positive: a price is 0 or negative" in finding["message"]
    (finding,) = verdict(changed(CLEAN, "A", DAY, volume_shares=-1.0), "ohlc_order").findings.to_pylist()
    assert "volume is negative" in finding["message"]


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


@pytest.mark.parametrize(
    ("values", "severity"),
    [
        ({"low": 10.2}, "warning"),  # 2 % above the open
        ({"high": 10.4, "low": 10.3, "open": 12.8, "close": 10.35}, "warning"),  # 23 % above the high, bars are 22 % tall
        ({"high": 10.0, "low": 9.9, "open": 12.6, "close": 10.0}, "error"),  # 26 %
        ({"low": 11.0, "high": 9.0, "open": 10.0, "close": 10.0}, "error"),  # upside down
    ],
)
def test_a_print_just_outside_the_range_is_a_warning_and_still_quarantined(values, severity):
    rows = changed(CLEAN, "A", DAY, **values)
    (finding,) = verdict(rows, "ohlc_order").findings.to_pylist()
    assert (finding["severity"], finding["scope"]) == (severity, "ticker_day")
    assert quarantined(rows, "ohlc_order") == [("A", DAY)]


@pytest.mark.parametrize(("opened", "severity"), [(104.0, "warning"), (107.0, "error")])
def test_the_line_lies_nearer_for_a_calm_ticker(opened, severity):
    # bars 1 % tall: five of them, 5 %
    rows = bars({"A": DAYS[:50]}, open=100.0, high=100.5, low=99.5, close=100.0)
    (finding,) = verdict(changed(rows, "A", DAY, open=opened), "ohlc_order").findings.to_pylist()
    assert finding["severity"] == severity


def test_bars_without_trades_say_nothing_of_the_usual_height():
    # as LSC.L in 2022: quotes stand still, trades print 15 % away
    still = bars({"A": DAYS[:50]}, open=0.375, high=0.375, low=0.375, close=0.375, volume_shares=0.0)
    traded = {"high": 0.345, "low": 0.345, "volume_shares": 100.0}
    rows = changed(still, "A", *DAYS[:10], **traded)
    rows = changed(rows, "A", DAYS[10], high=0.32, low=0.32, volume_shares=232.0)
    (finding,) = verdict(rows, "ohlc_order").findings.to_pylist()
    assert (finding["severity"], finding["sessions"]) == ("warning", 11)
