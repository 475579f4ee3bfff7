"""What one bar says of itself, and the closes of the past. A bar is known when all its figures are."""

import numpy as np
import numpy.typing as npt

from trader_pipeline.features.alpha158.formulas import TINY
from trader_pipeline.features.compiled import njit

Float = npt.NDArray[np.float64]
Float32 = npt.NDArray[np.float32]


@njit
def candle(open_T: Float, high_T: Float, low_T: Float, close_T: Float, vwap_T: Float, out_FT: Float32) -> None:
    """Write KMID, KLEN, KMID2, KUP, KUP2, KLOW, KLOW2, KSFT, KSFT2, OPEN0, HIGH0, LOW0, VWAP0."""
    for t in range(len(close_T)):
        opened, high, low, close = open_T[t], high_T[t], low_T[t], close_T[t]
        span, top, bottom = high - low + TINY, max(opened, close), min(opened, close)
        out_FT[0, t] = (close - opened) / opened
        out_FT[1, t] = (high - low) / opened
        out_FT[2, t] = (close - opened) / span
        out_FT[3, t] = (high - top) / opened
        out_FT[4, t] = (high - top) / span
        out_FT[5, t] = (bottom - low) / opened
        out_FT[6, t] = (bottom - low) / span
        out_FT[7, t] = (2 * close - high - low) / opened
        out_FT[8, t] = (2 * close - high - low) / span
        out_FT[9, t] = opened / close
        out_FT[10, t] = high / close
        out_FT[11, t] = low / close
        out_FT[12, t] = vwap_T[t] / close


@njit
def past(close_T: Float, sessions: int, skip: int, out_T: Float32) -> None:
    """Write the close of `sessions` before over the close, from session `skip` on."""
    for t in range(skip, len(close_T)):
        out_T[t - skip] = close_T[t - sessions] / close_T[t] if t >= sessions else np.nan
