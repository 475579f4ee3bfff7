"""Features of one window from its statistics: counts, means, sums of squared deviations and of their products."""

import math

import numpy as np
import numpy.typing as npt

from trader_pipeline.features.compiled import njit

Float = npt.NDArray[np.float64]
Float32 = npt.NDArray[np.float32]

TINY = 1e-12
"""Qlib's guard of quotients whose divisor may be 0."""
STILL = 4e-10
"""Qlib's: a standard deviation up to 2e-5 is none."""


@njit
def mean(mean_T: Float, over_T: Float, out_T: Float32) -> None:
    """Write the mean as a multiple of the newest value; NaN where that is 0."""
    for t in range(len(out_T)):
        out_T[t] = mean_T[t] / over_T[t] if over_T[t] > 0 else np.nan


@njit
def deviation(square_T: Float, count_T: Float, over_T: Float, out_T: Float32) -> None:
    """Write the standard deviation (n - 1) as a multiple of the newest value; NaN where that is 0 and for one value."""
    for t in range(len(out_T)):
        multiple = math.sqrt(square_T[t] / (count_T[t] - 1.0)) / over_T[t]
        out_T[t] = multiple if count_T[t] > 1 and over_T[t] > 0 else np.nan


@njit
def variation(square_T: Float, mean_T: Float, count_T: Float, out_T: Float32) -> None:
    """Write the standard deviation (n - 1) as a multiple of the mean; NaN for less than two values."""
    for t in range(len(out_T)):
        multiple = math.sqrt(square_T[t] / (count_T[t] - 1.0)) / (mean_T[t] + TINY)
        out_T[t] = multiple if count_T[t] > 1 else np.nan


@njit
def slope(product_T: Float, age_square_T: Float, close_T: Float, out_T: Float32) -> None:
    """Write the slope on time as a multiple of the close; NaN for one value."""
    for t in range(len(out_T)):
        out_T[t] = product_T[t] / age_square_T[t] / close_T[t]


@njit
def fit(product_T: Float, age_square_T: Float, square_T: Float, count_T: Float, out_T: Float32) -> None:
    """Write the share of the variance that time explains; NaN where nothing varies."""
    for t in range(len(out_T)):
        explained = product_T[t] * product_T[t] / (age_square_T[t] * square_T[t])
        out_T[t] = explained if square_T[t] > STILL * (count_T[t] - 1.0) else np.nan


@njit
def residual(product_T: Float, age_square_T: Float, age_T: Float, mean_T: Float, close_T: Float, out_T: Float32) -> None:
    """Write what the line over time leaves of the newest close, as a multiple of it; NaN for one value."""
    for t in range(len(out_T)):
        line = mean_T[t] - product_T[t] / age_square_T[t] * age_T[t]
        out_T[t] = (close_T[t] - line) / close_T[t]


@njit
def correlation(product_T: Float, x_square_T: Float, y_square_T: Float, count_T: Float, out_T: Float32) -> None:
    """Write the correlation; NaN where one of both does not vary."""
    for t in range(len(out_T)):
        together = product_T[t] / math.sqrt(x_square_T[t] * y_square_T[t])
        out_T[t] = together if min(x_square_T[t], y_square_T[t]) > STILL * (count_T[t] - 1.0) else np.nan


@njit
def balance(gain_T: Float, loss_T: Float, count_T: Float, gains_T: Float32, losses_T: Float32, difference_T: Float32) -> None:
    """Write gains and losses as shares of all movement, and their difference; 0 where nothing moved, NaN where nothing is known."""
    for t in range(len(gains_T)):
        movement = gain_T[t] + loss_T[t] + TINY if count_T[t] > 0 else np.nan
        gains_T[t] = gain_T[t] / movement
        losses_T[t] = loss_T[t] / movement
        difference_T[t] = (gain_T[t] - loss_T[t]) / movement
