"""A past day is rebuilt from what was known then: to the same hash, or the cell that differs is named."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from trader_pipeline.errors import NoModelError
from trader_pipeline.features import PANEL
from trader_pipeline.flows.standardize import standardize
from trader_pipeline.inference.export import export_paths, read_manifest
from trader_pipeline.lake import Change
from trader_pipeline.schema.core import DAILY_BARS
from trader_pipeline.schema.outputs import DAILY
from trader_pipeline.settings import DecisionSettings
from trader_pipeline.sources import feeds_of
from trader_pipeline_tests.flows.days import FIRST, LAST, NAMES, at, close, day, lake_of, rebuilt, settings_of


def test_a_past_day_is_rebuilt_to_the_same_hash_and_leaves_no_trace(lived_home):
    lake = lake_of(lived_home)
    before = lake.snapshot().commit.id
    found = rebuilt(lived_home)
    assert found.same, found.differences
    assert found.rebuilt == read_manifest(lived_home.dataset_home / "exports", FIRST)["content_sha256"]
    assert found.published_by == found.code_version
    assert lake.snapshot().commit.id == before
    assert not list(lake.root.glob(".spill-*"))


def test_a_day_that_differs_says_in_which_row_and_column(lived):
    bold = settings_of(lived.home, decisions=DecisionSettings(abstain_confidence=0.0, abstain_novelty=1.0))
    found = rebuilt(bold)
    assert not found.same
    assert found.stored == found.expected != found.rebuilt
    assert {cell["column"] for cell in found.differences} == {"abstained"}
    assert all((cell["published"], cell["rebuilt"]) == (True, False) for cell in found.differences)


def test_a_row_that_somebody_changed_in_the_table_is_not_what_was_exported(lived):
    lake = lake_of(lived)
    rows = lake.snapshot().sql("select * from predictions.daily where session = ?", [FIRST]).to_pylist()
    published = rows[0]["score"]
    rows[0]["score"] = 99.0
    lake.publish(Change.upsert(DAILY, pa.Table.from_pylist(rows, DAILY.arrow_schema), by=("session",)))
    found = rebuilt(lived)
    assert found.rebuilt == found.expected != found.stored
    (cell,) = found.differences
    key = {"ticker": rows[0]["ticker"], "horizon_sessions": rows[0]["horizon_sessions"], "column": "score"}
    assert cell == key | {"published": 99.0, "rebuilt": published}


def test_a_day_of_a_damaged_panel_is_not_the_same(lived):
    """The stamp of what it was made from still fits: nothing but a rebuild tells."""
    lake = lake_of(lived)
    panel = lake.snapshot().read(PANEL)
    here = pc.equal(panel["session"], LAST)
    for place, field in enumerate(panel.schema):
        if field.name not in PANEL.key and pa.types.is_floating(field.type):
            noise = pa.array(np.random.default_rng(place).standard_normal(panel.num_rows), field.type)
            panel = panel.set_column(place, field, pc.if_else(here, noise, panel[field.name]))
    lake.publish(Change.replace(PANEL, panel, inputs=lake.snapshot().inputs(PANEL)))
    assert day(lake, lived, LAST).changed
    found = rebuilt(lived, LAST)
    assert found.stored == found.expected != found.rebuilt
    assert "score" in {cell["column"] for cell in found.differences}


def test_a_day_of_a_bar_that_is_not_the_raw_one_is_not_the_same(lived):
    lake = lake_of(lived)
    rows = lake.snapshot().read(DAILY_BARS)
    here = pc.and_(pc.equal(rows["session"], LAST), pc.equal(rows["ticker"], NAMES[0]))
    for name in ("open", "high", "low", "close"):
        place = rows.column_names.index(name)
        rows = rows.set_column(place, rows.schema.field(name), pc.if_else(here, pc.multiply(rows[name], 1.03), rows[name]))
    lake.publish(Change.replace(DAILY_BARS, rows, inputs=lake.snapshot().inputs(DAILY_BARS)))
    assert not standardize(lake, feeds_of(lived), as_of=close(LAST), run_id="r").changed
    at(lake, lived, LAST)
    assert day(lake, lived, LAST).changed
    found = rebuilt(lived, LAST)
    assert found.stored == found.expected != found.rebuilt


def test_a_day_without_an_export_has_nothing_to_be_held_against(lived):
    export_paths(lived.dataset_home / "exports", FIRST)[1].unlink()
    with pytest.raises(NoModelError, match=rf"no whole export of {FIRST} tells the hash.*trader predict --session {FIRST}"):
        rebuilt(lived)
