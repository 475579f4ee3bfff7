"""Rolling and cross-sectional kernels on dense [ticker, session] float64 arrays, compiled by numba and cached on disk.

NaN policy: a window counts its finite values and is NaN under `minimum` of them; nothing is filled.
Truncation: every window is recomputed from its own values in session order, so a value depends bitwise on its
look-back alone; sums over tickers run in ticker order, so a ticker without a value changes nothing. No BLAS, no fastmath.
Constant windows are found by minimum == maximum, never by dividing by what rounding left.

Legend: N tickers, T sessions, M = 1 (one series for all tickers) or N, G groups.
"""

import math
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar, cast

import numba as nb
import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]
Kernel = TypeVar("Kernel", bound=Callable[..., object])

_SMALL_CELLS = 50_000
"""Arrays under this size are not worth a thread."""


def _compiled(kernel: Kernel) -> Kernel:
    return cast("Kernel", nb.njit(cache=True, nogil=True, error_model="numpy")(kernel))


def most_of(window: int) -> int:
    """Return the values that a window of `window` sessions needs: 80 %, rounded up."""
    return math.ceil(0.8 * window)


def window_mean(x_NT: Float, window: int, minimum: int | None = None) -> Float:
    """Return the mean of the `window` sessions ending at each one; of equal values exactly that value."""
    return _window(_window_mean, x_NT, window, minimum)


def window_maximum(x_NT: Float, window: int, minimum: int | None = None) -> Float:
    """Return the largest value of the `window` sessions ending at each one."""
    return _window(_window_maximum, x_NT, window, minimum)


def window_deviation(x_NT: Float, window: int, minimum: int | None = None) -> Float:
    """Return the standard deviation (n - 1) of the `window` sessions ending at each one; 0 where they are all equal."""
    return np.sqrt(_window(_window_variance, x_NT, window, minimum))


def window_skewness(x_NT: Float, window: int, minimum: int | None = None) -> Float:
    """Return the third standardized moment (biased) of the `window` sessions ending at each one; NaN where they are all equal."""
    return _window(_window_skewness, x_NT, window, minimum)


def window_exponential_mean(x_NT: Float, window: int, decay: float, minimum: int | None = None) -> Float:
    """Return the mean of the `window` sessions ending at each one with weights decay ** age, over the finite values."""
    out_NT = np.empty_like(x_NT)
    needed = minimum or most_of(window)
    _in_blocks(x_NT.shape, lambda block: _window_exponential_mean(x_NT[block], window, decay, needed, out_NT[block]))
    return out_NT


def window_regression(y_NT: Float, x_MT: Float, window: int, minimum: int | None = None) -> tuple[Float, Float, Float]:
    """Return slope of y on x, its squared standard error, and their correlation over the pairs of each window.

    NaN where x is constant; the correlation also where y is.
    """
    out_NKT = np.empty((y_NT.shape[0], 3, y_NT.shape[1]))
    needed = minimum or most_of(window)

    def work(block: slice) -> None:
        _window_regression(y_NT[block], x_MT if x_MT.shape[0] == 1 else x_MT[block], window, needed, out_NKT[block])

    _in_blocks(y_NT.shape, work)
    slope_NT, error_NT, correlation_NT = (np.ascontiguousarray(out_NKT[:, k]) for k in range(3))
    return slope_NT, error_NT, correlation_NT


def growth(close_NT: Float, step_NT: Float, far: int, near: int = 0) -> Float:
    """Return the total return from the close of t - far to the close of t - near; `step_NT` reinvests dividends (1 where none)."""
    out_NT = np.empty_like(close_NT)
    _in_blocks(close_NT.shape, lambda block: _growth(close_NT[block], step_NT[block], far, near, out_NT[block]))
    return out_NT


def holding_return(open_NT: Float, close_NT: Float, step_NT: Float, horizon: int) -> Float:
    """Return the total return from the open of t + 1 to the close of t + horizon; NaN where either is not known.

    A dividend whose ex-date is t + 1 is not earned by who buys at that open.
    """
    out_NT = np.empty_like(close_NT)
    _in_blocks(close_NT.shape, lambda block: _holding_return(open_NT[block], close_NT[block], step_NT[block], horizon, out_NT[block]))
    return out_NT


def window_drawdown(close_NT: Float, step_NT: Float, window: int) -> Float:
    """Return the deepest fall from a running high inside each window, as a fraction <= 0, dividends reinvested."""
    out_NT = np.empty_like(close_NT)
    _in_blocks(close_NT.shape, lambda block: _window_drawdown(close_NT[block], step_NT[block], window, most_of(window), out_NT[block]))
    return out_NT


def carried_forward(x_NT: Float, observed_NT: Index, maximum_age: int) -> Float:
    """Return the newest observation at each session, NaN once it is more than `maximum_age` sessions old.

    `x_NT` holds a value at the session at which it became known, `observed_NT` the session it speaks of; news of an
    older session never replaces that of a newer one.
    """
    out_NT = np.empty_like(x_NT)
    _in_blocks(x_NT.shape, lambda block: _carried_forward(x_NT[block], observed_NT[block], maximum_age, out_NT[block]))
    return out_NT


def group_sums(x_NT: Float, group_NT: Index, groups: int) -> tuple[Float, Float]:
    """Return sum and count of the finite values of each group and session, [G, T]; group -1 is left out."""
    total_GT = np.zeros((groups, x_NT.shape[1]))
    count_GT = np.zeros((groups, x_NT.shape[1]))
    _group_sums(x_NT, group_NT, total_GT, count_GT)
    return total_GT, count_GT


def group_largest(size_NT: Float, group_NT: Index, groups: int) -> Index:
    """Return the ticker of the largest finite size of each group and session, [G, T]; -1 where there is none; ties: the first."""
    largest_GT = np.full((groups, size_NT.shape[1]), -1, dtype=np.int64)
    _group_largest(size_NT, group_NT, largest_GT)
    return largest_GT


def _window(kernel: Callable[[Float, int, int, Float], None], x_NT: Float, window: int, minimum: int | None) -> Float:
    out_NT = np.empty_like(x_NT)
    needed = minimum or most_of(window)
    _in_blocks(x_NT.shape, lambda block: kernel(x_NT[block], window, needed, out_NT[block]))
    return out_NT


def _in_blocks(shape: tuple[int, ...], work: Callable[[slice], None]) -> None:
    """Run `work` on blocks of tickers, one a thread; kernels release the GIL and write disjoint rows."""
    tickers = shape[0]
    workers = 1 if tickers * shape[1] < _SMALL_CELLS else min(os.cpu_count() or 1, tickers)
    blocks = [slice(tickers * k // workers, tickers * (k + 1) // workers) for k in range(workers)]
    if workers == 1:
        work(blocks[0])
        return
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(work, blocks))


@_compiled
def _mean(x_T: Float, first: int, stop: int) -> tuple[int, float, bool]:
    """Return count, mean and whether all finite values are the same; the mean of equal values is exactly that value."""
    n, total, lowest, highest = 0, 0.0, np.inf, -np.inf
    for s in range(first, stop):
        if np.isfinite(x_T[s]):
            n += 1
            total += x_T[s]
            lowest = min(lowest, x_T[s])
            highest = max(highest, x_T[s])
    if n == 0:
        return 0, np.nan, True
    return n, (lowest if lowest == highest else total / n), lowest == highest


@_compiled
def _window_mean(x_NT: Float, window: int, minimum: int, out_NT: Float) -> None:
    for i in range(x_NT.shape[0]):
        for t in range(x_NT.shape[1]):
            n, mean, _ = _mean(x_NT[i], max(0, t - window + 1), t + 1)
            out_NT[i, t] = mean if n >= minimum else np.nan


@_compiled
def _window_maximum(x_NT: Float, window: int, minimum: int, out_NT: Float) -> None:
    for i in range(x_NT.shape[0]):
        for t in range(x_NT.shape[1]):
            n, highest = 0, -np.inf
            for s in range(max(0, t - window + 1), t + 1):
                if np.isfinite(x_NT[i, s]):
                    n += 1
                    highest = max(highest, x_NT[i, s])
            out_NT[i, t] = highest if n >= minimum else np.nan


@_compiled
def _window_variance(x_NT: Float, window: int, minimum: int, out_NT: Float) -> None:
    for i in range(x_NT.shape[0]):
        for t in range(x_NT.shape[1]):
            first = max(0, t - window + 1)
            n, mean, same = _mean(x_NT[i], first, t + 1)
            out_NT[i, t] = np.nan
            if n >= max(minimum, 2):
                squares = 0.0
                for s in range(first, t + 1):
                    if np.isfinite(x_NT[i, s]):
                        squares += (x_NT[i, s] - mean) ** 2
                out_NT[i, t] = 0.0 if same else squares / (n - 1)


@_compiled
def _window_skewness(x_NT: Float, window: int, minimum: int, out_NT: Float) -> None:
    for i in range(x_NT.shape[0]):
        for t in range(x_NT.shape[1]):
            first = max(0, t - window + 1)
            n, mean, same = _mean(x_NT[i], first, t + 1)
            out_NT[i, t] = np.nan
            if n >= minimum and not same:
                squares, cubes = 0.0, 0.0
                for s in range(first, t + 1):
                    if np.isfinite(x_NT[i, s]):
                        squares += (x_NT[i, s] - mean) ** 2
                        cubes += (x_NT[i, s] - mean) ** 3
                out_NT[i, t] = (cubes / n) / (squares / n) ** 1.5


@_compiled
def _window_exponential_mean(x_NT: Float, window: int, decay: float, minimum: int, out_NT: Float) -> None:
    for i in range(x_NT.shape[0]):
        for t in range(x_NT.shape[1]):
            n, total, weights, weight = 0, 0.0, 0.0, 1.0
            for s in range(t, max(-1, t - window), -1):
                value = x_NT[i, s]
                if np.isfinite(value):
                    n += 1
                    total += weight * value
                    weights += weight
                weight *= decay
            out_NT[i, t] = total / weights if n >= minimum else np.nan


@_compiled
def _window_regression(y_NT: Float, x_MT: Float, window: int, minimum: int, out_NKT: Float) -> None:
    for i in range(y_NT.shape[0]):
        j = i if x_MT.shape[0] > 1 else 0
        y_T, x_T = y_NT[i] + 0 * x_MT[j], x_MT[j] + 0 * y_NT[i]  # NaN in one is NaN in both
        for t in range(len(y_T)):
            first = max(0, t - window + 1)
            n, mean_x, same_x = _mean(x_T, first, t + 1)
            n, mean_y, same_y = _mean(y_T, first, t + 1)
            out_NKT[i, :, t] = np.nan
            if n < max(minimum, 3) or same_x:
                continue
            xx, xy, yy = 0.0, 0.0, 0.0
            for s in range(first, t + 1):
                if np.isfinite(x_T[s]):
                    xx += (x_T[s] - mean_x) ** 2
                    xy += (x_T[s] - mean_x) * (y_T[s] - mean_y)
                    yy += (y_T[s] - mean_y) ** 2
            out_NKT[i, 0, t] = xy / xx
            out_NKT[i, 1, t] = max(0.0, yy - xy * xy / xx) / (n - 2) / xx
            if not same_y:
                out_NKT[i, 2, t] = max(-1.0, min(1.0, xy / math.sqrt(xx * yy)))


@_compiled
def _growth(close_NT: Float, step_NT: Float, far: int, near: int, out_NT: Float) -> None:
    for i in range(close_NT.shape[0]):
        for t in range(close_NT.shape[1]):
            if t < far:
                out_NT[i, t] = np.nan
                continue
            shares = 1.0
            for s in range(t - far + 1, t - near + 1):
                shares *= step_NT[i, s]
            out_NT[i, t] = close_NT[i, t - near] / close_NT[i, t - far] * shares - 1.0


@_compiled
def _holding_return(open_NT: Float, close_NT: Float, step_NT: Float, horizon: int, out_NT: Float) -> None:
    sessions = close_NT.shape[1]
    for i in range(close_NT.shape[0]):
        for t in range(sessions):
            if t + horizon >= sessions:
                out_NT[i, t] = np.nan
                continue
            shares = 1.0
            for s in range(t + 2, t + horizon + 1):
                shares *= step_NT[i, s]
            out_NT[i, t] = close_NT[i, t + horizon] / open_NT[i, t + 1] * shares - 1.0


@_compiled
def _window_drawdown(close_NT: Float, step_NT: Float, window: int, minimum: int, out_NT: Float) -> None:
    for i in range(close_NT.shape[0]):
        for t in range(close_NT.shape[1]):
            n, shares, peak, deepest = 0, 1.0, 0.0, 0.0
            first = max(0, t - window + 1)
            for s in range(first, t + 1):
                if s > first:
                    shares *= step_NT[i, s]
                wealth = close_NT[i, s] * shares
                if np.isfinite(wealth):
                    n += 1
                    peak = max(peak, wealth)
                    deepest = min(deepest, wealth / peak - 1.0)
            out_NT[i, t] = deepest if n >= minimum else np.nan


@_compiled
def _carried_forward(x_NT: Float, observed_NT: Index, maximum_age: int, out_NT: Float) -> None:
    for i in range(x_NT.shape[0]):
        value, observed = np.nan, -1
        for t in range(x_NT.shape[1]):
            if np.isfinite(x_NT[i, t]) and observed_NT[i, t] >= observed:
                value, observed = x_NT[i, t], observed_NT[i, t]
            out_NT[i, t] = value if t - observed <= maximum_age else np.nan


@_compiled
def _group_sums(x_NT: Float, group_NT: Index, total_GT: Float, count_GT: Float) -> None:
    for i in range(x_NT.shape[0]):
        for t in range(x_NT.shape[1]):
            group = group_NT[i, t]
            if group >= 0 and np.isfinite(x_NT[i, t]):
                total_GT[group, t] += x_NT[i, t]
                count_GT[group, t] += 1.0


@_compiled
def _group_largest(size_NT: Float, group_NT: Index, largest_GT: Index) -> None:
    for i in range(size_NT.shape[0]):
        for t in range(size_NT.shape[1]):
            group = group_NT[i, t]
            if group >= 0 and np.isfinite(size_NT[i, t]):
                leader = largest_GT[group, t]
                if leader < 0 or size_NT[i, t] > size_NT[leader, t]:
                    largest_GT[group, t] = i
