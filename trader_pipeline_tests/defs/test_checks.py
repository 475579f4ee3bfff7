import datetime as dt

from trader_pipeline.dashboard.trend import Trend
from trader_pipeline.defs.checks import drawn

FIRST = dt.date(2020, 1, 6)


def trend(*findings):
    return Trend(days=tuple(FIRST + dt.timedelta(days=n) for n in range(len(findings))), findings=findings)


def test_the_picture_shows_each_check_as_a_bar():
    assert drawn(trend(0, 3, 7)).value == "`▁▄█` 2020-01-06 to 2020-01-08: at most 7, now 7"


def test_nothing_found_lies_on_the_floor_and_old_checks_leave():
    assert drawn(trend(0)).value == "`▁` 2020-01-06 to 2020-01-06: at most 0, now 0"
    assert drawn(trend(9, *[0] * 60)).value == f"`{'▁' * 60}` 2020-01-07 to 2020-03-06: at most 0, now 0"
