"""Alpha158 of a block of tickers, stretch by stretch of sessions."""

import numpy as np
import numpy.typing as npt

from trader_pipeline.features.alpha158.candle import candle, past
from trader_pipeline.features.alpha158.changes import changes
from trader_pipeline.features.alpha158.extremes import extremes
from trader_pipeline.features.alpha158.order import order_statistics
from trader_pipeline.features.alpha158.rows import CORD, CORR, COUNT, IMAX, MA, MAX, QTLD, QTLU, RANK, ROC, RSV, VMA, WINDOWS, WVMA
from trader_pipeline.features.alpha158.values import values
from trader_pipeline.features.alpha158.windows import LEVELS
from trader_pipeline.features.compiled import njit

Flag = npt.NDArray[np.bool_]
Float = npt.NDArray[np.float64]
Float32 = npt.NDArray[np.float32]
Index = npt.NDArray[np.int64]
Bars = tuple[Float, Float, Float, Float, Float, Float]
"""Open, high, low, close, volume, vwap."""

LOOKBACK_SESSIONS = 60
"""The longest: a window of 60 changes, the first of which needs the close before."""
_STRETCH_SESSIONS = 896
"""So that what a stretch works in stays in a core's cache; each reads its look-back anew."""
_ARRAYS = 10


@njit
def write_block(bars: Bars, rows: Index, emit: int, first_ticker: int, stop_ticker: int, out_FNT: Float32) -> None:
    """Write the features `rows` of some tickers and the sessions from `emit` on into out [F, N, T - emit]; see `alpha158`."""
    open_NT, high_NT, low_NT, close_NT, volume_NT, vwap_NT = bars
    work = np.empty(_ARRAYS * LEVELS * (LOOKBACK_SESSIONS + _STRETCH_SESSIONS))
    wanted_F = np.zeros(COUNT, np.bool_)
    for row in rows:
        wanted_F[row] = True
    written = np.empty(COUNT * _STRETCH_SESSIONS, np.float32)
    for i in range(first_ticker, stop_ticker):
        for start in range(emit, close_NT.shape[1], _STRETCH_SESSIONS):
            first, stop = max(0, start - LOOKBACK_SESSIONS), min(start + _STRETCH_SESSIONS, close_NT.shape[1])
            work_ALT = work[: _ARRAYS * LEVELS * (stop - first)].reshape(_ARRAYS, LEVELS, stop - first)
            out_FT = written[: COUNT * (stop - start)].reshape(COUNT, stop - start)
            known_T = _stretch(
                open_NT[i, first:stop],
                high_NT[i, first:stop],
                low_NT[i, first:stop],
                close_NT[i, first:stop],
                volume_NT[i, first:stop],
                vwap_NT[i, first:stop],
                start - first,
                wanted_F,
                work_ALT,
                out_FT,
            )
            for k in range(len(rows)):
                found_T, target_T = out_FT[rows[k]], out_FNT[k, i, start - emit : stop - emit]
                for t in range(stop - start):
                    target_T[t] = found_T[t] if known_T[t] else np.float32(np.nan)


@njit
def _stretch(
    open_T: Float,
    high_T: Float,
    low_T: Float,
    close_T: Float,
    volume_T: Float,
    vwap_T: Float,
    skip: int,
    wanted_F: Flag,
    work_ALT: Float,
    out_FT: Float32,
) -> Flag:
    """Write what is wanted of the sessions from `skip` on, and what comes with it; return which of them have a bar."""
    known_T = np.isfinite(open_T + high_T + low_T + close_T + volume_T + vwap_T)
    close_T = np.where(known_T, close_T, np.nan)
    moves = wanted_F[CORD:VMA].any() or wanted_F[WVMA:].any()
    first_WT = _first_bars(known_T) if moves or wanted_F[IMAX:CORR].any() else np.empty((len(WINDOWS), 0), np.int64)
    candle(open_T[skip:], high_T[skip:], low_T[skip:], close_T[skip:], vwap_T[skip:], wanted_F, out_FT)
    for w in range(len(WINDOWS)):
        if wanted_F[ROC + w]:
            past(close_T, WINDOWS[w], skip, out_FT[ROC + w])
        if wanted_F[QTLU + w] or wanted_F[QTLD + w] or wanted_F[RANK + w]:
            order_statistics(close_T, WINDOWS[w], skip, out_FT[QTLU + w], out_FT[QTLD + w], out_FT[RANK + w])
    if wanted_F[MAX:QTLU].any() or wanted_F[RSV:CORR].any():
        extremes(high_T, low_T, close_T, first_WT, skip, wanted_F, work_ALT, out_FT)
    if wanted_F[MA:MAX].any() or wanted_F[CORR:CORD].any() or wanted_F[VMA:WVMA].any():
        values(close_T, volume_T, skip, wanted_F, work_ALT, out_FT)
    if moves:
        changes(close_T, volume_T, first_WT, skip, work_ALT, out_FT)
    return known_T[skip:]


@njit
def _first_bars(known_T: npt.NDArray[np.bool_]) -> Index:
    """Return the session of each window's first bar, [W, T]; any where the newest session has none."""
    sessions = len(known_T)
    next_T, coming = np.empty(sessions, np.int64), sessions - 1
    for t in range(sessions - 1, -1, -1):
        coming = t if known_T[t] else coming
        next_T[t] = coming
    first_WT = np.empty((len(WINDOWS), sessions), np.int64)
    for w in range(len(WINDOWS)):
        for t in range(sessions):
            first_WT[w, t] = next_T[max(0, t - WINDOWS[w] + 1)]
    return first_WT
