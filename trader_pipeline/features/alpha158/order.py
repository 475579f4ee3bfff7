"""Quantiles and the rank of the newest close, from a window that is kept sorted."""

import numpy as np
import numpy.typing as npt

from trader_pipeline.features.compiled import njit

Float = npt.NDArray[np.float64]
Float32 = npt.NDArray[np.float32]

_LANES = 8
"""The window's places are a multiple of it, so that a core compares them side by side."""


@njit
def order_statistics(close_T: Float, window: int, skip: int, upper_T: Float32, lower_T: Float32, rank_T: Float32) -> None:
    """Write the 0.8 and 0.2 quantiles (linear between values) over the close, and the close's mean rank as a share of the count.

    NaN closes are no values; the outputs begin at session `skip`, and say nothing of sessions without a close.
    """
    ordered = np.full((window + _LANES - 1) // _LANES * _LANES, np.inf)  # places without a value hold infinity
    n = 0
    for t in range(len(close_T)):
        close = close_T[t]
        gone = close_T[t - window] if t >= window else np.nan
        n += int(not np.isnan(close)) - int(not np.isnan(gone))
        below = _replace(ordered, np.inf if np.isnan(gone) else gone, np.inf if np.isnan(close) else close)
        if t >= skip and n > 0:
            above = below + 1
            while above < n and ordered[above] == close:
                above += 1
            upper_T[t - skip] = _quantile(ordered, n, 0.8) / close
            lower_T[t - skip] = _quantile(ordered, n, 0.2) / close
            rank_T[t - skip] = (below + 1 + above) * 0.5 / n


@njit
def _replace(ordered: Float, gone: float, come: float) -> int:
    """Put `come` into the place of `gone`, move what lies between by one, and return how many are below `come`."""
    before, after = 0, 0
    for k in range(len(ordered)):
        before += ordered[k] < gone
        after += ordered[k] < come
    if after > before:
        after -= 1
        for k in range(before, after):
            ordered[k] = ordered[k + 1]
    else:
        for k in range(before, after, -1):
            ordered[k] = ordered[k - 1]
    ordered[after] = come
    return after


@njit
def _quantile(ordered: Float, n: int, q: float) -> float:
    position = q * (n - 1)
    i = int(position)
    return float(ordered[i] + (ordered[i + 1] - ordered[i]) * (position - i)) if i + 1 < n else float(ordered[n - 1])
