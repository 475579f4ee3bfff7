"""The loops behind factor returns and exposures, compiled by numba.

Sums over a window are a suffix of one block of `window` sessions plus a prefix of the next, blocks lying at fixed absolute sessions:
nothing is subtracted, so nothing drifts, and a value depends bitwise on its own window alone, wherever the arrays begin.

Legend: N tickers, T sessions, K factors, M sums of a window, R = K + 1 results.
"""

import math

import numpy as np
import numpy.typing as npt

from trader_pipeline.features.compiled import njit

Float = npt.NDArray[np.float64]

_CONSTANT = 1e-12
"""What rounding may leave of the variance of a constant, in units of its mean square."""
_COLLINEAR = 1e-10
"""The least part of a factor's variance that the factors before it may leave unexplained."""


@njit
def long_short(sort_TN: Float, return_TN: Float, minimum: int, out_T: Float) -> None:
    """Write the mean return of the highest third less that of the lowest, sorted the session before; tickers in order."""
    out_T[0] = np.nan
    for t in range(1, sort_TN.shape[0]):
        out_T[t] = np.nan
        known = sort_TN[t - 1][np.isfinite(sort_TN[t - 1])]
        third = len(known) // 3
        if third < minimum:
            continue
        low = np.partition(known, third - 1)[third - 1]
        high = np.partition(known, len(known) - third)[len(known) - third]
        longs, shorts, long_total, short_total = 0, 0, 0.0, 0.0
        for i in range(sort_TN.shape[1]):
            earned, value = return_TN[t, i], sort_TN[t - 1, i]
            if math.isfinite(earned) and value >= high:
                longs += 1
                long_total += earned
            elif math.isfinite(earned) and value <= low:
                shorts += 1
                short_total += earned
        if low < high and min(longs, shorts) >= minimum:
            out_T[t] = long_total / longs - short_total / shorts


@njit
def window_exposures(y_NT: Float, x_KT: Float, window: int, minimum: int, first: int, out_NRT: Float) -> None:  # noqa: PLR0917 - a loop
    """Write the slopes of y on all x and an intercept, and the deviation of what they leave; `first`: the array's absolute session."""
    factors, sessions = x_KT.shape
    known_T = np.ones(sessions, np.bool_)
    for k in range(factors):
        known_T &= np.isfinite(x_KT[k])
    count = 1 + (factors + 1) + (factors + 1) * (factors + 2) // 2
    for i in range(y_NT.shape[0]):
        block_WM, suffix_WM = np.zeros((window, count)), np.zeros((window + 1, count))
        prefix_M, sum_M, row = np.zeros(count), np.empty(count), np.empty(factors + 1)
        lower, spread = np.empty((factors + 1, factors + 1)), np.empty(factors + 1)
        for t in range(sessions):
            at = (first + t) % window
            if at == 0 and t > 0:
                for w in range(window - 1, -1, -1):
                    suffix_WM[w] = suffix_WM[w + 1] + block_WM[w]
                prefix_M[:] = 0.0
            block_WM[at] = 0.0
            if known_T[t] and math.isfinite(y_NT[i, t]):
                row[:factors], row[factors] = x_KT[:, t], y_NT[i, t]
                products(row, block_WM[at])
                prefix_M += block_WM[at]
            sum_M[:] = prefix_M
            sum_M += suffix_WM[at + 1]
            solve(sum_M, minimum, lower, spread, out_NRT[i, :, t])


@njit
def products(row: Float, out_M: Float) -> None:
    """Write 1, the values, and their products two by two."""
    out_M[0], place = 1.0, 1 + len(row)
    for j in range(len(row)):
        out_M[1 + j] = row[j]
        for k in range(j + 1):
            out_M[place] = row[j] * row[k]
            place += 1


@njit
def correlations(sum_M: Float, lower: Float, spread: Float) -> bool:
    """Write correlations and square roots of summed squares around the mean; say whether every factor varies."""
    place, values = 1 + len(spread), len(spread)
    for j in range(values):
        for k in range(j + 1):
            lower[j, k] = sum_M[place] - sum_M[1 + j] * sum_M[1 + k] / sum_M[0]
            place += 1
        spread[j] = math.sqrt(lower[j, j]) if lower[j, j] > _CONSTANT * sum_M[place - 1] else 0.0
    for j in range(values):
        for k in range(j + 1):
            lower[j, k] /= spread[j] * spread[k]
    return bool(spread[: values - 1].min() > 0.0)


@njit
def cholesky(lower: Float) -> bool:
    """Turn correlations into their root, in place, the dependent variable last; say whether no factor is made of others."""
    values = lower.shape[0]
    for j in range(values):
        for k in range(j + 1):
            for m in range(k):
                lower[j, k] -= lower[j, m] * lower[k, m]
            if k < j:
                lower[j, k] /= lower[k, k]
        if j < values - 1 and not lower[j, j] >= _COLLINEAR:
            return False
        lower[j, j] = math.sqrt(max(0.0, lower[j, j]))
    return True


@njit
def solve(sum_M: Float, minimum: int, lower: Float, spread: Float, out_R: Float) -> None:
    """Write slopes and residual deviation from the sums; NaN under `minimum` rows, or for a factor that is constant or made of others.

    What does not vary has no exposure: 0. `lower` [R, R] and `spread` [R] are overwritten.
    """
    values = len(out_R)
    out_R[:] = np.nan
    if sum_M[0] < max(minimum, values + 1) or not correlations(sum_M, lower, spread) or not cholesky(lower):
        return
    out_R[:] = 0.0
    last = values - 1
    if spread[last] == 0.0:
        return
    for j in range(last - 1, -1, -1):
        slope = lower[last, j]
        for m in range(j + 1, last):
            slope -= lower[m, j] * out_R[m]
        out_R[j] = slope / lower[j, j]
    for j in range(last):
        out_R[j] *= spread[last] / spread[j]
    out_R[last] = spread[last] * lower[last, last] / math.sqrt(sum_M[0] - values)
