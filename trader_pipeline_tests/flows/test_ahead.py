"""Announced days inside a horizon are told, and what is not known is not "no"."""

import datetime as dt

import pyarrow as pa
import pytest

from trader_pipeline.flows.ahead import earnings_inside, ex_dividend_inside
from trader_pipeline.lake import Change, Lake
from trader_pipeline.schema.core import CORPORATE_ACTIONS, EARNINGS

FRIDAY = dt.date(2020, 2, 7)
CLOSE = dt.datetime(2020, 2, 7, 21, 30, tzinfo=dt.UTC)


def report(ticker, day, *, known=CLOSE, actual=None):
    row = {"ticker": ticker, "report_date": day, "known_at": known, "known_at_basis": "observed", "source": "fmp"}
    return row | {"eps_estimate": 1.0, "eps_actual": actual, "revenue_estimate": None, "revenue_actual": None}


def dividend(ticker, day, *, known=CLOSE, kind="dividend", value=0.5):
    return {
        "ticker": ticker,
        "session": day,
        "kind": kind,
        "known_at": known,
        "known_at_basis": "observed",
        "source": "fmp",
        "value": value,
    }


@pytest.fixture
def lake(tmp_path):
    def made(reports=(), actions=()):
        lake = Lake(tmp_path / "lake", "live")
        lake.publish(
            Change.replace(EARNINGS, pa.Table.from_pylist(list(reports), EARNINGS.arrow_schema)),
            Change.replace(CORPORATE_ACTIONS, pa.Table.from_pylist(list(actions), CORPORATE_ACTIONS.arrow_schema)),
        )
        return lake.snapshot()

    return made


def by_horizon(found, ticker):
    return [found.get((ticker, horizon)) for horizon in (1, 5, 20, 60)]


def test_a_report_counts_from_the_next_session_to_the_exit(lake):
    snapshot = lake(
        [report("A", dt.date(2020, 2, 10)), report("B", dt.date(2020, 2, 14)), report("C", FRIDAY), report("D", dt.date(2021, 2, 1))]
    )
    found = earnings_inside(snapshot, FRIDAY, CLOSE)
    assert by_horizon(found, "A") == [True, True, True, True]
    assert by_horizon(found, "B") == [False, True, True, True]
    assert by_horizon(found, "C") == [None] * 4, "it is over"
    assert by_horizon(found, "D") == [False] * 4
    assert by_horizon(found, "E") == [None] * 4, "nothing is known, which is not no"


def test_what_was_not_known_yet_or_has_come_already_does_not_count(lake):
    later = CLOSE + dt.timedelta(seconds=1)
    snapshot = lake([report("A", dt.date(2020, 2, 10), known=later), report("B", dt.date(2020, 2, 10), actual=1.1)])
    assert earnings_inside(snapshot, FRIDAY, CLOSE) == {}


def test_an_ex_dividend_day_that_is_announced(lake):
    day = dt.date(2020, 2, 12)
    actions = [
        dividend("A", day),
        dividend("B", day, kind="split", value=2.0),
        dividend("C", day, known=CLOSE + dt.timedelta(1)),
        dividend("D", day, value=0.0),
    ]
    found = ex_dividend_inside(lake(actions=actions), FRIDAY, CLOSE)
    assert by_horizon(found, "A") == [False, True, True, True]
    assert {ticker for ticker, _ in found} == {"A"}
