"""Facts that hold between two days, laid on the grid: who was a member, which sector a ticker was in."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trader_pipeline.panel import Flag, Grid


def spans(facts: pa.Table, grid: Grid) -> Iterator[tuple[int, slice, dict[str, Any]]]:
    """Yield ticker position, sessions and row of each fact (`ticker`, `valid_from`, `valid_to`, both inclusive); none off the grid."""
    for row, fact in zip(grid.ticker_index(facts["ticker"]).tolist(), facts.to_pylist(), strict=True):
        last = fact["valid_to"]
        start = int(np.searchsorted(grid.sessions, np.datetime64(fact["valid_from"])))
        stop = len(grid.sessions) if last is None else int(np.searchsorted(grid.sessions, np.datetime64(last), "right"))
        if row >= 0:
            yield row, slice(start, stop), fact


def still_open(facts: pa.Table, session: np.datetime64) -> pa.Table:
    """Return the facts with an end (`valid_to`) after `session` as not ended; tables without ends as they are."""
    if "valid_to" not in facts.column_names:
        return facts
    end = facts["valid_to"]
    place, ended = facts.column_names.index("valid_to"), pc.less_equal(end, pa.scalar(session.astype("datetime64[D]").item(), end.type))
    return facts.set_column(place, facts.schema.field(place), pc.if_else(ended, end, pa.scalar(None, end.type)))


def members(universe: pa.Table, grid: Grid, rows_NT: Flag) -> Flag:
    """Return who was in the universe on each session and had a bar, [N, T]; everybody with a bar before its first membership begins.

    `universe` holds the rows of one name of core.universe. That it has members only from some day on is no knowledge of that day.
    """
    inside_NT = np.ones(grid.shape, np.bool_)
    if universe.num_rows:
        inside_NT[:, grid.sessions >= np.datetime64(pc.min(universe["valid_from"]).as_py())] = False
    for row, span, _ in spans(universe, grid):
        inside_NT[row, span] = True
    return inside_NT & rows_NT
