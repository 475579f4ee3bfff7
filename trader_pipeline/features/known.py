"""Facts that come now and then, such as filings: for each session the newest event that was known by then, and what it told.

An event is a ticker's session by whose close + 30 minutes something became known. Figures lie in arrays [E] of events and are
spread over the grid, so formulas are computed once an event.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from trader_pipeline.features.statement_loops import SPLIT
from trader_pipeline.panel import Grid

Float = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]
Records = npt.NDArray[np.void]
Figures = Mapping[str, Float]
Instants = npt.NDArray[np.datetime64]


@dataclass(frozen=True, eq=False, kw_only=True)
class Known:
    """Figures by name, [E], as known after each event. `event_NT` is -1 where there is none, or it is too old.

    Days count from 1970: those of the sessions, and those in whose shares the events' counts and per-share figures are.
    """

    event_NT: Index
    day_T: Index
    day_E: Index
    split_S: Records
    figures: Figures

    def columns(self, start: int, stop: int) -> "Known":
        """Return what was known at the sessions from `start` up to `stop`."""
        return replace(self, event_NT=np.ascontiguousarray(self.event_NT[:, start:stop]), day_T=self.day_T[start:stop])

    def at_sessions(self, x_E: Float) -> Float:
        """Return a figure on the grid, [N, T], NaN where no event is known."""
        if not len(x_E):
            return np.full(self.event_NT.shape, np.nan)
        return np.where(self.event_NT >= 0, x_E[self.event_NT], np.nan)

    @cached_property
    def share_growth(self) -> Float:
        """What one share of the event's day is by each session, [N, T]: the product of the splits between; 1 without an event."""
        growth_NT, since_NT = np.ones(self.event_NT.shape), self.at_sessions(self.day_E.astype(np.float64))
        for row, day, ratio in self.split_S.tolist():
            growth_NT[row, (self.day_T >= day) & (since_NT[row] < day)] *= ratio
        return growth_NT

    def age(self, day_E: Float) -> Float:
        """Return the days from `day_E` to each session, [N, T]."""
        return self.day_T - self.at_sessions(day_E)


def splits_of(actions: pa.Table, grid: Grid) -> Records:
    """Return core.corporate_actions' splits of the grid's tickers, by ticker and day."""
    splits = actions.filter(pc.equal(actions["kind"], "split"))
    out_S = np.empty(splits.num_rows, SPLIT)
    out_S["row"], out_S["day"], out_S["ratio"] = grid.ticker_index(splits["ticker"]), days(splits["session"]), splits["value"].to_numpy()
    return np.sort(out_S[out_S["row"] >= 0], order=("row", "day"))


def days(column: pa.ChunkedArray | npt.NDArray[np.datetime64]) -> Index:
    """Return dates or UTC instants as days since 1970."""
    values = column if isinstance(column, np.ndarray) else column.cast(pa.timestamp("us")).to_numpy()
    return values.astype("datetime64[D]").astype(np.int64)


def instants(column: pa.ChunkedArray) -> Instants:
    """Return UTC instants without zone."""
    values: Instants = column.cast(pa.int64()).to_numpy().view("datetime64[us]")
    return values
