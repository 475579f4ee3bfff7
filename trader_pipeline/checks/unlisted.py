"""Steps that no action explains: what speaks for news, and what for a split, a distribution or wrong prices."""

import math

import numpy as np

from trader_pipeline.checks.bursts import AFTER_ROWS, BEFORE_ROWS, CALM, LEAST_AFTER, burst, evidence
from trader_pipeline.checks.moves import LEAST_MATCH, Moves
from trader_pipeline.checks.rule import Severity
from trader_pipeline.checks.series import Series, local_noise

LEAST_MOVE = math.log(1.45)
"""Smaller steps are left alone: prices move so on news."""

USUAL = (1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0, 15.0, 20.0, 25.0, 30.0, 40.0, 50.0)
"""Ratios that companies choose; 100 is left to the rule on units."""

USUAL_NOISES = 3

COMMON = frozenset({1.5, 2.0, 3.0, 4.0, 5.0, 10.0, 20.0, 25.0, 50.0})
"""Those chosen often. The others lie so close together that a share exchange of any ratio is near one of them (SCR.TO's 15.4 is)."""

PROVEN_NOISES = 8
"""What a step has to exceed, in what the rows around it move, tails included, to be more than a restless series' own."""

GREAT_MOVE, GREAT_NEWS = math.log(5), 5
"""No news moves a price five times with less than five times the volume, and no quote that nobody traded at strays so far."""

BEYOND = math.log(9)
"""Nothing real moves a price ten times overnight, a day's own move aside, where nothing else changes."""

NEWS = 10
"""At a split as many dollars change hands as before; news brings more. Volumes beyond ten times that are no split's."""


def unlisted(moves: Moves, t: int, back: int | None) -> tuple[float | None, Severity] | None:
    """Return the usual ratio of the step at row `t` (new / old shares, None: of no split) and how sure it is; None where it is news.

    It was there at the open, and stays, or steps back at row `back`. An error where nothing but the price changed that day and, as the
    whole history before a step that stays is kept out, a second fact speaks for it: a usual ratio, or ten times. Where the shares traded
    changed inversely by no common ratio, it may be an exchange of shares or a distribution: a warning. Of the newest rows only ten
    times without a burst of volume is an error.
    """
    series, step = moves.series, float(moves.step_T[t])
    if abs(step) <= LEAST_MOVE or not all(_overnight(moves, u) for u in (t, back) if u):
        return None
    if back is None and not _stays(moves, t):
        return None
    usual = _usual_ratio(moves, step, t) or _usual_ratio(moves, moves.opened(t), t)
    ratio = usual or math.exp(-step)
    said, excess = evidence(series, t, ratio), burst(series, t, ratio)
    great_move = abs(step) >= GREAT_MOVE and not burst(series, t) > GREAT_NEWS
    if said != "calm" and not great_move and (usual is None or excess > NEWS):
        return None
    edges = [t] if back is None else [t, back]
    great = abs(step) > PROVEN_NOISES * local_noise(moves.step_T, *edges) * math.sqrt(series.gap_T[t])
    if back is not None:
        proven = said == "calm" and evidence(series, back, 1 / ratio) == "calm"
    elif is_newest(series, t):
        proven = said != "news" and excess <= CALM and abs(step) > BEYOND
    else:
        no_exchange = max(ratio, 1 / ratio) in COMMON or not _inverse_volume(moves, t)
        proven = said == "calm" and no_exchange and (usual is not None or abs(step) > BEYOND)
    return usual, "error" if proven and great else "warning"


def is_newest(series: Series, t: int) -> bool:
    """Say whether too few rows follow row `t` to tell a step that stays from rows that are wrong."""
    return len(series.day_T) - 1 - t < LEAST_AFTER


def _overnight(moves: Moves, t: int) -> bool:
    """Say whether the step was there at the open, as a split's is; rows without an open, and bars that are not daily, are not judged."""
    opened = moves.opened(t)
    return moves.series.spacing != "daily" or not math.isfinite(opened) or moves.alike(opened, float(moves.step_T[t]), t)


def _stays(moves: Moves, t: int) -> bool:
    """Say whether the prices of the rows before and after lie apart by the step: what is back within days was no change of basis."""
    step, close_T = float(moves.step_T[t]), moves.log_T4[:, 3]
    moved = float(np.median(close_T[t : t + AFTER_ROWS]) - np.median(close_T[max(0, t - AFTER_ROWS) : t]))
    return abs(moved - step) < abs(step) / 3


def _usual_ratio(moves: Moves, step: float, t: int) -> float | None:
    """Return the usual ratio nearest to the step, as new / old shares, None where none is within the noise, or there is no step."""
    if not math.isfinite(step):
        return None
    ratio = min(USUAL, key=lambda usual: abs(abs(step) - math.log(usual)))
    near = abs(abs(step) - math.log(ratio)) < max(USUAL_NOISES * float(moves.sigma_T[t]), LEAST_MATCH)
    return (ratio if step < 0 else 1 / ratio) if near else None


def _inverse_volume(moves: Moves, t: int) -> bool:
    """Say whether the shares traded changed as inversely to the price as a split makes them, rather than not at all."""
    volume_T = np.nan_to_num(moves.series.volume_T)
    before, after = volume_T[max(0, t - BEFORE_ROWS) : t], volume_T[t : t + AFTER_ROWS]
    if not before.any() or not after.any():
        return False
    moved = math.log(np.median(after[after > 0]) / np.median(before[before > 0]))
    return abs(moved + float(moves.step_T[t])) < abs(moved)
