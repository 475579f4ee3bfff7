"""Which splits and dividends count when two sources tell of them: one split never twice, and none that a stand-in alone tells is lost."""

import datetime as dt

import pyarrow as pa
import pytest

from trader_pipeline import calendar
from trader_pipeline.lake import Change, Lake
from trader_pipeline.schema.core import ACCEPTED_BARS, CORPORATE_ACTIONS

DAYS = calendar.sessions("XNYS", dt.date(2024, 1, 2), dt.date(2024, 3, 28)).tolist()


def at_close(day):
    return calendar.known_at("XNYS", day)


def bar(day, source):
    return {"ticker": "A", "session": day, "known_at": at_close(day), "source": source, "close": 10.0}


def told(day, source, value=4.0, kind="split", known_at=None):
    clocks = {"known_at": known_at or at_close(day), "known_at_basis": "assumed"}
    return {"ticker": "A", "session": day, "kind": kind, "value": value, "source": source, **clocks}


@pytest.fixture
def actions(tmp_path):
    def of(bars, *rows, as_of=None):
        lake = Lake(tmp_path / "lake", "live")
        lake.publish(
            Change.replace(ACCEPTED_BARS, pa.Table.from_pylist(bars, schema=ACCEPTED_BARS.arrow_schema)),
            Change.replace(CORPORATE_ACTIONS, pa.Table.from_pylist(list(rows), schema=CORPORATE_ACTIONS.arrow_schema)),
        )
        snapshot = lake.snapshot()
        found = [(r["session"], r["source"], r["value"]) for r in snapshot.actions(as_of).to_pylist()]
        assert snapshot.actions(as_of, "A").num_rows == len(found)
        return found

    return of


def bars(yahoo, fmp=()):
    return [*(bar(day, "yahoo") for day in yahoo), *(bar(day, "fmp") for day in fmp)]


def test_of_two_sources_the_one_of_most_bars_tells(actions):
    assert actions(bars(DAYS[:20]), told(DAYS[5], "yahoo"), told(DAYS[6], "fmp")) == [(DAYS[5], "yahoo", 4.0)]


def test_a_stand_in_for_a_day_tells_nothing(actions):
    days = [day for day in DAYS[:20] if day != DAYS[6]]
    assert actions(bars(days, DAYS[6:7]), told(DAYS[5], "yahoo"), told(DAYS[6], "fmp")) == [(DAYS[5], "yahoo", 4.0)]


def test_where_another_source_carries_on_its_actions_count(actions):
    rows = told(DAYS[5], "yahoo"), told(DAYS[5], "fmp"), told(DAYS[30], "fmp", 2.0)
    assert actions(bars(DAYS[:20], DAYS[20:35]), *rows) == [(DAYS[5], "yahoo", 4.0), (DAYS[30], "fmp", 2.0)]


def test_so_they_do_when_it_has_more_bars_at_last(actions):
    rows = told(DAYS[5], "yahoo"), told(DAYS[5], "fmp"), told(DAYS[30], "fmp", 2.0)
    assert actions(bars(DAYS[:20], DAYS[20:50]), *rows) == [(DAYS[5], "yahoo", 4.0), (DAYS[30], "fmp", 2.0)]


def test_a_split_at_the_change_of_source_counts_once(actions):
    assert actions(bars(DAYS[:20], DAYS[20:25]), told(DAYS[19], "yahoo"), told(DAYS[20], "fmp")) == [(DAYS[19], "yahoo", 4.0)]


def test_without_a_bar_of_the_session_the_source_of_most_bars_tells(actions):
    assert actions(bars(DAYS[:20]), told(DAYS[21], "yahoo", 0.5, "dividend"), told(DAYS[21], "fmp", 0.6, "dividend")) == [
        (DAYS[21], "yahoo", 0.5)
    ]


def test_without_any_bar_each_counts_once(actions):
    assert len(actions([], told(DAYS[5], "yahoo"), told(DAYS[5], "fmp"))) == 1


def test_what_was_taken_back_counts_from_then_on(actions):
    later = at_close(DAYS[30])
    rows = told(DAYS[5], "yahoo"), told(DAYS[5], "yahoo", 1.0, known_at=later)
    assert actions(bars(DAYS[:20]), *rows) == []
    assert actions(bars(DAYS[:20]), *rows, as_of=at_close(DAYS[29])) == [(DAYS[5], "yahoo", 4.0)]
