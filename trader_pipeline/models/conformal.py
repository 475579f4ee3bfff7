"""Intervals that go on holding what they promise while the market drifts: adaptive conformal inference (Gibbs & Candes 2021).

A label's conformity is the factor on the forecast's distance from median to outer quantile at which the interval would just have
held it. The factors of past labels give the interval of any miss rate; the miss rate asked for moves with what was missed since.
"""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from trader_pipeline.schema.quantiles import LEVELS

Floats = npt.NDArray[np.float64]

TARGET_MISS = 0.10
"""q05..q95 should miss one label in ten."""
STEP = 0.005
"""How far a session's misses move the miss rate; the paper's own."""
LEAST_MISS = -0.2
"""Asked for below 0, a miss rate wants intervals wider than any past label needed."""
_CLOSE = 1e-10


def conformity(residual: npt.ArrayLike, distance_Q: npt.ArrayLike) -> Floats:
    """Return the factor at which the outer quantiles would just have held the label; NaN in, NaN out.

    `residual` is label - median, `distance_Q` the quantiles' distances from the median, quantiles first.
    """
    y, distances = np.asarray(residual, dtype=np.float64), np.asarray(distance_Q, dtype=np.float64)
    upper, lower = np.maximum(distances[-1], _CLOSE), np.minimum(distances[0], -_CLOSE)
    return np.asarray(np.where(y > 0, y / upper, y / lower))


def scales(conformities: Floats) -> Floats:
    """Return the factor of each of `LEVELS`: the conformal quantile, ceil((n + 1) * level) of n from below (Vovk et al. 2005)."""
    ordered = np.sort(conformities[np.isfinite(conformities)])
    position = np.ceil((len(ordered) + 1) * np.array(LEVELS)).astype(np.int64) - 1
    return np.asarray(ordered[np.clip(position, 0, len(ordered) - 1)])


def scale_at(miss: npt.ArrayLike, scales_L: npt.ArrayLike) -> Floats:
    """Return the factor of intervals that should miss the share `miss` of labels; past the last of `LEVELS` it grows on as before."""
    level, known = 1 - np.asarray(miss, dtype=np.float64), np.asarray(scales_L, dtype=np.float64)
    slope = (known[-1] - known[-2]) / (LEVELS[-1] - LEVELS[-2])
    return np.asarray(np.interp(level, LEVELS, known) + slope * np.maximum(level - LEVELS[-1], 0))


def moved(miss: float, missed: float) -> float:
    """Return the miss rate to ask for after a session of which the share `missed` of the labels lay outside; NaN moves nothing.

    alpha + gamma * (target - missed), not under `LEAST_MISS` nor over what `LEVELS` know.
    """
    if np.isnan(missed):
        return miss
    return float(np.clip(miss + STEP * (TARGET_MISS - missed), LEAST_MISS, 1 - LEVELS[0]))


def after(miss: float, missed_T: Iterable[float]) -> float:
    """Return the miss rate after the sessions' labels, in their order."""
    for missed in missed_T:
        miss = moved(miss, missed)
    return miss


def adapted(conformity_NT: Floats, scales_LT: Floats, horizon: int, *, miss: float = TARGET_MISS) -> tuple[Floats, float]:
    """Return the miss rate [T] that intervals of each session ask for, and that after all labels here.

    `conformity_NT` are the labels' factors, NaN where none is known; `scales_LT` the factors of `LEVELS` that serve each session.
    The label of session s counts from session s + horizon on, when it has ended.
    """
    T = conformity_NT.shape[1]
    asked_T, missed_T = np.empty(T), np.full(T, np.nan)
    for t in range(T + horizon):
        if horizon <= t:
            miss = moved(miss, missed_T[t - horizon])
        if t < T:
            asked_T[t] = miss
            known = conformity_NT[:, t][np.isfinite(conformity_NT[:, t])]
            if len(known):
                missed_T[t] = float((known > scale_at(miss, scales_LT[:, t])).mean())
    return asked_T, miss
