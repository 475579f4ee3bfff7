import datetime as dt

import pyarrow as pa
import pytest

from trader_pipeline.schema.core import CORPORATE_ACTIONS
from trader_pipeline_tests.checks.build import DAYS, quarantined, verdict
from trader_pipeline_tests.checks.moving import bars_of, market


def scaled(factor, first, last):
    """Return the market in which T01's volume is multiplied from row `first` to row `last`."""
    rows = market()
    for i in range(first, last + 1):
        rows["T01"][i]["volume_shares"] *= factor
    return bars_of(rows)


def told(rows, **options):
    return [
        (f["ticker"], f["severity"], f["first_session"], f["sessions"])
        for f in verdict(rows, "volume_unit", **options).findings.to_pylist()
    ]


@pytest.mark.parametrize("factor", [0.001, 0.01, 100, 1000])
@pytest.mark.parametrize(("first", "last"), [(50, 50), (50, 52), (40, 79)])
def test_a_row_or_a_block_in_another_unit_is_a_warning(factor, first, last):
    rows = scaled(factor, first, last)
    assert told(rows) == [("T01", "warning", DAYS[first], last - first + 1)]
    assert quarantined(rows, "volume_unit") == []


@pytest.mark.parametrize("factor", [0.1, 10, 20])
def test_a_lull_or_a_great_day_is_no_other_unit(factor):
    assert told(scaled(factor, 50, 50)) == []


@pytest.mark.parametrize("factor", [0.001, 0.01, 100, 1000])
def test_a_unit_that_changes_for_good_is_told_once(factor):
    assert told(scaled(factor, 60, 119)) == [("T01", "warning", DAYS[60], 1)]


def test_ten_times_the_trade_for_good_is_growth():
    assert told(scaled(15, 60, 119)) == []


def test_a_known_split_explains_a_step():
    rows = scaled(100, 50, 60)
    known = {"known_at": dt.datetime(2018, 1, 1, tzinfo=dt.UTC), "known_at_basis": "assumed", "source": "own", "kind": "split"}
    actions = [
        known | {"ticker": "T01", "session": DAYS[50], "value": 100.0},
        known | {"ticker": "T01", "session": DAYS[61], "value": 0.01},
    ]
    assert told(rows, beside={CORPORATE_ACTIONS: pa.Table.from_pylist(actions, schema=CORPORATE_ACTIONS.arrow_schema)}) == []


def test_a_volume_that_jumps_about_is_given_room():
    rows = market()
    for i in range(0, 120, 3):
        rows["T01"][i]["volume_shares"] *= 60
    assert told(bars_of(rows)) == []


def test_the_finding_names_the_fact_and_the_mend():
    (finding,) = verdict(scaled(0.01, 50, 59), "volume_unit").findings.to_pylist()
    assert finding["message"].startswith("T01: volume is 1/")
    assert finding["message"].endswith(
        " of that before and after on 10 sessions, first 2018-03-15, 2018-03-16, 2018-03-19 and 7 more; "
        "prices are used: fetch them again, or correct the unit of volume"
    )
    assert 1 / finding["value"] == pytest.approx(100, rel=0.3)
