"""Quantiles and the rank of the newest value, from a window that is kept sorted."""

import numpy as np
import numpy.typing as npt

from trader_pipeline.features.compiled import _njit

Float = npt.NDArray[np.float64]
Float32 = npt.NDArray[np.float32]


@_njit
def order_statistics(close_T: Float, window: int, skip: int, upper_T: Float32, lower_T: Float32, rank_T: Float32) -> None:
    """Write the 0.8 and 0.2 quantiles (linear between values) over the close, and the close's mean rank as a share of the count.

    NaN closes are no values; the outputs begin at session `skip`, and say nothing of sessions without a close.
    """
    ordered, n = np.empty(window), 0
    for t in range(len(close_T)):
        x = close_T[t]
        gone = close_T[t - window] if t >= window else np.nan
        if not np.isnan(gone):
            n = _put(ordered, n, gone, x)
        elif not np.isnan(x):
            n = _insert(ordered, n, x)
        if t >= skip and not np.isnan(x):
            upper_T[t - skip] = _quantile(ordered, n, 0.8) / x
            lower_T[t - skip] = _quantile(ordered, n, 0.2) / x
            below = _lower_bound(ordered, n, x)
            above = below + 1
            while above < n and ordered[above] == x:
                above += 1
            rank_T[t - skip] = (below + 1 + above) * 0.5 / n


@_njit
def _put(ordered: Float, n: int, gone: float, x: float) -> int:
    """Take `gone` out and put `x` in, unless that is NaN; return the count."""
    i = _lower_bound(ordered, n, gone)
    if np.isnan(x):
        for k in range(i, n - 1):
            ordered[k] = ordered[k + 1]
        return n - 1
    if x > gone:
        while i + 1 < n and ordered[i + 1] < x:
            ordered[i] = ordered[i + 1]
            i += 1
    else:
        while i > 0 and ordered[i - 1] > x:
            ordered[i] = ordered[i - 1]
            i -= 1
    ordered[i] = x
    return n


@_njit
def _insert(ordered: Float, n: int, x: float) -> int:
    i = n
    while i > 0 and ordered[i - 1] > x:
        ordered[i] = ordered[i - 1]
        i -= 1
    ordered[i] = x
    return n + 1


@_njit
def _lower_bound(ordered: Float, n: int, x: float) -> int:
    low = 0
    while n > 0:
        half = n >> 1
        if ordered[low + half] < x:
            low += half + 1
            n -= half + 1
        else:
            n = half
    return low


@_njit
def _quantile(ordered: Float, n: int, q: float) -> float:
    position = q * (n - 1)
    i = int(position)
    if i >= n - 1:
        return float(ordered[n - 1])
    return float(ordered[i] + (ordered[i + 1] - ordered[i]) * (position - i))
