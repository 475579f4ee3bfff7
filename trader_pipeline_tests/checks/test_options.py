import datetime as dt

import pytest

from trader_pipeline.schema.core import OPTION_QUOTES
from trader_pipeline_tests.checks.facts import at, messages, told


def quote(**others):
    row = {"ticker": "A", "session": dt.date(2018, 6, 1), "known_at": at("2018-06-01T20:30"), "source": "yahoo", "kind": "call"}
    row |= {"expiry": dt.date(2018, 7, 20), "strike": 100.0, "underlying": 101.0, "bid": 3.0, "ask": 3.2, "last": 3.1}
    return row | {"volume_contracts": 5.0, "open_interest_contracts": 9.0, "implied_volatility": 0.3, "currency": "USD", **others}


@pytest.mark.parametrize(
    "others",
    [
        {},
        {"implied_volatility": None},
        {"implied_volatility": 5.0},
        {"bid": 0.0, "ask": 3.0},
        {"bid": 3.0, "ask": 0.0},
        {"bid": 3.0, "ask": 3.0},
        {"expiry": dt.date(2018, 6, 1)},
        {"bid": None, "ask": None, "last": None},
    ],
)
def test_sound_quotes_are_not_told(others):
    rows = [quote(**others)]
    assert told("option_volatility", OPTION_QUOTES, rows) == told("option_quotes", OPTION_QUOTES, rows) == []


@pytest.mark.parametrize("volatility", [0.0, -0.2, 5.01, 40.0])
def test_volatility_not_above_zero_or_above_500_percent_is_a_warning(volatility):
    rows = [quote(implied_volatility=volatility)]
    assert told("option_volatility", OPTION_QUOTES, rows) == [("A", "yahoo", "warning", "2018-06-01", 1.0)]


@pytest.mark.parametrize(
    ("others", "severity"),
    [
        ({"expiry": dt.date(2018, 5, 31)}, "error"),
        ({"bid": -0.1}, "error"),
        ({"last": -3.0}, "error"),
        ({"strike": 0.0}, "error"),
        ({"bid": 3.3}, "warning"),
    ],
)
def test_quotes_that_cannot_be(others, severity):
    assert told("option_quotes", OPTION_QUOTES, [quote(**others)]) == [("A", "yahoo", severity, "2018-06-01", 1.0)]


def test_the_finding_names_the_facts_and_the_mend():
    rows = [quote(bid=3.3), quote(expiry=dt.date(2018, 5, 31), strike=90.0)]
    assert messages("option_quotes", OPTION_QUOTES, rows) == [
        "A: expired before the session; the ask below the bid: 2 rows, first 2018-06-01; fetch the chain again while the market is open"
    ]
