"""Alpha158 of one stretch of one ticker's sessions.

Rows of the output are in Qlib's order: 9 of the candle, 4 price ratios, then 29 statistics over 5, 10, 20, 30, 60 sessions.
Legend: T sessions, L levels of windows, W the five windows, F = 158.
"""

import math

import numpy as np
import numpy.typing as npt

from trader_pipeline.features.alpha158.order import order_statistics
from trader_pipeline.features.alpha158.windows import FIRST_WINDOW, LEVELS, SIZES, add_up, highest, join, join_products, weigh
from trader_pipeline.features.compiled import _njit

Float = npt.NDArray[np.float64]
Float32 = npt.NDArray[np.float32]
Index = npt.NDArray[np.int64]

FEATURES = 158
LOOKBACK_SESSIONS = 60
"""The longest: a window of 60 changes, the first of which needs the close before."""
SCRATCH = 11
"""Arrays [L, T] that one stretch works in."""
_WINDOWS = 5
_STILL = 4e-10
"""Qlib's: a standard deviation up to 2e-5 is none."""
_TINY = 1e-12
(
    _ROC, _MA, _STD, _BETA, _RSQR, _RESI, _MAX, _MIN, _QTLU, _QTLD, _RANK, _RSV, _IMAX, _IMIN, _IMXD, _CORR, _CORD, _CNTP, _CNTN, _CNTD,
    _SUMP, _SUMN, _SUMD, _VMA, _VSTD, _WVMA, _VSUMP, _VSUMN, _VSUMD,
) = range(13, FEATURES, _WINDOWS)  # fmt: skip


@_njit
def stretch(
    open_T: Float, high_T: Float, low_T: Float, close_T: Float, volume_T: Float, vwap_T: Float, skip: int, work_WLT: Float, out_FT: Float32
) -> None:
    """Write all features of the sessions from `skip` on; the sessions before are read only. NaN in any input is a session without a bar."""
    known_T = np.isfinite(open_T + high_T + low_T + close_T + volume_T + vwap_T)
    close_T = np.where(known_T, close_T, np.nan)
    volume_T = np.where(known_T, volume_T, 0.0)
    _candle(open_T, high_T, low_T, close_T, vwap_T, skip, out_FT)
    for window in range(_WINDOWS):
        size = SIZES[FIRST_WINDOW + window]
        _past(close_T, size, skip, out_FT[_ROC + window])
        order_statistics(close_T, size, skip, out_FT[_QTLU + window], out_FT[_QTLD + window], out_FT[_RANK + window])
    first_WT = _first_bars(known_T)
    _extremes(high_T, low_T, close_T, known_T, first_WT, skip, work_WLT, out_FT)
    _levels_of_bars(close_T, volume_T, known_T, skip, work_WLT, out_FT)
    _changes(close_T, volume_T, first_WT, skip, work_WLT, out_FT)
    for t in range(skip, len(close_T)):
        if not known_T[t]:
            out_FT[:, t - skip] = np.nan


@_njit
def _candle(open_T: Float, high_T: Float, low_T: Float, close_T: Float, vwap_T: Float, skip: int, out_FT: Float32) -> None:
    for t in range(skip, len(close_T)):
        o, h, l, c, out_F = open_T[t], high_T[t], low_T[t], close_T[t], out_FT[:, t - skip]  # noqa: E741 - as the formulas name them
        span, top, bottom = h - l + _TINY, max(o, c), min(o, c)
        out_F[0] = (c - o) / o
        out_F[1] = (h - l) / o
        out_F[2] = (c - o) / span
        out_F[3] = (h - top) / o
        out_F[4] = (h - top) / span
        out_F[5] = (bottom - l) / o
        out_F[6] = (bottom - l) / span
        out_F[7] = (2 * c - h - l) / o
        out_F[8] = (2 * c - h - l) / span
        out_F[9] = o / c
        out_F[10] = h / c
        out_F[11] = l / c
        out_F[12] = vwap_T[t] / c


@_njit
def _past(close_T: Float, size: int, skip: int, out_T: Float32) -> None:
    for t in range(skip, len(close_T)):
        out_T[t - skip] = close_T[t - size] / close_T[t] if t >= size else np.nan


@_njit
def _first_bars(known_T: npt.NDArray[np.bool_]) -> Index:
    """Return the session of each window's first bar, [W, T]; where there is none, any."""
    sessions = len(known_T)
    next_T, coming = np.empty(sessions, np.int64), sessions - 1
    for t in range(sessions - 1, -1, -1):
        coming = t if known_T[t] else coming
        next_T[t] = coming
    first_WT = np.empty((_WINDOWS, sessions), np.int64)
    for window in range(_WINDOWS):
        size = SIZES[FIRST_WINDOW + window]
        for t in range(sessions):
            first_WT[window, t] = next_T[max(0, t - size + 1)]
    return first_WT


@_njit
def _extremes(
    high_T: Float,
    low_T: Float,
    close_T: Float,
    known_T: npt.NDArray[np.bool_],
    first_WT: Index,
    skip: int,
    work_WLT: Float,
    out_FT: Float32,
) -> None:
    """Write MAX, MIN, RSV and where the extremes stand: IMAX, IMIN, IMXD. A gap after the first bar stands for both, as in Qlib."""
    sessions = len(close_T)
    top_LT, top_at_LT, bottom_LT, bottom_at_LT = work_WLT[0], work_WLT[1], work_WLT[2], work_WLT[3]
    gap_T, gap = np.empty(sessions, np.int64), 2 * sessions
    for t in range(sessions - 1, -1, -1):
        gap = gap if known_T[t] else t
        gap_T[t] = gap
        top_LT[0, t] = high_T[t] if known_T[t] else -np.inf
        bottom_LT[0, t] = -low_T[t] if known_T[t] else -np.inf
    highest(top_LT, top_at_LT)
    highest(bottom_LT, bottom_at_LT)
    for window in range(_WINDOWS):
        level, size = FIRST_WINDOW + window, SIZES[FIRST_WINDOW + window]
        for t in range(skip, sessions):
            high, low, close = top_LT[level, t], -bottom_LT[level, t], close_T[t]
            out_FT[_MAX + window, t - skip] = high / close
            out_FT[_MIN + window, t - skip] = low / close
            out_FT[_RSV + window, t - skip] = (close - low) / (high - low + _TINY)
        for t in range(skip, sessions):
            first = first_WT[window, t]
            high_at, low_at = top_at_LT[level, t] - first + 1, bottom_at_LT[level, t] - first + 1
            if gap_T[first] <= t:
                high_at = low_at = float(gap_T[first] - first + 1)
            out_FT[_IMAX + window, t - skip] = high_at / size
            out_FT[_IMIN + window, t - skip] = low_at / size
            out_FT[_IMXD + window, t - skip] = (high_at - low_at) / size


@_njit
def _levels_of_bars(
    close_T: Float, volume_T: Float, known_T: npt.NDArray[np.bool_], skip: int, work_WLT: Float, out_FT: Float32
) -> None:
    """Write what closes and volumes themselves say: MA, STD, the regression on time, CORR, VMA, VSTD."""
    count, share, weight, age, age_square, close, close_square, other, other_square, product = (
        work_WLT[0], work_WLT[1], work_WLT[2], work_WLT[3], work_WLT[4], work_WLT[5], work_WLT[6], work_WLT[7], work_WLT[8], work_WLT[9],
    )  # fmt: skip
    for t in range(len(close_T)):
        count[0, t] = 1.0 if known_T[t] else 0.0
        age[0, t] = 0.0
        close[0, t] = close_T[t] if known_T[t] else 0.0
        other[0, t] = math.log(volume_T[t] + 1.0)
    weigh(count, share, weight)
    join(age, age_square, share, weight, -1.0)
    join(close, close_square, share, weight, 0.0)
    join_products(age, -1.0, close, weight, product)
    for window in range(_WINDOWS):
        level = FIRST_WINDOW + window
        _mean(close[level], close_T, skip, out_FT[_MA + window])
        _deviation(close_square[level], count[level], close_T, skip, out_FT[_STD + window])
        _slope(product[level], age_square[level], close_T, skip, out_FT[_BETA + window])
        _fit(product[level], age_square[level], close_square[level], count[level], skip, out_FT[_RSQR + window])
        _residual(product[level], age_square[level], age[level], close[level], close_T, skip, out_FT[_RESI + window])
    join(other, other_square, share, weight, 0.0)
    join_products(close, 0.0, other, weight, product)
    for window in range(_WINDOWS):
        level = FIRST_WINDOW + window
        _correlation(product[level], close_square[level], other_square[level], count[level], skip, out_FT[_CORR + window])
    other[0] = volume_T
    join(other, other_square, share, weight, 0.0)
    for window in range(_WINDOWS):
        level = FIRST_WINDOW + window
        _mean(other[level], volume_T, skip, out_FT[_VMA + window])
        _deviation(other_square[level], count[level], volume_T, skip, out_FT[_VSTD + window])


@_njit
def _changes(close_T: Float, volume_T: Float, first_WT: Index, skip: int, work_WLT: Float, out_FT: Float32) -> None:
    """Write what changes from the session before say: CNT, SUM, VSUM, WVMA, CORD. After a gap there is no change."""
    count, share, weight, move, move_square, other, other_square, product, turn, turn_square = (
        work_WLT[0], work_WLT[1], work_WLT[2], work_WLT[3], work_WLT[4], work_WLT[5], work_WLT[6], work_WLT[7], work_WLT[8], work_WLT[9],
    )  # fmt: skip
    up, down, more, less, rises, falls = work_WLT[3], work_WLT[4], work_WLT[5], work_WLT[6], work_WLT[7], work_WLT[8]
    for t in range(len(close_T)):
        change = close_T[t] - close_T[t - 1] if t > 0 else np.nan
        known = not np.isnan(change)
        turnover_change = volume_T[t] - volume_T[t - 1] if known else 0.0
        change = change if known else 0.0
        count[0, t] = 1.0 if known else 0.0
        up[0, t], down[0, t] = max(change, 0.0), max(-change, 0.0)
        more[0, t], less[0, t] = max(turnover_change, 0.0), max(-turnover_change, 0.0)
        rises[0, t], falls[0, t] = 1.0 if change > 0 else 0.0, 1.0 if change < 0 else 0.0
    weigh(count, share, weight)
    for sums_LT in (up, down, more, less, rises, falls):
        add_up(sums_LT)
    for window in range(_WINDOWS):
        level = FIRST_WINDOW + window
        _balance(up[level], down[level], count[level], skip, out_FT[_SUMP + window], out_FT[_SUMN + window], out_FT[_SUMD + window])
        _balance(more[level], less[level], count[level], skip, out_FT[_VSUMP + window], out_FT[_VSUMN + window], out_FT[_VSUMD + window])
        for t in range(skip, len(close_T)):
            sessions = t - first_WT[window, t] + 1
            out_FT[_CNTP + window, t - skip] = rises[level, t] / sessions
            out_FT[_CNTN + window, t - skip] = falls[level, t] / sessions
            out_FT[_CNTD + window, t - skip] = (rises[level, t] - falls[level, t]) / sessions
    for t in range(len(close_T)):
        move[0, t] = abs(close_T[t] / close_T[t - 1] - 1.0) * volume_T[t] if count[0, t] else 0.0
    join(move, move_square, share, weight, 0.0)
    for window in range(_WINDOWS):
        level = FIRST_WINDOW + window
        _variation(move_square[level], move[level], count[level], skip, out_FT[_WVMA + window])
    for t in range(len(close_T)):
        known = count[0, t] > 0 and volume_T[t - 1] > 0
        count[0, t] = 1.0 if known else 0.0
        other[0, t] = close_T[t] / close_T[t - 1] - 1.0 if known else 0.0
        turn[0, t] = math.log(volume_T[t] / volume_T[t - 1] + 1.0) if known else 0.0
    weigh(count, share, weight)
    join(other, other_square, share, weight, 0.0)
    join(turn, turn_square, share, weight, 0.0)
    join_products(other, 0.0, turn, weight, product)
    for window in range(_WINDOWS):
        level = FIRST_WINDOW + window
        _correlation(product[level], other_square[level], turn_square[level], count[level], skip, out_FT[_CORD + window])


@_njit
def _mean(mean_T: Float, over_T: Float, skip: int, out_T: Float32) -> None:
    for t in range(skip, len(mean_T)):
        out_T[t - skip] = mean_T[t] / over_T[t] if over_T[t] > 0 else np.nan


@_njit
def _deviation(square_T: Float, count_T: Float, over_T: Float, skip: int, out_T: Float32) -> None:
    for t in range(skip, len(square_T)):
        deviation = math.sqrt(square_T[t] / (count_T[t] - 1.0)) / over_T[t]
        out_T[t - skip] = deviation if count_T[t] > 1 and over_T[t] > 0 else np.nan


@_njit
def _slope(product_T: Float, age_square_T: Float, close_T: Float, skip: int, out_T: Float32) -> None:
    for t in range(skip, len(close_T)):
        out_T[t - skip] = product_T[t] / age_square_T[t] / close_T[t]


@_njit
def _fit(product_T: Float, age_square_T: Float, square_T: Float, count_T: Float, skip: int, out_T: Float32) -> None:
    for t in range(skip, len(square_T)):
        fit = product_T[t] * product_T[t] / (age_square_T[t] * square_T[t])
        out_T[t - skip] = fit if square_T[t] > _STILL * (count_T[t] - 1.0) else np.nan


@_njit
def _residual(product_T: Float, age_square_T: Float, age_T: Float, mean_T: Float, close_T: Float, skip: int, out_T: Float32) -> None:
    for t in range(skip, len(close_T)):
        slope = product_T[t] / age_square_T[t]
        out_T[t - skip] = (close_T[t] - mean_T[t] + slope * age_T[t]) / close_T[t]


@_njit
def _correlation(product_T: Float, x_square_T: Float, y_square_T: Float, count_T: Float, skip: int, out_T: Float32) -> None:
    for t in range(skip, len(product_T)):
        still = _STILL * (count_T[t] - 1.0)
        correlation = product_T[t] / math.sqrt(x_square_T[t] * y_square_T[t])
        out_T[t - skip] = correlation if min(x_square_T[t], y_square_T[t]) > still else np.nan


@_njit
def _variation(square_T: Float, mean_T: Float, count_T: Float, skip: int, out_T: Float32) -> None:
    for t in range(skip, len(square_T)):
        variation = math.sqrt(square_T[t] / (count_T[t] - 1.0)) / (mean_T[t] + _TINY)
        out_T[t - skip] = variation if count_T[t] > 1 else np.nan


@_njit
def _balance(
    gain_T: Float, loss_T: Float, count_T: Float, skip: int, gains_T: Float32, losses_T: Float32, difference_T: Float32
) -> None:
    """Write the shares of gains and of losses in all movement and their difference; 0 where nothing moved, NaN where nothing is known."""
    for t in range(skip, len(gain_T)):
        all_moves = gain_T[t] + loss_T[t] + _TINY if count_T[t] > 0 else np.nan
        gains_T[t - skip] = gain_T[t] / all_moves
        losses_T[t - skip] = loss_T[t] / all_moves
        difference_T[t - skip] = (gain_T[t] - loss_T[t]) / all_moves
