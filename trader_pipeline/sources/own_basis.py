"""Whether a file's prices are as traded or already adjusted for the splits that it lists, read off the prices themselves."""

import numpy as np
import numpy.typing as npt

from trader_pipeline.adjustment import split_factors

Days = npt.NDArray[np.datetime64]
Floats = npt.NDArray[np.float64]


def splits_after(days_T: Days, close_T: Floats, split_T: Floats) -> Floats:
    """Return what turns each row's price into the price as traded: 1, or the product of the ratios of later splits.

    `days_T` ascends without repeats, `split_T` holds 0, 1 or NaN where there is no split. At a split an as-traded close
    jumps by 1 / ratio, an adjusted one goes on: whichever explains the closes around all splits with the smaller sum of
    absolute log moves is taken. Splits at the first row say nothing and count for nothing.
    """
    split_T = np.where(np.isfinite(split_T) & (split_T > 0), split_T, 1.0)
    at = np.flatnonzero((split_T != 1) & (np.arange(len(split_T)) > 0))
    with np.errstate(divide="ignore", invalid="ignore"):
        moves = np.log(close_T[at]) - np.log(close_T[at - 1])
        as_traded, adjusted = np.nansum(np.abs(moves + np.log(split_T[at]))), np.nansum(np.abs(moves))
    if not len(at) or as_traded <= adjusted:
        return np.ones(len(days_T))
    factor_T = split_factors(days_T, days_T[at], split_T[at])
    return np.asarray(factor_T[-1] / factor_T)
