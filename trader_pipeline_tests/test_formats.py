"""The one spelling of numbers and instants."""

import datetime as dt

import pytest

from trader_pipeline import formats

MINUS, SPACE, MISSING = "\N{MINUS SIGN}", "\N{NO-BREAK SPACE}", "\N{EN DASH}"


@pytest.mark.parametrize(
    ("value", "options", "shown"),
    [
        (1234.5, {}, "1,234.50"),
        (-0.126, {}, f"{MINUS}0.13"),
        (0.126, {"sign": True}, "+0.13"),
        (-0.001, {"sign": True}, "0.00"),
        (0.0, {"sign": True}, "0.00"),
        (12.0, {"decimals": 0}, "12"),
        (None, {}, MISSING),
        (float("nan"), {}, MISSING),
    ],
)
def test_number(value, options, shown):
    assert formats.number(value, **options) == shown


def test_percent_and_range():
    assert formats.percent(0.0531) == f"5.3{SPACE}%"
    assert formats.percent(-0.0531, 2, sign=True) == f"{MINUS}5.31{SPACE}%"
    assert formats.percent(None) == MISSING
    assert formats.percent_range(-0.031, 0.046) == f"{MINUS}3.1{SPACE}…{SPACE}+4.6{SPACE}%"
    assert formats.percent_range(None, 0.046) == MISSING


def test_counts_and_sizes():
    assert formats.count(12345) == "12,345"
    assert formats.count(None) == MISSING
    assert formats.plural(1, "session") == "1 session"
    assert formats.plural(1200, "session") == "1,200 sessions"
    assert formats.size(999) == f"999{SPACE}B"
    assert formats.size(1_500_000) == f"1.5{SPACE}MB"
    assert formats.size(None) == MISSING


def test_new_york_time_names_its_zone_on_both_sides_of_daylight_saving():
    assert formats.new_york(dt.datetime(2020, 2, 7, 21, 30, tzinfo=dt.UTC)) == "2020-02-07 16:30 EST"
    assert formats.new_york(dt.datetime(2020, 7, 7, 20, 30, tzinfo=dt.UTC)) == "2020-07-07 16:30 EDT"
    assert formats.utc(dt.datetime(2020, 2, 7, 21, 30, tzinfo=dt.UTC)) == "2020-02-07 21:30 UTC"
    assert formats.new_york(None) == formats.utc(None) == MISSING
