"""What one bar says of itself, and the closes of the past. A bar is known when all its figures are."""

import numpy as np
import numpy.typing as npt

from trader_pipeline.features.alpha158.formulas import TINY
from trader_pipeline.features.alpha158.rows import CANDLE
from trader_pipeline.features.compiled import njit

Flag = npt.NDArray[np.bool_]
Float = npt.NDArray[np.float64]
Float32 = npt.NDArray[np.float32]


@njit
def candle(open_T: Float, high_T: Float, low_T: Float, close_T: Float, vwap_T: Float, wanted_F: Flag, out_FT: Float32) -> None:
    """Write what is wanted of KMID, KLEN, KMID2, KUP, KUP2, KLOW, KLOW2, KSFT, KSFT2, OPEN0, HIGH0, LOW0, VWAP0."""
    derived = np.zeros((5, len(close_T)))
    top_T, bottom_T, span_T, twice_T, nothing_T = derived[0], derived[1], derived[2], derived[3], derived[4]
    for t in range(len(close_T)):
        top_T[t] = max(open_T[t], close_T[t])
    for t in range(len(close_T)):
        bottom_T[t] = min(open_T[t], close_T[t])
    for t in range(len(close_T)):
        span_T[t] = high_T[t] - low_T[t] + TINY
    for t in range(len(close_T)):
        twice_T[t] = 2 * close_T[t] - high_T[t]
    quotients = (
        (close_T, open_T, open_T),
        (high_T, low_T, open_T),
        (close_T, open_T, span_T),
        (high_T, top_T, open_T),
        (high_T, top_T, span_T),
        (bottom_T, low_T, open_T),
        (bottom_T, low_T, span_T),
        (twice_T, low_T, open_T),
        (twice_T, low_T, span_T),
        (open_T, nothing_T, close_T),
        (high_T, nothing_T, close_T),
        (low_T, nothing_T, close_T),
        (vwap_T, nothing_T, close_T),
    )
    for row in range(CANDLE):
        if wanted_F[row]:
            upper_T, lower_T, over_T = quotients[row]
            _quotient(upper_T, lower_T, over_T, out_FT[row])


@njit
def _quotient(upper_T: Float, lower_T: Float, over_T: Float, out_T: Float32) -> None:
    for t in range(len(out_T)):
        out_T[t] = (upper_T[t] - lower_T[t]) / over_T[t]


@njit
def past(close_T: Float, sessions: int, skip: int, out_T: Float32) -> None:
    """Write the close of `sessions` before over the close, from session `skip` on."""
    for t in range(skip, len(close_T)):
        out_T[t - skip] = close_T[t - sessions] / close_T[t] if t >= sessions else np.nan
