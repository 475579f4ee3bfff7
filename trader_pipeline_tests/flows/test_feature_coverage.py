import datetime as dt

import pyarrow as pa
import pytest

from trader_pipeline.features import FEATURES, PANEL
from trader_pipeline.flows.feature_coverage import feature_coverage
from trader_pipeline.lake import Change, Lake

FIRST, LAST = dt.date(2018, 12, 31), dt.date(2020, 2, 7)
FAMILY = FEATURES[0].family
OTHER = next(feature for feature in FEATURES if feature.family != FAMILY)


def panel(*rows):
    return PANEL.conform(pa.Table.from_pylist([dict.fromkeys(PANEL.arrow_schema.names) | row for row in rows], schema=PANEL.arrow_schema))


@pytest.fixture
def snapshot(tmp_path):
    lake = Lake(tmp_path / "lake", "deep")
    name = FEATURES[0].name
    lake.publish(
        Change.append(PANEL, panel({"ticker": "A", "session": FIRST}, {"ticker": "A", "session": dt.date(2019, 3, 1), OTHER.name: 1.0}))
    )
    lake.publish(Change.append(PANEL, panel({"ticker": "B", "session": dt.date(2019, 2, 1), name: 2.0}, {"ticker": "B", "session": LAST})))
    return lake.snapshot()


def of(rows, family):
    return next(row for row in rows if row["family"] == family)


def test_the_first_session_is_that_of_any_part_of_its_year(snapshot):
    rows = feature_coverage(snapshot)
    assert of(rows, FAMILY)["first"] == dt.date(2019, 2, 1)
    assert of(rows, OTHER.family)["first"] == dt.date(2019, 3, 1)


def test_a_family_that_ended_is_at_nought_and_one_without_data_is_absent(snapshot):
    rows = feature_coverage(snapshot)
    assert (of(rows, FAMILY)["state"], of(rows, FAMILY)["newest"]) == ("present", 0.0)
    absent = [row for row in rows if row["family"] not in {FAMILY, OTHER.family}]
    assert absent
    assert {(row["state"], row["newest"], row["year"], row["first"]) for row in absent} == {("absent", None, None, None)}


def test_without_a_panel_there_is_nothing_to_cover(tmp_path):
    assert feature_coverage(Lake(tmp_path / "lake", "deep").snapshot()) == []
