import datetime as dt
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from trader_pipeline import calendar, panel
from trader_pipeline.features import FEATURES, PANEL
from trader_pipeline.flows.build_features import build_features
from trader_pipeline.lake import Change, Lake
from trader_pipeline.schema.core import (
    ACCEPTED_BARS,
)
from trader_pipeline.schema.features import TARGETS
from trader_pipeline.schema.quality import QUARANTINE
from trader_pipeline_tests.features import markets
from trader_pipeline_tests.old_lakes import commit

LATE = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)
COUNT = 330
NAMES = [feature.name for feature in FEATURES]


@pytest.fixture(scope="module")
def market():
    return markets.random_core(COUNT)


@pytest.fixture
def lake(tmp_path, market):
    lake = Lake(tmp_path / "lake", "own")
    markets.publish(lake, market[0])
    return lake


def test_every_accepted_bar_but_the_benchmarks_is_a_row_of_both_tables(lake, market):
    accepted = market[0].accepted_bars
    stocks = pc.sum(pc.not_equal(accepted["ticker"], "ZSPY")).as_py()
    outcome = build_features(lake, as_of=LATE, run_id="r1")
    assert (outcome.rows, outcome.tickers, outcome.sessions, outcome.changed) == (stocks, 14, COUNT, True)
    assert lake.snapshot().rows(TARGETS) == stocks
    assert not lake.snapshot().sql("select 1 from features.panel where ticker = 'ZSPY'").num_rows


def test_features_of_an_older_schema_are_made_again(lake):
    build_features(lake, as_of=LATE, run_id="r1")
    before = [lake.snapshot().read(table) for table in (PANEL, TARGETS)]
    entries = lake.snapshot().commit.tables
    commit(lake, features__targets=replace(entries["features.targets"], schema_version=0))
    assert build_features(lake, as_of=LATE, run_id="r2").changed
    assert [lake.snapshot().read(table) for table in (PANEL, TARGETS)] == before
    assert lake.snapshot().stale() == []


def changed_by_holding(lake, **held):
    """The panel's columns that are others once the checks hold one row."""
    build_features(lake, as_of=LATE, run_id="r1")
    before = lake.snapshot().read(PANEL)
    held |= {"rule": "-", "reason": "-", "first_seen": LATE, "strikes": 1, "known_at": LATE, "run_id": "c1"}
    lake.publish(Change.replace(QUARANTINE, pa.Table.from_pylist([held])))
    assert build_features(lake, as_of=LATE, run_id="r2").changed
    after = lake.snapshot().read(PANEL)
    return {name for name in before.column_names if not before[name].equals(after[name])}


def test_a_macro_value_that_the_checks_hold_is_not_read(lake, market):
    row = market[0].macro.sort_by([("observed_on", "descending")]).slice(0, 1).to_pylist()[0]
    assert row["series"] == "regime"
    changed = changed_by_holding(lake, table_name="core.macro", ticker="regime", session=row["observed_on"], item="", source=row["source"])
    assert "regime" in changed
    assert all("regime" in name for name in changed)


def test_a_filed_figure_that_the_checks_hold_is_not_read(lake):
    held = {"ticker": "T00", "session": dt.date(2015, 6, 30), "item": "current_assets 0", "source": "sec"}
    assert changed_by_holding(lake, table_name="core.fundamentals", **held) == {"current_ratio"}


def test_a_second_run_changes_nothing(lake):
    build_features(lake, as_of=LATE, run_id="r1")
    head = lake.snapshot().commit
    outcome = build_features(lake, as_of=LATE + dt.timedelta(days=1), run_id="r2")
    assert not outcome.changed
    assert outcome.rows == lake.snapshot().rows(PANEL)
    assert lake.snapshot().commit.id == head.id


def test_features_as_of_an_earlier_moment_are_bitwise_the_same_rows(lake, market):
    days = market[1]
    build_features(lake, as_of=LATE, run_id="r1")
    grid, whole = panel.read_features(lake.snapshot().files(PANEL), NAMES)
    cut = COUNT - 40
    build_features(lake, as_of=calendar.known_at("XNYS", days[cut - 1].item()), run_id="r2")
    early, part = panel.read_features(lake.snapshot().files(PANEL), NAMES)
    assert early.sessions[-1] == days[cut - 1]
    rows = [grid.tickers.index(name) for name in early.tickers]
    np.testing.assert_array_equal(part.view(np.int32), np.ascontiguousarray(whole[rows, :cut]).view(np.int32))


def test_a_label_is_null_until_its_end_is_known(lake, market):
    days = market[1]
    build_features(lake, as_of=calendar.known_at("XNYS", days[200].item()), run_id="r1")
    grid, _ = panel.read_features(lake.snapshot().files(PANEL), NAMES[:1])
    for horizon in (1, 5, 20, 60):
        name = f"forward_return_{horizon}d"
        label = panel.read_columns(lake.snapshot().files(TARGETS), [name], grid)[1][name]
        assert np.isnan(label[:, 201 - horizon :]).all()
        assert np.isfinite(label[:, 200 - horizon]).any()


def test_a_correction_not_yet_known_is_ignored_and_a_known_one_counts(lake, market):
    accepted = market[0].accepted_bars
    first = accepted.slice(0, 1)
    learnt = dt.datetime(2029, 1, 1, tzinfo=dt.UTC)
    corrected = first.set_column(2, "known_at", [[learnt]]).set_column(7, "close", pc.multiply(first["close"], 1.5))
    build_features(lake, as_of=learnt - dt.timedelta(days=1), run_id="r1")
    parts = lake.snapshot().files(PANEL)
    lake.publish(Change.append(ACCEPTED_BARS, ACCEPTED_BARS.conform(corrected)))
    build_features(lake, as_of=learnt - dt.timedelta(days=1), run_id="r2")
    assert lake.snapshot().files(PANEL) == parts
    assert build_features(lake, as_of=learnt, run_id="r3").changed
    assert lake.snapshot().files(PANEL) != parts


def test_a_lake_without_bars_yields_empty_tables(tmp_path):
    lake = Lake(tmp_path / "lake", "own")
    outcome = build_features(lake, as_of=LATE, run_id="r1")
    assert (outcome.rows, outcome.sessions, outcome.tickers) == (0, 0, 0)
