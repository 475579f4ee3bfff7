"""Rolling and cross-sectional kernels on dense [ticker, session] float64 arrays, spread over threads by blocks of tickers.

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

import numpy as np
import numpy.typing as npt

from trader_pipeline.features import compiled, factor_loops

Float = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]

_SMALL_CELLS = 50_000
"""Arrays under this size are not worth a thread."""


def most_of(window: int) -> int:
    """Return the values that a window of `window` sessions needs: 80 %, rounded up."""
    return math.ceil(0.8 * window)


def window_mean(x_NT: Float, window: int, minimum: int | None = None) -> Float:
    """Return the mean of the `window` sessions ending at each one; of equal values exactly that value."""
    return _window(compiled.window_mean, x_NT, window, minimum)


def window_maximum(x_NT: Float, window: int, minimum: int | None = None) -> Float:
    """Return the largest value of the `window` sessions ending at each one."""
    return _window(compiled.window_maximum, x_NT, window, minimum)


def window_deviation(x_NT: Float, window: int, minimum: int | None = None) -> Float:
    """Return the standard deviation (n - 1) of the `window` sessions ending at each one; 0 where they are all equal."""
    return np.sqrt(_window(compiled.window_variance, x_NT, window, minimum))


def window_skewness(x_NT: Float, window: int, minimum: int | None = None) -> Float:
    """Return the third standardized moment (biased) of the `window` sessions ending at each one; NaN where they are all equal."""
    return _window(compiled.window_skewness, x_NT, window, minimum)


def window_exponential_mean(x_NT: Float, window: int, decay: float, minimum: int | None = None) -> Float:
    """Return the mean of the `window` sessions ending at each one with weights decay ** age, over the finite values."""
    out_NT = np.empty_like(x_NT)
    needed = minimum or most_of(window)
    _in_blocks(x_NT.shape, lambda block: compiled.window_exponential_mean(x_NT[block], window, decay, needed, out_NT[block]))
    return out_NT


def window_regression(y_NT: Float, x_MT: Float, window: int, minimum: int | None = None) -> tuple[Float, Float, Float]:
    """Return slope of y on x, its squared standard error, and their correlation over the pairs of each window.

    NaN where x is constant; the correlation also where y is.
    """
    out_NKT = np.empty((y_NT.shape[0], 3, y_NT.shape[1]))
    needed = minimum or most_of(window)

    def work(block: slice) -> None:
        compiled.window_regression(y_NT[block], x_MT if x_MT.shape[0] == 1 else x_MT[block], window, needed, out_NKT[block])

    _in_blocks(y_NT.shape, work)
    slope_NT, error_NT, correlation_NT = (np.ascontiguousarray(out_NKT[:, k]) for k in range(3))
    return slope_NT, error_NT, correlation_NT


def window_exposures(y_NT: Float, x_KT: Float, window: int, first: int) -> Float:
    """Return the slopes of y on all x together, an intercept beside them, and the residual deviation, [N, K + 1, T].

    Over the sessions of each window on which y and every x is finite, 80 % of it at least. `first` is the absolute number of the
    arrays' first session. NaN where an x is constant or a combination of others; 0 where y is constant.
    """
    out_NRT = np.empty((y_NT.shape[0], x_KT.shape[0] + 1, y_NT.shape[1]))
    needed = most_of(window)
    _in_blocks(y_NT.shape, lambda block: factor_loops.window_exposures(y_NT[block], x_KT, window, needed, first, out_NRT[block]))
    return out_NRT


def long_short(sort_NT: Float, return_NT: Float, minimum: int) -> Float:
    """Return what the third of the tickers with the highest sort of the session before earned beyond the lowest third, [1, T].

    Equal weights over those that have a return; NaN where a leg has fewer than `minimum` of them.
    """
    out_1T = np.empty((1, sort_NT.shape[1]))
    if out_1T.size:
        factor_loops.long_short(np.ascontiguousarray(sort_NT.T), np.ascontiguousarray(return_NT.T), minimum, out_1T[0])
    return out_1T


def growth(close_NT: Float, step_NT: Float, far: int, near: int = 0) -> Float:
    """Return the total return from the close of t - far to the close of t - near; `step_NT` reinvests dividends (1 where none)."""
    out_NT = np.empty_like(close_NT)
    _in_blocks(close_NT.shape, lambda block: compiled.growth(close_NT[block], step_NT[block], far, near, out_NT[block]))
    return out_NT


def holding_return(open_NT: Float, close_NT: Float, step_NT: Float, horizon: int) -> Float:
    """Return the total return from the open of t + 1 to the close of t + horizon; NaN where either is not known.

    A dividend whose ex-date is t + 1 is not earned by who buys at that open.
    """
    out_NT = np.empty_like(close_NT)
    _in_blocks(
        close_NT.shape, lambda block: compiled.holding_return(open_NT[block], close_NT[block], step_NT[block], horizon, out_NT[block])
    )
    return out_NT


def window_drawdown(close_NT: Float, step_NT: Float, window: int) -> Float:
    """Return the deepest fall from a running high inside each window, as a fraction <= 0, dividends reinvested."""
    out_NT = np.empty_like(close_NT)
    _in_blocks(
        close_NT.shape, lambda block: compiled.window_drawdown(close_NT[block], step_NT[block], window, most_of(window), out_NT[block])
    )
    return out_NT


def carried_forward(x_NT: Float, observed_NT: Index, maximum_age: int) -> Float:
    """Return the newest observation at each session, NaN once it is more than `maximum_age` sessions old.

    `x_NT` holds a value at the session at which it became known, `observed_NT` the session it speaks of; news of an
    older session never replaces that of a newer one.
    """
    out_NT = np.empty_like(x_NT)
    _in_blocks(x_NT.shape, lambda block: compiled.carried_forward(x_NT[block], observed_NT[block], maximum_age, out_NT[block]))
    return out_NT


def group_sums(x_NT: Float, group_NT: Index, groups: int) -> tuple[Float, Float]:
    """Return sum and count of the finite values of each group and session, [G, T]; group -1 is left out."""
    total_GT = np.zeros((groups, x_NT.shape[1]))
    count_GT = np.zeros((groups, x_NT.shape[1]))
    compiled.group_sums(x_NT, group_NT, total_GT, count_GT)
    return total_GT, count_GT


def group_largest(size_NT: Float, group_NT: Index, groups: int) -> Index:
    """Return the ticker of the largest finite size of each group and session, [G, T]; -1 where there is none; ties: the first."""
    largest_GT = np.full((groups, size_NT.shape[1]), -1, dtype=np.int64)
    compiled.group_largest(size_NT, group_NT, largest_GT)
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
