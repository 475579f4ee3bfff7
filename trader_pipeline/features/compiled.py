"""The loops behind `kernels`, compiled by numba at first use and cached on disk. They write into arrays that the caller hands in.

Legend: N tickers, T sessions, M = 1 (one series for all tickers) or N, K results, G groups.
"""

import hashlib
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, cast

import numba as nb
import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]
Loop = TypeVar("Loop", bound=Callable[..., object])


def _cache_folder(configured: str, sources: Path) -> str:
    """Return a folder named by the text of all loops: numba itself looks at a loop's own file, not at those of the loops it calls."""
    texts = (path.read_bytes() for path in sorted(sources.rglob("*.py")))
    loops = hashlib.sha256(b"".join(text for text in texts if b"njit" in text)).hexdigest()[:12]
    return str(Path(configured or sources / "__pycache__") / loops)


nb.config.CACHE_DIR = _cache_folder(os.environ.get("NUMBA_CACHE_DIR", ""), Path(__file__).parent)  # type: ignore[attr-defined]


def njit(loop: Loop) -> Loop:
    """Compile a loop as all of ours are: cached on disk, without the GIL, no fastmath, division by zero as in numpy."""
    return cast("Loop", nb.njit(cache=True, nogil=True, error_model="numpy")(loop))


@njit
def finite_mean(x_T: Float, first: int, stop: int) -> tuple[int, float, bool]:
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


@njit
def window_mean(x_NT: Float, window: int, minimum: int, out_NT: Float) -> None:
    """Write the mean of each window."""
    for i in range(x_NT.shape[0]):
        for t in range(x_NT.shape[1]):
            n, mean, _ = finite_mean(x_NT[i], max(0, t - window + 1), t + 1)
            out_NT[i, t] = mean if n >= minimum else np.nan


@njit
def window_maximum(x_NT: Float, window: int, minimum: int, out_NT: Float) -> None:
    """Write the largest value of each window."""
    for i in range(x_NT.shape[0]):
        for t in range(x_NT.shape[1]):
            n, highest = 0, -np.inf
            for s in range(max(0, t - window + 1), t + 1):
                if np.isfinite(x_NT[i, s]):
                    n += 1
                    highest = max(highest, x_NT[i, s])
            out_NT[i, t] = highest if n >= minimum else np.nan


@njit
def window_variance(x_NT: Float, window: int, minimum: int, out_NT: Float) -> None:
    """Write the variance (n - 1) of each window."""
    for i in range(x_NT.shape[0]):
        for t in range(x_NT.shape[1]):
            first = max(0, t - window + 1)
            n, mean, same = finite_mean(x_NT[i], first, t + 1)
            out_NT[i, t] = np.nan
            if n >= max(minimum, 2):
                squares = 0.0
                for s in range(first, t + 1):
                    if np.isfinite(x_NT[i, s]):
                        squares += (x_NT[i, s] - mean) ** 2
                out_NT[i, t] = 0.0 if same else squares / (n - 1)


@njit
def window_skewness(x_NT: Float, window: int, minimum: int, out_NT: Float) -> None:
    """Write the third standardized moment of each window."""
    for i in range(x_NT.shape[0]):
        for t in range(x_NT.shape[1]):
            first = max(0, t - window + 1)
            n, mean, same = finite_mean(x_NT[i], first, t + 1)
            out_NT[i, t] = np.nan
            if n >= minimum and not same:
                squares, cubes = 0.0, 0.0
                for s in range(first, t + 1):
                    if np.isfinite(x_NT[i, s]):
                        squares += (x_NT[i, s] - mean) ** 2
                        cubes += (x_NT[i, s] - mean) ** 3
                out_NT[i, t] = (cubes / n) / (squares / n) ** 1.5


@njit
def window_exponential_mean(x_NT: Float, window: int, decay: float, minimum: int, out_NT: Float) -> None:
    """Write the mean of each window with weights decay ** age."""
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


@njit
def window_regression(y_NT: Float, x_MT: Float, window: int, minimum: int, out_NKT: Float) -> None:
    """Write slope, squared standard error and correlation of y on x, out [N, 3, T]."""
    for i in range(y_NT.shape[0]):
        j = i if x_MT.shape[0] > 1 else 0
        y_T, x_T = y_NT[i] + 0 * x_MT[j], x_MT[j] + 0 * y_NT[i]  # NaN in one is NaN in both
        for t in range(len(y_T)):
            first = max(0, t - window + 1)
            n, mean_x, same_x = finite_mean(x_T, first, t + 1)
            n, mean_y, same_y = finite_mean(y_T, first, t + 1)
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


@njit
def growth(close_NT: Float, step_NT: Float, far: int, near: int, out_NT: Float) -> None:
    """Write close to close total returns."""
    for i in range(close_NT.shape[0]):
        for t in range(close_NT.shape[1]):
            if t < far:
                out_NT[i, t] = np.nan
                continue
            shares = 1.0
            for s in range(t - far + 1, t - near + 1):
                shares *= step_NT[i, s]
            out_NT[i, t] = close_NT[i, t - near] / close_NT[i, t - far] * shares - 1.0


@njit
def holding_return(open_NT: Float, close_NT: Float, step_NT: Float, horizon: int, out_NT: Float) -> None:
    """Write open to close total returns of the future."""
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


@njit
def window_drawdown(close_NT: Float, step_NT: Float, window: int, minimum: int, out_NT: Float) -> None:
    """Write the deepest fall from a high inside each window."""
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


@njit
def carried_forward(x_NT: Float, observed_NT: Index, maximum_age: int, out_NT: Float) -> None:
    """Write the newest observation, until it is too old."""
    for i in range(x_NT.shape[0]):
        value, observed = np.nan, -1
        for t in range(x_NT.shape[1]):
            if np.isfinite(x_NT[i, t]) and observed_NT[i, t] >= observed:
                value, observed = x_NT[i, t], observed_NT[i, t]
            out_NT[i, t] = value if t - observed <= maximum_age else np.nan


@njit
def group_sums(x_NT: Float, group_NT: Index, total_GT: Float, count_GT: Float) -> None:
    """Add up each group and session, tickers in order."""
    for i in range(x_NT.shape[0]):
        for t in range(x_NT.shape[1]):
            group = group_NT[i, t]
            if group >= 0 and np.isfinite(x_NT[i, t]):
                total_GT[group, t] += x_NT[i, t]
                count_GT[group, t] += 1.0


@njit
def group_largest(size_NT: Float, group_NT: Index, largest_GT: Index) -> None:
    """Write the ticker of the largest size of each group and session."""
    for i in range(size_NT.shape[0]):
        for t in range(size_NT.shape[1]):
            group = group_NT[i, t]
            if group >= 0 and np.isfinite(size_NT[i, t]):
                leader = largest_GT[group, t]
                if leader < 0 or size_NT[i, t] > size_NT[leader, t]:
                    largest_GT[group, t] = i
