"""Statistics of the five nested windows, each from two shorter ones that lie side by side.

A window of 60 is two of 30, one of 30 is 20 and 10, down to single sessions: seven steps serve all five windows, no sum
slides and nothing drifts. So a value depends bitwise on its window alone, wherever the arrays begin, and loops run over
sessions side by side. Means and squares are joined as Chan, Golub & LeVeque 1983 do: of equal values the deviation is exactly 0.

Legend: T sessions, L levels (windows of `SIZES` sessions), as many as the caller's arrays have. A session without a value has
count 0 and value 0.
"""

import numpy as np
import numpy.typing as npt

from trader_pipeline.features.alpha158.rows import WINDOWS
from trader_pipeline.features.compiled import njit

Float = npt.NDArray[np.float64]
Flag = npt.NDArray[np.bool_]

SIZES = (1, 2, 4, 5, 10, 20, 30, 60)
OLDER = (0, 0, 1, 0, 3, 4, 4, 6)
"""The level of the older part of each level; the younger part is the level before."""
LEVELS = len(SIZES)
FIRST_WINDOW = 3
"""The levels from here on are Alpha158's windows: 5, 10, 20, 30, 60."""


@njit
def levels_for(wanted_F: Flag, statistics: tuple[int, ...]) -> int:
    """Return how many levels the wanted windows of some statistics need: single sessions where none is wanted."""
    levels = 1
    for w in range(len(WINDOWS)):
        for statistic in statistics:
            if wanted_F[statistic + w]:
                levels = FIRST_WINDOW + w + 1
    return levels


@njit
def parts(x_LT: Float, level: int) -> tuple[Float, Float, Float]:
    """Return the younger part, the older part and what both make, for the sessions that have both; copy the younger part elsewhere."""
    lag = SIZES[level - 1]
    x_LT[level, :lag] = x_LT[level - 1, :lag]
    return x_LT[level - 1, lag:], x_LT[OLDER[level], : x_LT.shape[1] - lag], x_LT[level, lag:]


@njit
def add_up(x_LT: Float) -> None:
    """Fill the levels above 0 with the sums of their windows."""
    for level in range(1, len(x_LT)):
        younger_T, older_T, out_T = parts(x_LT, level)
        for t in range(len(out_T)):
            out_T[t] = younger_T[t] + older_T[t]


@njit
def weigh(count_LT: Float, share_LT: Float, weight_LT: Float) -> None:
    """Fill the counts, and what joins two parts: the older one's share of the count, and the weight of their squared distance."""
    add_up(count_LT)
    for level in range(1, len(count_LT)):
        younger_T, older_T, both_T = parts(count_LT, level)
        share_T, weight_T = share_LT[level, -len(both_T) :], weight_LT[level, -len(both_T) :]
        for t in range(len(both_T)):
            share_T[t] = older_T[t] / max(both_T[t], 1.0)
        for t in range(len(both_T)):
            weight_T[t] = share_T[t] * younger_T[t]


@njit
def join(mean_LT: Float, square_LT: Float, share_LT: Float, weight_LT: Float, drift: float) -> None:
    """Fill means and sums of squared deviations, of these maybe fewer levels; `drift` is what a value gains with each session."""
    square_LT[0] = 0.0
    for level in range(1, len(mean_LT)):
        younger_T, older_T, mean_T = parts(mean_LT, level)
        _join_means(younger_T, older_T, share_LT[level, -len(mean_T) :], drift * SIZES[level - 1], mean_T)
    for level in range(1, len(square_LT)):
        younger_T, older_T, mean_T = parts(mean_LT, level)
        younger_square_T, older_square_T, square_T = parts(square_LT, level)
        _join_squares(
            younger_T, older_T, younger_square_T, older_square_T, weight_LT[level, -len(mean_T) :], drift * SIZES[level - 1], square_T
        )


@njit
def _join_means(younger_T: Float, older_T: Float, share_T: Float, moved: float, out_T: Float) -> None:
    for t in range(len(out_T)):
        out_T[t] = younger_T[t] + (older_T[t] + moved - younger_T[t]) * share_T[t]


@njit
def _join_squares(
    younger_T: Float, older_T: Float, younger_square_T: Float, older_square_T: Float, weight_T: Float, moved: float, out_T: Float
) -> None:
    for t in range(len(out_T)):
        distance = older_T[t] + moved - younger_T[t]
        out_T[t] = younger_square_T[t] + older_square_T[t] + distance * distance * weight_T[t]


@njit
def join_products(x_LT: Float, drift: float, y_LT: Float, weight_LT: Float, product_LT: Float) -> None:
    """Fill the sums of products of deviations from the means `x_LT` (with its drift) and `y_LT` (without)."""
    product_LT[0] = 0.0
    for level in range(1, len(product_LT)):
        x_younger_T, x_older_T, _ = parts(x_LT, level)
        y_younger_T, y_older_T, _ = parts(y_LT, level)
        younger_T, older_T, product_T = parts(product_LT, level)
        moved, weight_T = drift * SIZES[level - 1], weight_LT[level, -len(product_T) :]
        for t in range(len(product_T)):
            distances = (x_older_T[t] + moved - x_younger_T[t]) * (y_older_T[t] - y_younger_T[t])
            product_T[t] = younger_T[t] + older_T[t] + distances * weight_T[t]


@njit
def highest(value_LT: Float, at_LT: Float) -> None:
    """Fill the largest value of each window, and where it stands first, of which there may be fewer; -inf where there is no value."""
    for level in range(1, len(value_LT)):
        younger_T, older_T, value_T = parts(value_LT, level)
        for t in range(len(value_T)):
            value_T[t] = max(older_T[t], younger_T[t])
    for t in range(at_LT.shape[1]):
        at_LT[0, t] = t
    for level in range(1, len(at_LT)):
        younger_T, older_T, _ = parts(value_LT, level)
        younger_at_T, older_at_T, at_T = parts(at_LT, level)
        for t in range(len(at_T)):
            at_T[t] = younger_at_T[t] if younger_T[t] > older_T[t] else older_at_T[t]
