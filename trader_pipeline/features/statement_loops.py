"""The loop that follows filings: what was known of a ticker after each, compiled by numba.

A line is one metric over one length of period (a balance, or 3, 6, 9 or 12 months). A ring keeps the newest known figure of each
line for REACH_MONTHS months by `period`, the number of the month in which a period ends. Older periods are forgotten, so nothing
depends on what lies before them.

Legend: R filed figures, E events (a ticker's sessions at which something became known), F flows, B balances, S splits, L lines,
M months of the ring; 2: the newest period and the one a year before.
"""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from trader_pipeline.features.compiled import njit

Float = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]
Records = npt.NDArray[np.void]

LENGTHS = (0, 3, 6, 9, 12)
REACH_MONTHS = 48
"""The newest quarter, 12 before it for the seasonal differences, and 9 months more that a quarter is taken from."""
SURPRISE_QUARTERS, SURPRISE_MINIMUM_QUARTERS = 8, 6

FIGURE = np.dtype(
    [(name, np.int64) for name in ("row", "column", "metric", "length", "period", "currency", "rank", "filed", "known")]
    + [("value", np.float64)]
)
"""A filed figure: ticker and session by number, the day of filing, the day on which it was known; of several sources the least rank."""
SPLIT = np.dtype([("row", np.int64), ("day", np.int64), ("ratio", np.float64)])
EVENT = np.dtype([(name, np.int64) for name in ("row", "column", "known", "fresh", "currency")])
"""`known`: the day on which its last figure was known; `fresh`: on which the newest period's first was."""

_LENGTHS = len(LENGTHS)
_NEVER = -1_000_000


class Layout(NamedTuple):
    """Metrics by number: the flows, the balances, then two counts of shares, of which the first counts where it is known.

    The newest period of `anchor`, a flow, is the statement's; `per_share` is the flow that splits rescale.
    """

    flows: int
    balances: int
    anchor: int
    per_share: int


class Ring(NamedTuple):
    """The newest known figure of each line and period, and where it is from; per-share figures in shares of the last event."""

    value_LM: Float
    period_LM: Index
    currency_LM: Index
    rank_LM: Index
    filed_LM: Index


class Known(NamedTuple):
    """What is known after each event; NaN where a figure is not, or is in another currency than the newest."""

    quarter_EF2: Float
    year_EF2: Float
    balance_EB2: Float
    shares_E2: Float
    surprise_E: Float


@njit
def figure(ring: Ring, line: int, period: int, currency: int) -> float:
    """Return the newest known figure of a line and period."""
    at = period % REACH_MONTHS
    known = period >= 0 and ring.period_LM[line, at] == period and ring.currency_LM[line, at] == currency
    return ring.value_LM[line, at] if known else np.nan


@njit
def quarter(ring: Ring, metric: int, period: int, currency: int) -> float:
    """Return a flow of three months: as filed, else year to date less the year to date of a quarter before."""
    line = metric * _LENGTHS
    value = figure(ring, line + 1, period, currency)
    for length in range(_LENGTHS - 1, 1, -1):
        if not math.isfinite(value):
            value = figure(ring, line + length, period, currency) - figure(ring, line + length - 1, period - 3, currency)
    return value


@njit
def year(ring: Ring, metric: int, period: int, currency: int) -> float:
    """Return a flow of twelve months: as filed, else the sum of four known quarters."""
    value = figure(ring, metric * _LENGTHS + 4, period, currency)
    if math.isfinite(value):
        return value
    value = 0.0
    for back in range(4):
        value += quarter(ring, metric, period - 3 * back, currency)
    return value


@njit
def surprise(ring: Ring, metric: int, period: int, currency: int) -> float:
    """Return the newest seasonal difference in standard deviations of the eight before it; six of them at least."""
    n, total, lowest, highest = 0, 0.0, np.inf, -np.inf
    change = np.empty(SURPRISE_QUARTERS + 1)
    for back in range(SURPRISE_QUARTERS + 1):
        same_quarter = period - 3 * back
        change[back] = quarter(ring, metric, same_quarter, currency) - quarter(ring, metric, same_quarter - 12, currency)
        if back > 0 and math.isfinite(change[back]):
            n += 1
            total += change[back]
            lowest, highest = min(lowest, change[back]), max(highest, change[back])
    if n < SURPRISE_MINIMUM_QUARTERS or lowest == highest:
        return np.nan
    squares = 0.0
    for back in range(1, SURPRISE_QUARTERS + 1):
        if math.isfinite(change[back]):
            squares += (change[back] - total / n) ** 2
    return float(change[0] / math.sqrt(squares / (n - 1)))


@njit
def rescaled(value: float, metric: int, ratio: float, layout: Layout) -> float:
    """Return a figure after a split: fewer dollars a share, more shares."""
    if metric == layout.per_share:
        return value / ratio
    return value * ratio if metric >= layout.flows + layout.balances else value


@njit
def split(ring: Ring, split_S: Records, after: int, until: int, layout: Layout) -> None:
    """Bring what is in the ring over the ticker's splits between two days."""
    for s in range(len(split_S)):
        if after < split_S["day"][s] <= until:
            for line in range(ring.value_LM.shape[0]):
                for at in range(REACH_MONTHS):
                    if ring.filed_LM[line, at] < split_S["day"][s]:
                        ring.value_LM[line, at] = rescaled(ring.value_LM[line, at], line // _LENGTHS, split_S["ratio"][s], layout)


@njit
def take(ring: Ring, one: np.void, split_S: Records, layout: Layout) -> bool:
    """Put a figure in the ring unless it speaks of a forgotten period, or a better source told it; say whether it went in."""
    line, at = one["metric"] * _LENGTHS + one["length"], one["period"] % REACH_MONTHS
    held = ring.period_LM[line, at]
    if one["period"] < held or (one["period"] == held and one["rank"] > ring.rank_LM[line, at]):
        return False
    value = one["value"]
    for s in range(len(split_S)):
        if one["filed"] < split_S["day"][s] <= one["known"]:
            value = rescaled(value, one["metric"], split_S["ratio"][s], layout)
    ring.value_LM[line, at], ring.period_LM[line, at], ring.currency_LM[line, at] = value, one["period"], one["currency"]
    ring.rank_LM[line, at], ring.filed_LM[line, at] = one["rank"], one["filed"]
    return True


@njit
def tell(ring: Ring, layout: Layout, newest: tuple[int, int, int, int], event: int, out: Known) -> None:
    """Write what is known after an event; `newest`: the statement's period and currency, and the periods of the counts of shares."""
    period_of_all, currency = newest[0], newest[1]
    for before in range(2):
        period = period_of_all - 12 * before
        for flow in range(layout.flows):
            out.quarter_EF2[event, flow, before] = quarter(ring, flow, period, currency)
            out.year_EF2[event, flow, before] = year(ring, flow, period, currency)
        for balance in range(layout.balances):
            out.balance_EB2[event, balance, before] = figure(ring, (layout.flows + balance) * _LENGTHS, period, currency)
    out.surprise_E[event] = surprise(ring, layout.per_share, period_of_all, currency)
    kind = 0 if newest[2] > period_of_all - 12 else 1
    line, period = (layout.flows + layout.balances + kind) * _LENGTHS, newest[2 + kind]
    out.shares_E2[event, 0] = figure(ring, line, period, -1) if period > period_of_all - 12 else np.nan
    out.shares_E2[event, 1] = np.nan
    for months in (13, 11, 12):  # counts are of a day near the filing, which a year later may be in the next month
        earlier = figure(ring, line, period - months, -1)
        if math.isfinite(earlier):
            out.shares_E2[event, 1] = earlier


@njit
def follow(figure_R: Records, split_S: Records, layout: Layout, event_E: Records, out: Known) -> None:
    """Write every event, and what is known after it; figures come sorted by ticker and moment, splits by ticker and day."""
    lines = (layout.flows + layout.balances + 2) * _LENGTHS
    ring = Ring(
        np.empty((lines, REACH_MONTHS)),
        np.empty((lines, REACH_MONTHS), np.int64),
        np.empty((lines, REACH_MONTHS), np.int64),
        np.empty((lines, REACH_MONTHS), np.int64),
        np.empty((lines, REACH_MONTHS), np.int64),
    )
    newest_shares = np.empty(2, np.int64)
    row, newest, fresh, currency, known, event, own = -1, _NEVER, 0, -1, 0, 0, split_S[:0]
    for r in range(len(figure_R)):
        one = figure_R[r]
        if one["row"] != row:
            row, newest, fresh, currency = one["row"], _NEVER, 0, -1
            ring.period_LM[:], newest_shares[:] = _NEVER, _NEVER
            own = split_S[np.searchsorted(split_S["row"], row) : np.searchsorted(split_S["row"], row, side="right")]
        else:
            split(ring, own, known, one["known"], layout)
        known = one["known"]
        if take(ring, one, own, layout):
            kind = one["metric"] - layout.flows - layout.balances
            if kind >= 0:
                newest_shares[kind] = max(newest_shares[kind], one["period"])
            if one["metric"] == layout.anchor and one["period"] >= newest:
                fresh = one["known"] if one["period"] > newest else fresh
                newest, currency = one["period"], one["currency"]
        if r + 1 == len(figure_R) or figure_R["row"][r + 1] != row or figure_R["column"][r + 1] != one["column"]:
            event_E["row"][event], event_E["column"][event], event_E["known"][event] = row, one["column"], known
            event_E["fresh"][event], event_E["currency"][event] = fresh, currency
            tell(ring, layout, (newest, currency, newest_shares[0], newest_shares[1]), event, out)
            event += 1


@njit
def newest_event(cell_E: tuple[Index, Index], day_E: Index, day_T: Index, maximum_age: int, event_NT: Index) -> None:
    """Write the newest event of each ticker and session where its day is `maximum_age` days ago at most; -1 is elsewhere."""
    row_E, column_E = cell_E
    for e in range(len(row_E)):
        stop = event_NT.shape[1]
        if e + 1 < len(row_E) and row_E[e + 1] == row_E[e]:
            stop = column_E[e + 1]
        for t in range(column_E[e], stop):
            event_NT[row_E[e], t] = e if day_T[t] - day_E[e] <= maximum_age else -1
