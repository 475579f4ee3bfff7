import datetime as dt

import numpy as np
import pyarrow as pa

from trader_pipeline.features.intervals import members
from trader_pipeline.panel import Grid
from trader_pipeline.schema.core import UNIVERSE
from trader_pipeline_tests.features import markets

DAYS = markets.sessions(4)
GRID = Grid(("A", "B"), DAYS)
ROWS = np.array([[True, True, True, False], [True, True, True, True]])


def universe(*rows):
    placed = [{"universe": "u", "ticker": t, "valid_from": start, "valid_to": end} for t, start, end in rows]
    return UNIVERSE.conform(pa.Table.from_pylist(placed, schema=UNIVERSE.arrow_schema))


def test_a_member_is_one_from_its_first_to_its_last_day_and_needs_a_bar():
    facts = universe(
        ("A", DAYS[1].item(), None), ("B", dt.date(2000, 1, 3), DAYS[1].item()), ("B", DAYS[3].item(), None), ("Z", DAYS[0].item(), None)
    )
    np.testing.assert_array_equal(members(facts, GRID, ROWS), [[False, True, True, False], [True, True, False, True]])


def test_without_a_universe_everybody_with_a_bar_belongs():
    np.testing.assert_array_equal(members(UNIVERSE.empty(), GRID, ROWS), ROWS)


def test_before_the_first_membership_everybody_with_a_bar_belongs():
    np.testing.assert_array_equal(
        members(universe(("A", DAYS[2].item(), None)), GRID, ROWS), [[True, True, True, False], [True, True, False, False]]
    )


def test_a_universe_of_other_names_has_no_members_here():
    assert not members(universe(("Z", DAYS[0].item(), None)), GRID, ROWS).any()
