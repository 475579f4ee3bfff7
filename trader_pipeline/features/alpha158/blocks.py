"""Alpha158 of a block of tickers, stretch by stretch."""

import numpy as np
import numpy.typing as npt

from trader_pipeline.features.alpha158.kernel import FEATURES, LOOKBACK_SESSIONS, SCRATCH, stretch
from trader_pipeline.features.alpha158.windows import LEVELS
from trader_pipeline.features.compiled import _njit

Float = npt.NDArray[np.float64]
Float32 = npt.NDArray[np.float32]

_STRETCH_SESSIONS = 448
"""Short enough for a core's cache; a stretch reads its look-back anew."""


@_njit
def write_block(
    open_NT: Float, high_NT: Float, low_NT: Float, close_NT: Float, volume_NT: Float, vwap_NT: Float, emit: int, out_FNT: Float32
) -> None:
    """Write the features of the sessions from `emit` on into out [158, N, T - emit]."""
    tickers, sessions = close_NT.shape
    work = np.empty((SCRATCH, LEVELS, LOOKBACK_SESSIONS + _STRETCH_SESSIONS))
    written = np.empty((FEATURES, _STRETCH_SESSIONS), np.float32)
    for i in range(tickers):
        for start in range(emit, sessions, _STRETCH_SESSIONS):
            first, stop = max(0, start - LOOKBACK_SESSIONS), min(start + _STRETCH_SESSIONS, sessions)
            out_FT = written[:, : stop - start]
            stretch(
                open_NT[i, first:stop],
                high_NT[i, first:stop],
                low_NT[i, first:stop],
                close_NT[i, first:stop],
                volume_NT[i, first:stop],
                vwap_NT[i, first:stop],
                start - first,
                work[:, :, : stop - first],
                out_FT,
            )
            out_FNT[:, i, start - emit : stop - emit] = out_FT
