"""What changes of closes and volumes from session to session say. After a gap no change is known."""

import math

import numpy as np
import numpy.typing as npt

from trader_pipeline.features.alpha158 import formulas
from trader_pipeline.features.alpha158.rows import CNTD, CNTN, CNTP, CORD, SUMD, SUMN, SUMP, VSUMD, VSUMN, VSUMP, WVMA
from trader_pipeline.features.alpha158.windows import FIRST_WINDOW, LEVELS, add_up, join, join_products, weigh
from trader_pipeline.features.compiled import njit

Float = npt.NDArray[np.float64]
Float32 = npt.NDArray[np.float32]
Index = npt.NDArray[np.int64]


@njit
def changes(close_T: Float, volume_T: Float, first_WT: Index, skip: int, work_ALT: Float, out_FT: Float32) -> None:
    """Write CNT, SUM, VSUM, WVMA, CORD from session `skip` on; `first_WT` is the first bar of each window."""
    count, share, weight, move, move_square = work_ALT[0], work_ALT[1], work_ALT[2], work_ALT[3], work_ALT[4]
    turn, turn_square, product = work_ALT[5], work_ALT[6], work_ALT[7]
    price_T, shares_T = np.empty(len(close_T)), np.empty(len(close_T))
    price_T[0], shares_T[0] = np.nan, np.nan
    price_T[1:], shares_T[1:] = close_T[:-1], volume_T[:-1]
    for t in range(len(close_T)):
        count[0, t] = 0.0 if np.isnan(close_T[t] - price_T[t]) else 1.0
    weigh(count, share, weight)
    _balances(close_T, price_T, count, skip, work_ALT[3], work_ALT[4], out_FT, SUMP, SUMN, SUMD)
    _balances(volume_T, shares_T, count, skip, work_ALT[3], work_ALT[4], out_FT, VSUMP, VSUMN, VSUMD)
    _counts(close_T, price_T, first_WT, skip, work_ALT[3], work_ALT[4], out_FT)
    for t in range(len(close_T)):
        move[0, t] = abs(close_T[t] / price_T[t] - 1.0) * volume_T[t] if count[0, t] > 0 else 0.0
    join(move, move_square, share, weight, 0.0)
    for level in range(FIRST_WINDOW, LEVELS):
        formulas.variation(move_square[level, skip:], move[level, skip:], count[level, skip:], out_FT[WVMA + level - FIRST_WINDOW])
    for t in range(len(close_T)):
        known = count[0, t] > 0 and shares_T[t] > 0
        count[0, t] = 1.0 if known else 0.0
        move[0, t] = close_T[t] / price_T[t] - 1.0 if known else 0.0
        turn[0, t] = math.log(volume_T[t] / shares_T[t] + 1.0) if known else 0.0
    weigh(count, share, weight)
    join(move, move_square, share, weight, 0.0)
    join(turn, turn_square, share, weight, 0.0)
    join_products(move, 0.0, turn, weight, product)
    for level in range(FIRST_WINDOW, LEVELS):
        xy, xx, yy = product[level, skip:], move_square[level, skip:], turn_square[level, skip:]
        formulas.correlation(xy, xx, yy, count[level, skip:], out_FT[CORD + level - FIRST_WINDOW])


@njit
def _balances(
    x_T: Float,
    before_T: Float,
    count_LT: Float,
    skip: int,
    gain_LT: Float,
    loss_LT: Float,
    out_FT: Float32,
    gains: int,
    losses: int,
    differences: int,
) -> None:
    """Write the three shares of what x gains and loses into the rows that `gains`, `losses`, `differences` begin."""
    for t in range(len(x_T)):
        change = x_T[t] - before_T[t] if count_LT[0, t] > 0 else 0.0
        gain_LT[0, t], loss_LT[0, t] = max(change, 0.0), max(-change, 0.0)
    add_up(gain_LT)
    add_up(loss_LT)
    for level in range(FIRST_WINDOW, LEVELS):
        w = level - FIRST_WINDOW
        formulas.balance(
            gain_LT[level, skip:],
            loss_LT[level, skip:],
            count_LT[level, skip:],
            out_FT[gains + w],
            out_FT[losses + w],
            out_FT[differences + w],
        )


@njit
def _counts(close_T: Float, before_T: Float, first_WT: Index, skip: int, rise_LT: Float, fall_LT: Float, out_FT: Float32) -> None:
    """Write rises, falls and their difference as shares of the sessions since the window's first bar, gaps among them, as Qlib counts."""
    for t in range(len(close_T)):
        rise_LT[0, t] = 1.0 if close_T[t] > before_T[t] else 0.0
        fall_LT[0, t] = 1.0 if close_T[t] < before_T[t] else 0.0
    add_up(rise_LT)
    add_up(fall_LT)
    for level in range(FIRST_WINDOW, LEVELS):
        w = level - FIRST_WINDOW
        for t in range(skip, len(close_T)):
            sessions = float(t - first_WT[w, t] + 1)
            out_FT[CNTP + w, t - skip] = rise_LT[level, t] / sessions
            out_FT[CNTN + w, t - skip] = fall_LT[level, t] / sessions
            out_FT[CNTD + w, t - skip] = (rise_LT[level, t] - fall_LT[level, t]) / sessions
