import datetime as dt

from trader_pipeline.cli.summary import which


def test_findings_are_named_by_ticker_and_day_and_many_are_cut():
    day = dt.date(2010, 3, 1)
    rows = [
        {"ticker": "*", "day": day, "sessions": 1},
        {"ticker": "A", "day": day, "sessions": 25},
        {"ticker": "B", "day": day, "sessions": 1},
    ]
    assert which(rows) == "2010-03-01, A 25 sessions, B 2010-03-01"
    assert which(rows * 4).endswith("A 25 sessions and 4 more")
