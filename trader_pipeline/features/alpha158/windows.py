"""Statistics of the five nested windows, each from two shorter ones that lie side by side.

A window of 60 is two of 30, one of 30 is 20 and 10, down to single sessions: seven steps serve all five windows, no sum
slides and nothing drifts. So a value depends bitwise on its window alone, wherever the arrays begin, and loops run over
sessions side by side. Means and squares are joined as Chan, Golub & LeVeque 1983 do: of equal values the deviation is exactly 0.

Legend: T sessions, L levels (windows of `SIZES` sessions). A session without a value has count 0 and value 0.
"""

import numpy as np
import numpy.typing as npt

from trader_pipeline.features.compiled import _njit

Float = npt.NDArray[np.float64]

SIZES = (1, 2, 4, 5, 10, 20, 30, 60)
OLDER = (0, 0, 1, 0, 3, 4, 4, 6)
"""The level of the older part of each level; the younger part is the level before."""
LEVELS = len(SIZES)
FIRST_WINDOW = 3
"""The levels from here on are Alpha158's windows: 5, 10, 20, 30, 60."""


@_njit
def add_up(x_LT: Float) -> None:
    """Fill the levels above 0 with the sums of their windows."""
    for level in range(1, LEVELS):
        lag, younger_T, older_T, out_T = SIZES[level - 1], x_LT[level - 1], x_LT[OLDER[level]], x_LT[level]
        out_T[:lag] = younger_T[:lag]
        for t in range(lag, len(out_T)):
            out_T[t] = younger_T[t] + older_T[t - lag]


@_njit
def weigh(count_LT: Float, share_LT: Float, weight_LT: Float) -> None:
    """Fill the counts, and what joins two parts: the older one's share of the count, and the harmonic weight of their distance."""
    add_up(count_LT)
    for level in range(1, LEVELS):
        lag, younger_T, older_T, both_T = SIZES[level - 1], count_LT[level - 1], count_LT[OLDER[level]], count_LT[level]
        share_T, weight_T = share_LT[level], weight_LT[level]
        share_T[:lag], weight_T[:lag] = 0.0, 0.0
        for t in range(lag, len(both_T)):
            share_T[t] = older_T[t - lag] / max(both_T[t], 1.0)
        for t in range(lag, len(both_T)):
            weight_T[t] = share_T[t] * younger_T[t]


@_njit
def join(mean_LT: Float, square_LT: Float, share_LT: Float, weight_LT: Float, drift: float) -> None:
    """Fill means and sums of squared deviations; `drift` is what a value gains with each session that passes."""
    square_LT[0] = 0.0
    for level in range(1, LEVELS):
        lag, older = SIZES[level - 1], OLDER[level]
        mean_LT[level, :lag], square_LT[level, :lag] = mean_LT[level - 1, :lag], square_LT[level - 1, :lag]
        _join_means(mean_LT[level - 1], mean_LT[older], share_LT[level], lag, drift * lag, mean_LT[level])
        _join_squares(
            mean_LT[level - 1], mean_LT[older], square_LT[level - 1], square_LT[older], weight_LT[level], lag, drift * lag, square_LT[level]
        )


@_njit
def _join_means(younger_T: Float, older_T: Float, share_T: Float, lag: int, moved: float, out_T: Float) -> None:
    for t in range(lag, len(out_T)):
        out_T[t] = younger_T[t] + (older_T[t - lag] + moved - younger_T[t]) * share_T[t]


@_njit
def _join_squares(
    younger_T: Float, older_T: Float, younger_square_T: Float, older_square_T: Float, weight_T: Float, lag: int, moved: float, out_T: Float
) -> None:
    for t in range(lag, len(out_T)):
        distance = older_T[t - lag] + moved - younger_T[t]
        out_T[t] = younger_square_T[t] + older_square_T[t - lag] + distance * distance * weight_T[t]


@_njit
def join_products(x_LT: Float, drift: float, y_LT: Float, weight_LT: Float, product_LT: Float) -> None:
    """Fill the sums of products of deviations from the means `x_LT` (with its drift) and `y_LT` (without)."""
    product_LT[0] = 0.0
    for level in range(1, LEVELS):
        lag, older = SIZES[level - 1], OLDER[level]
        product_LT[level, :lag] = product_LT[level - 1, :lag]
        _join_products(
            x_LT[level - 1],
            x_LT[older],
            drift * lag,
            y_LT[level - 1],
            y_LT[older],
            product_LT[level - 1],
            product_LT[older],
            weight_LT[level],
            lag,
            product_LT[level],
        )


@_njit
def _join_products(
    x_younger_T: Float,
    x_older_T: Float,
    moved: float,
    y_younger_T: Float,
    y_older_T: Float,
    younger_T: Float,
    older_T: Float,
    weight_T: Float,
    lag: int,
    out_T: Float,
) -> None:
    for t in range(lag, len(out_T)):
        distances = (x_older_T[t - lag] + moved - x_younger_T[t]) * (y_older_T[t - lag] - y_younger_T[t])
        out_T[t] = younger_T[t] + older_T[t - lag] + distances * weight_T[t]


@_njit
def highest(value_LT: Float, at_LT: Float) -> None:
    """Fill the largest value of each window and where it stands first; -inf where there is no value."""
    for t in range(value_LT.shape[1]):
        at_LT[0, t] = t
    for level in range(1, LEVELS):
        lag, older = SIZES[level - 1], OLDER[level]
        value_LT[level, :lag], at_LT[level, :lag] = value_LT[level - 1, :lag], at_LT[level - 1, :lag]
        _higher(value_LT[level - 1], value_LT[older], lag, value_LT[level])
        _earlier(value_LT[level - 1], value_LT[older], at_LT[level - 1], at_LT[older], lag, at_LT[level])


@_njit
def _higher(younger_T: Float, older_T: Float, lag: int, out_T: Float) -> None:
    for t in range(lag, len(out_T)):
        out_T[t] = younger_T[t] if younger_T[t] > older_T[t - lag] else older_T[t - lag]


@_njit
def _earlier(younger_T: Float, older_T: Float, younger_at_T: Float, older_at_T: Float, lag: int, out_T: Float) -> None:
    for t in range(lag, len(out_T)):
        out_T[t] = younger_at_T[t] if younger_T[t] > older_T[t - lag] else older_at_T[t - lag]
