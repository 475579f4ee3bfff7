"""Statistics over the tickers of a session are of that day's members: who comes later or has left changes nothing of other days."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from trader_pipeline.features import FEATURES
from trader_pipeline.features.targets import build_targets
from trader_pipeline.schema.core import UNIVERSE
from trader_pipeline_tests.features import markets

COUNT, TURN = 620, 560
NAMES = tuple(f"T{i:02d}" for i in range(14))
COMPARING = [feature for feature in FEATURES if UNIVERSE in feature.inputs]


@pytest.fixture(scope="module")
def worlds():
    """T00 joins or leaves on a day, or never was or always is a member. There is no benchmark: the market is the members' mean."""
    tables, days = markets.random_core(COUNT)
    map_of = tables.ticker_map
    tables = replace(tables, ticker_map=map_of.set_column(map_of.column_names.index("role"), "role", pa.array(["stock"] * map_of.num_rows)))
    stays = {
        "always": [("T00", markets.SINCE, None)],
        "never": [],
        "joins": [("T00", days[TURN], None)],
        "leaves": [("T00", markets.SINCE, days[TURN - 1])],
    }
    rest = [(name, markets.SINCE, None) for name in NAMES[1:]]
    return {name: markets.market(replace(tables, universe=markets.universe(*rest, *own)), days) for name, own in stays.items()}


@pytest.mark.parametrize("feature", COMPARING, ids=lambda feature: feature.name)
def test_who_joins_or_leaves_changes_no_session_before(feature, worlds):
    always, never, joins, leaves = (feature.compute(worlds[name]) for name in ("always", "never", "joins", "leaves"))
    np.testing.assert_array_equal(joins[:, :TURN], never[:, :TURN])
    np.testing.assert_array_equal(leaves[:, :TURN], always[:, :TURN])
    assert not np.array_equal(always[:, :TURN], never[:, :TURN], equal_nan=True), "membership makes no difference to it"
    assert not np.array_equal(joins[:, TURN:], never[:, TURN:], equal_nan=True)
    assert not np.array_equal(leaves[:, TURN:], always[:, TURN:], equal_nan=True)


def test_the_other_features_do_not_know_members(worlds):
    for feature in FEATURES:
        if feature not in COMPARING:
            np.testing.assert_array_equal(feature.compute(worlds["always"]), feature.compute(worlds["never"]), err_msg=feature.name)


def test_a_rank_is_a_members_and_a_return_everybodys(worlds):
    found = build_targets(worlds["leaves"])
    own = found.filter(pa.array(np.array(found["ticker"].to_pylist()) == "T00")).to_pylist()
    after = [row for row in own if row["session"] >= worlds["leaves"].grid.sessions[TURN].item()]
    assert any(row["forward_return_5d"] is not None for row in after)
    assert all(row["residual_rank_5d"] is None for row in after)
    assert any(row["residual_rank_5d"] is not None for row in own)


def test_a_benchmark_that_an_index_lists_is_no_member():
    tables, days = markets.random_core(340)
    listed = pa.concat_tables([tables.universe, markets.universe(("ZSPY", markets.SINCE, None))])
    without, inside = (markets.market(replace(tables, universe=members), days) for members in (tables.universe, listed))
    assert "ZSPY" not in without.grid.tickers
    for feature in COMPARING:
        np.testing.assert_array_equal(feature.compute(inside), feature.compute(without), err_msg=feature.name)
