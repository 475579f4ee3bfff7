"""Steps of a series that are a split's in size, and prices of single rows that stand off by one."""

import math
from dataclasses import dataclass

import numpy as np

from trader_pipeline.checks.bursts import evidence
from trader_pipeline.checks.moves import LEAST_MATCH, MATCH_NOISES, Moves, moves_of
from trader_pipeline.checks.rule import Severity
from trader_pipeline.checks.series import SPLIT_MOVE, Series
from trader_pipeline.checks.unlisted import is_newest, unlisted

NOISES = 6
"""A step has to exceed what the series moves this many times over before it is taken for a split's."""

NEAR_ROWS = 10
"""A step of a listed ratio this close to the split's row is that split, put in the wrong place."""

BLOCK_ROWS = 60
"""Two opposite steps of one size no farther apart than this enclose rows on another basis."""

Listed = list[tuple[int, float]]
"""Rows of listed splits that are large enough to be told from noise, and the log of each ratio."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Jump:
    """A step that is a split's in size. `t`: first row after it; `t_end`: last row of a block that steps back, else None.

    `ratio`: what the close before is of the close after, a usual or the listed ratio where it matches one; `listed`: the split's
    row; `usual`: the ratio is one that companies choose; `columns`: the prices concerned where only some of the row's are;
    `onwards`: the rows from `t` on are at fault, not those before it; `against`: other sources, which do not step.
    """

    t: int
    t_end: int | None
    step: float
    ratio: float
    listed: int | None
    severity: Severity
    usual: bool = True
    columns: tuple[int, ...] = ()
    onwards: bool = False
    against: tuple[str, ...] = ()


def jumps_of(series: Series) -> list[Jump]:
    """Return the steps that are a split's in size, blocks that step back as one, and rows of which only some prices are off."""
    moves = moves_of(series)
    least = max(NOISES * moves.sigma, SPLIT_MOVE)
    listed = [(int(s), math.log(series.split_T[s])) for s in np.flatnonzero(np.abs(np.log(series.split_T)) > least)]
    big = np.flatnonzero(np.nan_to_num(np.abs(moves.step_T)) > np.maximum(NOISES * moves.sigma_T, SPLIT_MOVE)).tolist()
    found: list[Jump] = []
    taken: set[int] = set()
    for t in big:
        if t in taken:
            continue
        back = next((u for u in big if t < u <= t + BLOCK_ROWS and moves.alike(-moves.step_T[u], moves.step_T[t], u)), None)
        jump = _listed_jump(moves, listed, t, back) or _unlisted_jump(moves, t, back)
        if jump is not None:
            found.append(jump)
            taken |= {t} | ({back} if back else set())
    return [*found, *_partial_rows(moves, listed, found)]


def _listed_jump(moves: Moves, listed: Listed, t: int, back: int | None) -> Jump | None:
    """Return the step as that of the nearest listed split of its size; near its split twice the log too: applied the wrong way round.

    An error near the split, where prices step back, and where nothing but the price changed.
    """
    step = float(moves.step_T[t])
    reach = max(MATCH_NOISES * float(moves.sigma_T[t]), LEAST_MATCH)
    sizes = [(s, abs(q) * times) for s, q in listed for times in ((1, 2) if abs(s - t) <= NEAR_ROWS else (1,))]
    matches = [(s, size) for s, size in sizes if abs(abs(step) - size) < min(reach, size / 3)]
    if not matches:
        return None
    at, size = min(matches, key=lambda match: abs(match[0] - t))
    ratio = math.exp(-math.copysign(size, step))
    proven = abs(t - at) <= NEAR_ROWS or back is not None or evidence(moves.series, t, ratio) == "calm"
    end = back - 1 if back else None
    return Jump(t=t, t_end=end, step=step, ratio=ratio, listed=at, severity="error" if proven else "warning")


def _unlisted_jump(moves: Moves, t: int, back: int | None) -> Jump | None:
    judged = unlisted(moves, t, back)
    if judged is None:
        return None
    (usual, severity), step = judged, float(moves.step_T[t])
    ratio, end = usual or math.exp(-step), back - 1 if back else None
    return Jump(
        t=t,
        t_end=end,
        step=step,
        ratio=ratio,
        listed=None,
        severity=severity,
        usual=usual is not None,
        onwards=back is None and is_newest(moves.series, t),
    )


def _partial_rows(moves: Moves, listed: Listed, found: list[Jump]) -> list[Jump]:
    """Return rows of which single prices stand off the rows beside them by a listed ratio.

    Far from the split, and in longer bars, which hold days of both bases, only bars that contradict themselves.
    """
    series, log_T4 = moves.series, moves.log_T4
    taken_T = np.zeros(len(log_T4), dtype=bool)
    for jump in found:
        taken_T[jump.t : (jump.t_end or jump.t) + 1] = True
    edged_T4 = np.pad(log_T4, ((1, 1), (0, 0)), constant_values=np.nan)
    beside_T = np.nanmedian(np.hstack([edged_T4[:-2], edged_T4[1:-1], edged_T4[2:]]), axis=1)
    away_T4 = np.nan_to_num(log_T4 - beside_T[:, None])
    rows = []
    for s, q in listed:
        off_T4 = np.abs(np.abs(away_T4) - abs(q)) < max(MATCH_NOISES * moves.sigma, LEAST_MATCH)
        near_T = (np.abs(np.arange(len(log_T4)) - s) <= NEAR_ROWS) & (series.spacing == "daily")
        some_T = off_T4.any(axis=1) & ~off_T4.all(axis=1) & (near_T | series.torn_T) & ~taken_T
        for t in np.flatnonzero(some_T).tolist():
            columns = tuple(np.flatnonzero(off_T4[t]).tolist())
            step = float(away_T4[t, columns[0]])
            ratio = math.exp(-math.copysign(q, step))
            rows.append(Jump(t=t, t_end=t, step=step, ratio=ratio, listed=s, severity="error", columns=columns))
        taken_T |= some_T
    return rows
