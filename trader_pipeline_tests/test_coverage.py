"""What features.coverage says of families of features: present since when and how far, or absent."""

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest

from trader_pipeline.coverage import feature_coverage
from trader_pipeline.features import FEATURES, PANEL
from trader_pipeline.features.coverage import count_coverage
from trader_pipeline.lake import Change, Lake
from trader_pipeline.schema.features import COVERAGE

FIRST, LAST = dt.date(2018, 12, 31), dt.date(2020, 2, 7)
NAMES = [feature.name for feature in FEATURES if feature.family == FEATURES[0].family]
FAMILY, NAME = FEATURES[0].family, FEATURES[0].name
OTHER = next(feature for feature in FEATURES if feature.family != FAMILY)


def panel(*rows):
    return PANEL.conform(pa.Table.from_pylist([dict.fromkeys(PANEL.arrow_schema.names) | row for row in rows], schema=PANEL.arrow_schema))


@pytest.fixture
def counted():
    return count_coverage(
        panel(
            {"ticker": "A", "session": FIRST},
            {"ticker": "A", "session": dt.date(2019, 3, 1), OTHER.name: 1.0},
            {"ticker": "B", "session": dt.date(2019, 3, 1), NAME: 2.0, NAMES[1]: np.float32(0)},
            {"ticker": "B", "session": LAST},
        ),
        FEATURES,
    )


@pytest.fixture
def rows(tmp_path, counted):
    lake = Lake(tmp_path / "lake", "deep")
    lake.publish(Change.append(COVERAGE, counted))
    return {row["family"]: row for row in feature_coverage(lake.snapshot())}


def test_every_family_has_a_row_a_session_and_zeros_are_values(counted):
    assert counted.num_rows == 3 * len({feature.family for feature in FEATURES})
    found = {(r["family"], r["session"]): r for r in counted.to_pylist()}
    assert found[FAMILY, dt.date(2019, 3, 1)] == {
        "family": FAMILY,
        "session": dt.date(2019, 3, 1),
        "features": len(NAMES),
        "tickers": 2,
        "values": 2,
    }
    assert found[FAMILY, FIRST]["values"] == 0


def test_a_family_that_ended_is_at_nought(rows):
    share = round(2 / (3 * len(NAMES)), 4)  # three rows in the year before the newest session
    assert rows[FAMILY] == {
        "family": FAMILY,
        "features": len(NAMES),
        "state": "present",
        "newest": 0.0,
        "year": share,
        "first": dt.date(2019, 3, 1),
        "by_year": [{"year": 2018, "share": 0.0}, {"year": 2019, "share": round(2 / (2 * len(NAMES)), 4)}, {"year": 2020, "share": 0.0}],
    }
    assert rows[OTHER.family]["first"] == dt.date(2019, 3, 1)


def test_a_family_without_data_is_absent(rows):
    absent = [row for family, row in rows.items() if family not in {FAMILY, OTHER.family}]
    assert absent
    assert all((r["state"], r["newest"], r["year"], r["first"], r["by_year"]) == ("absent", None, None, None, []) for r in absent)


def test_without_a_panel_there_is_nothing_to_cover(tmp_path):
    assert feature_coverage(Lake(tmp_path / "lake", "deep").snapshot()) == []
