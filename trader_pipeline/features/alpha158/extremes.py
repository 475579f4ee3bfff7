"""The highest high and the lowest low of each window, and where they stand.

Positions count from the window's first bar, 1; a gap after that stands for both extremes, as NumPy's argmax has it in Qlib.
"""

import numpy as np
import numpy.typing as npt

from trader_pipeline.features.alpha158.formulas import TINY
from trader_pipeline.features.alpha158.rows import IMAX, IMIN, IMXD, MAX, MIN, RSV
from trader_pipeline.features.alpha158.windows import FIRST_WINDOW, SIZES, highest, levels_for
from trader_pipeline.features.compiled import njit

Float = npt.NDArray[np.float64]
Float32 = npt.NDArray[np.float32]
Index = npt.NDArray[np.int64]
Flag = npt.NDArray[np.bool_]


@njit
def extremes(
    high_T: Float, low_T: Float, close_T: Float, first_WT: Index, skip: int, wanted_F: Flag, work_ALT: Float, out_FT: Float32
) -> None:
    """Write what is wanted of MAX, MIN, RSV, IMAX, IMIN, IMXD from session `skip` on; `first_WT` is the first bar of each window."""
    sessions = len(close_T)
    top_LT, top_at_LT, bottom_LT, bottom_at_LT = work_ALT[0], work_ALT[1], work_ALT[2], work_ALT[3]
    gap_T, gap = np.empty(sessions, np.int64), sessions
    for t in range(sessions - 1, -1, -1):
        known = not np.isnan(close_T[t])
        gap = gap if known else t
        gap_T[t] = gap
        top_LT[0, t] = high_T[t] if known else -np.inf
        bottom_LT[0, t] = -low_T[t] if known else -np.inf
    places = levels_for(wanted_F, (IMAX, IMIN, IMXD))
    levels = max(places, levels_for(wanted_F, (MAX, MIN, RSV)))
    highest(top_LT[:levels], top_at_LT[:places])
    highest(bottom_LT[:levels], bottom_at_LT[:places])
    for window in range(len(first_WT)):
        level = FIRST_WINDOW + window
        if wanted_F[MAX + window] or wanted_F[MIN + window] or wanted_F[RSV + window]:
            top_T, bottom_T = top_LT[level, skip:], bottom_LT[level, skip:]
            _ranges(top_T, bottom_T, close_T[skip:], out_FT[MAX + window], out_FT[MIN + window], out_FT[RSV + window])
        if not (wanted_F[IMAX + window] or wanted_F[IMIN + window] or wanted_F[IMXD + window]):
            continue
        for t in range(skip, sessions):
            first = first_WT[window, t]
            gap_at = float(gap_T[first])
            high_at, low_at = (gap_at, gap_at) if gap_at < t else (top_at_LT[level, t], bottom_at_LT[level, t])
            out_FT[IMAX + window, t - skip] = (high_at - first + 1) / SIZES[level]
            out_FT[IMIN + window, t - skip] = (low_at - first + 1) / SIZES[level]
            out_FT[IMXD + window, t - skip] = (high_at - low_at) / SIZES[level]


@njit
def _ranges(top_T: Float, bottom_T: Float, close_T: Float, max_T: Float32, min_T: Float32, rsv_T: Float32) -> None:
    for t in range(len(max_T)):
        max_T[t] = top_T[t] / close_T[t]
        min_T[t] = -bottom_T[t] / close_T[t]
        rsv_T[t] = (close_T[t] + bottom_T[t]) / (top_T[t] + bottom_T[t] + TINY)
