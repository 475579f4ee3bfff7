"""The check of the panel on a sample of the lake's own data: few cuts, and corrected bars are no leak."""

import datetime as dt

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from trader_pipeline.bench.simulated import simulated_lake
from trader_pipeline.features import FEATURES
from trader_pipeline.flows import truncation as flow
from trader_pipeline.lake import Change, Lake
from trader_pipeline.schema.core import ACCEPTED_BARS
from trader_pipeline_tests.features.leaking import TOMORROW


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return simulated_lake(tmp_path_factory.mktemp("home"), tickers=20, sessions=420, seed=1)


def test_a_sample_is_cut_at_three_recent_sessions_and_stands(world):
    lake, as_of = world
    found = flow.truncation(lake.snapshot(), as_of=as_of)
    assert found.violating == ()
    assert len(found.tickers) == flow.TICKERS + 1
    assert "MKT" in found.tickers
    assert len(found.cuts) == flow.CUTS
    assert found.compared > 1000 * len(FEATURES)
    assert found == flow.truncation(lake.snapshot(), as_of=as_of)


def test_a_leak_is_named(world, monkeypatch):
    monkeypatch.setattr(flow, "FEATURES", (FEATURES[0], TOMORROW))
    assert flow.truncation(world[0].snapshot(), as_of=world[1]).violating == ("tomorrow",)


def test_corrected_bars_are_no_leak(world, tmp_path):
    source, as_of = world
    bars = source.snapshot().read(ACCEPTED_BARS)
    place, field = bars.column_names.index("known_at"), bars.schema.field("known_at")
    corrected = pa.array(np.arange(bars.num_rows) % 3 == 0)
    late = bars.set_column(place, field, pc.if_else(corrected, pa.scalar(as_of, field.type), bars["known_at"]))
    lake = Lake(tmp_path / "lake", "simulated")
    lake.publish(Change.append(ACCEPTED_BARS, late))
    found = flow.truncation(lake.snapshot(), as_of=as_of)
    assert found.compared > 0
    assert found.violating == ()


def test_an_empty_lake_has_nothing_to_compare(tmp_path):
    found = flow.truncation(Lake(tmp_path / "lake", "deep").snapshot(), as_of=dt.datetime(2020, 1, 1, tzinfo=dt.UTC))
    assert (found.compared, found.cuts, found.violating) == (0, (), ())
