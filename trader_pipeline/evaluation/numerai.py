"""Numerai's canonical correlation: what a cross-section's score is worth when its ends count most."""

import numpy as np
import numpy.typing as npt
from scipy import stats

Floats = npt.NDArray[np.float64]

_POWER = 1.5


def numerai_correlation(score_TN: npt.ArrayLike, target_TN: npt.ArrayLike) -> Floats:
    """Return Numerai's CORR of every session, [T]; NaN where fewer than three names have both values or one side is constant.

    The normal score of the rank (ties averaged) and the centred target are both raised to the power 1.5 with their sign, then
    correlated. numerai-tools, `numerai_corr`.
    """
    score = np.array(score_TN, dtype=np.float64)
    target = np.array(target_TN, dtype=np.float64)
    missing = ~(np.isfinite(score) & np.isfinite(target))
    score[missing] = target[missing] = np.nan
    names = (~missing).sum(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        rank = (stats.rankdata(score, axis=1, nan_policy="omit") - 0.5) / names
        total = np.nansum(target, axis=1, keepdims=True)
        a, b = _powered(stats.norm.ppf(rank)), _powered(target - total / names)
        a, b = (x - np.nansum(x, axis=1, keepdims=True) / names for x in (a, b))
        scale = np.sqrt(np.nansum(a**2, axis=1) * np.nansum(b**2, axis=1))
        found = np.nansum(a * b, axis=1) / scale
    return np.where((names[:, 0] >= 3) & (scale > 1e-12), found, np.nan)  # noqa: PLR2004 - as measures.rank_ic


def _powered(x: Floats) -> Floats:
    return np.asarray(np.sign(x) * np.abs(x) ** _POWER)
