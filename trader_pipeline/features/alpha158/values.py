"""What the closes and volumes of each window say: means, deviations, the line over time, correlation."""

import math

import numpy as np
import numpy.typing as npt

from trader_pipeline.features.alpha158 import formulas
from trader_pipeline.features.alpha158.rows import BETA, CORR, MA, RESI, RSQR, STD, VMA, VSTD
from trader_pipeline.features.alpha158.windows import FIRST_WINDOW, LEVELS, join, join_products, levels_for, weigh
from trader_pipeline.features.compiled import njit

Float = npt.NDArray[np.float64]
Float32 = npt.NDArray[np.float32]
Flag = npt.NDArray[np.bool_]


@njit
def values(close_T: Float, volume_T: Float, skip: int, wanted_F: Flag, work_ALT: Float, out_FT: Float32) -> None:
    """Write what is wanted of MA, STD, BETA, RSQR, RESI, CORR, VMA, VSTD from session `skip` on."""
    count, share, weight, age, age_square = work_ALT[0], work_ALT[1], work_ALT[2], work_ALT[3], work_ALT[4]
    close, close_square, other, other_square, product = work_ALT[5], work_ALT[6], work_ALT[7], work_ALT[8], work_ALT[9]
    lines, pairs = levels_for(wanted_F, (BETA, RSQR, RESI)), levels_for(wanted_F, (CORR,))
    squares = max(pairs, levels_for(wanted_F, (STD, RSQR)))
    means = max(lines, squares, levels_for(wanted_F, (MA,)))
    for t in range(len(close_T)):
        known = not np.isnan(close_T[t])
        count[0, t] = 1.0 if known else 0.0
        age[0, t] = 0.0
        close[0, t] = close_T[t] if known else 0.0
    weigh(count[: max(means, levels_for(wanted_F, (VMA, VSTD)))], share, weight)
    join(age[:lines], age_square[:lines], share, weight, -1.0)
    join(close[:means], close_square[:squares], share, weight, 0.0)
    join_products(age, -1.0, close, weight, product[:lines])
    _lines(close_T[skip:], skip, wanted_F, work_ALT, out_FT)
    if pairs > 1:
        for t in range(len(close_T)):
            other[0, t] = math.log(volume_T[t] + 1.0) if count[0, t] > 0 else 0.0
    join(other[:pairs], other_square[:pairs], share, weight, 0.0)
    join_products(close, 0.0, other, weight, product[:pairs])
    for level in range(FIRST_WINDOW, LEVELS):
        w, xy, xx, yy = level - FIRST_WINDOW, product[level, skip:], close_square[level, skip:], other_square[level, skip:]
        if wanted_F[CORR + w]:
            formulas.correlation(xy, xx, yy, count[level, skip:], out_FT[CORR + w])
    _volumes(volume_T, skip, wanted_F, work_ALT, out_FT)


@njit
def _lines(now_T: Float, skip: int, wanted_F: Flag, work_ALT: Float, out_FT: Float32) -> None:
    """Write MA, STD, BETA, RSQR, RESI."""
    count, age, age_square, close, close_square, product = work_ALT[0], work_ALT[3], work_ALT[4], work_ALT[5], work_ALT[6], work_ALT[9]
    for level in range(FIRST_WINDOW, LEVELS):
        w, xy, xx, yy = level - FIRST_WINDOW, product[level, skip:], age_square[level, skip:], close_square[level, skip:]
        if wanted_F[MA + w]:
            formulas.mean(close[level, skip:], now_T, out_FT[MA + w])
        if wanted_F[STD + w]:
            formulas.deviation(yy, count[level, skip:], now_T, out_FT[STD + w])
        if wanted_F[BETA + w]:
            formulas.slope(xy, xx, now_T, out_FT[BETA + w])
        if wanted_F[RSQR + w]:
            formulas.fit(xy, xx, yy, count[level, skip:], out_FT[RSQR + w])
        if wanted_F[RESI + w]:
            formulas.residual(xy, xx, age[level, skip:], close[level, skip:], now_T, out_FT[RESI + w])


@njit
def _volumes(volume_T: Float, skip: int, wanted_F: Flag, work_ALT: Float, out_FT: Float32) -> None:
    """Write VMA, VSTD."""
    count, share, weight, other, other_square = work_ALT[0], work_ALT[1], work_ALT[2], work_ALT[7], work_ALT[8]
    over_T = volume_T[skip:]
    for t in range(len(volume_T)):
        other[0, t] = volume_T[t] if count[0, t] > 0 else 0.0
    squares = levels_for(wanted_F, (VSTD,))
    join(other[: max(squares, levels_for(wanted_F, (VMA,)))], other_square[:squares], share, weight, 0.0)
    for level in range(FIRST_WINDOW, LEVELS):
        w = level - FIRST_WINDOW
        if wanted_F[VMA + w]:
            formulas.mean(other[level, skip:], over_T, out_FT[VMA + w])
        if wanted_F[VSTD + w]:
            formulas.deviation(other_square[level, skip:], count[level, skip:], over_T, out_FT[VSTD + w])
