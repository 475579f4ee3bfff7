import datetime as dt

from trader_pipeline import calendar
from trader_pipeline.dashboard.trend import Trend, trends
from trader_pipeline.flows.check import check
from trader_pipeline.lake import Change, Lake
from trader_pipeline.schema.core import DAILY_BARS
from trader_pipeline.settings import CheckSettings
from trader_pipeline_tests.checks.build import DAYS, bars, changed

CLEAN = bars({"A": DAYS[:50], "B": DAYS[:50]})


def test_the_trend_has_a_point_a_check(tmp_path):
    lake = Lake(tmp_path / "lake", "own")
    for n, rows in enumerate([CLEAN, changed(CLEAN, "A", DAYS[5], high=1.0), CLEAN]):
        lake.publish(Change.replace(DAILY_BARS, rows))
        check(lake, as_of=calendar.known_at("XNYS", DAYS[49 + n]), settings=CheckSettings(), run_id=f"run-{n}")
    found = trends(lake.snapshot())
    assert found["ohlc_order"] == Trend(days=tuple(DAYS[49:52]), findings=(0, 1, 0))
    assert found["duplicates"].findings == (0, 0, 0)


def test_a_line_keeps_a_count_until_the_next_check():
    trend = Trend(days=(dt.date(2020, 1, 2), dt.date(2020, 1, 3)), findings=(0, 4))
    assert trend.steps(100, 20) == "M0 20.0 V20.0 H50.0 V0.0 H100.0"
    assert trend.area(100, 20).endswith("V20 H0 Z")


def test_nothing_ever_found_lies_on_the_floor():
    assert Trend(days=(dt.date(2020, 1, 2),), findings=(0,)).steps(100, 20) == "M0 20.0 V20.0 H100.0"
