import pytest

from trader_pipeline import calendar
from trader_pipeline.flows.column_statistics import column_statistics
from trader_pipeline.lake import Change, Lake
from trader_pipeline.schema.core import DAILY_BARS
from trader_pipeline_tests.checks.build import DAYS, bars, changed


@pytest.fixture
def snapshot(tmp_path):
    lake = Lake(tmp_path / "lake", "own")
    lake.publish(Change.replace(DAILY_BARS, changed(bars({"A": DAYS[:4]}), "A", DAYS[0], close=None, high=20.0)))
    return lake.snapshot()


def by_column(snapshot, n):
    found = column_statistics(snapshot, DAILY_BARS, as_of=calendar.known_at("XNYS", DAYS[n]))
    return {row["column"]: row for row in found.to_pylist()}


def test_nulls_and_spans_of_what_was_known(snapshot):
    found = by_column(snapshot, 3)
    assert list(found) == [column.name for column in DAILY_BARS.columns]
    assert found["close"] == {
        "column": "close",
        "unit": "price_unit / share",
        "null_ratio": 0.25,
        "min": "10.5",
        "max": "10.5",
        "mean": "10.5",
    }
    assert (found["high"]["max"], found["high"]["mean"]) == ("20", "13.25")
    assert (found["session"]["min"], found["session"]["max"], found["session"]["mean"]) == ("2018-01-02", "2018-01-05", None)
    assert (found["ticker"]["null_ratio"], found["ticker"]["min"]) == (0.0, None)


def test_a_later_row_does_not_count(snapshot):
    assert by_column(snapshot, 1)["close"]["null_ratio"] == 0.5


def test_no_rows_have_no_ratio(tmp_path):
    empty = Lake(tmp_path / "empty", "own").snapshot()
    found = column_statistics(empty, DAILY_BARS, as_of=calendar.known_at("XNYS", DAYS[1]))
    assert {row["null_ratio"] for row in found.to_pylist()} == {None}
