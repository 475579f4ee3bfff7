import pytest

from trader_pipeline_tests.checks.build import DAYS
from trader_pipeline_tests.checks.vendor import away, judged, put, series, times

AT = 60


def spiked(factor, *columns, volume=1.0):
    rows = times(series(120), [AT], factor, *columns)
    return put(rows, AT, volume=rows[AT]["volume"] * volume)


def told(rows, **options):
    return [(f.severity, f.first_session) for f in judged("price_spike", rows, vendor=False, **options).findings]


@pytest.mark.parametrize(("factor", "column"), [(3, "high"), (10, "high"), (0.3, "low"), (0.1, "low")])
def test_a_high_or_low_far_beyond_both_neighbours_is_quarantined(factor, column):
    result = judged("price_spike", spiked(factor, column), vendor=False)
    assert away(result) == [DAYS[AT]]
    assert f"{column} " in result.findings[0].message


@pytest.mark.parametrize("column", ["high", "low"])
def test_a_print_half_beyond_is_left_alone(column):
    assert told(spiked(1.6 if column == "high" else 1 / 1.6, column)) == []


def test_a_close_that_is_back_at_once_is_quarantined():
    assert told(spiked(2.5, "close", "high")) == [("error", DAYS[AT])]


def test_a_high_that_people_traded_at_is_a_warning_below_five_times():
    assert told(spiked(3, "high", volume=8)) == [("warning", DAYS[AT])]
    assert away(judged("price_spike", spiked(3, "high", volume=8), vendor=False)) == []
    assert told(spiked(10, "high", volume=8)) == [("error", DAYS[AT])]


def test_a_move_that_stays_is_no_spike():
    assert told(times(series(120), range(AT, 120), 3.0)) == []


def test_a_restless_ticker_is_given_room():
    rows = times(series(120, sigma=0.15), [AT], 2.2, "high")
    assert told(rows) == []


def test_another_unit_a_torn_bar_and_a_whole_daily_bar_are_told_by_their_own_rules():
    assert told(spiked(100, "high")) == []
    assert told(spiked(0.3, "high")) == []
    assert told(spiked(3)) == []


def test_a_whole_week_apart_is_quarantined():
    days = [DAYS[0] + (DAYS[1] - DAYS[0]) * 7 * i for i in range(60)]
    rows = times(series(60, sigma=0.03, days=days), [30], 10.0)
    assert told(rows) == [("error", days[30])]


def test_the_first_and_the_newest_row_have_one_neighbour_and_are_not_judged():
    assert told(times(series(120), [0, 119], 3.0, "high")) == []
