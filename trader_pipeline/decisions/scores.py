"""Momentum and ML on one scale: cross-sectional z, zero mean and unit variance over the tickers of a session.

Legend: N tickers, T sessions (a single session is [N, 1]), H horizons.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

MOMENTUM_FEATURES = ("momentum_12_1", "trend_200d", "price_to_52_week_high")
"""Jegadeesh & Titman 1993; Faber 2007; George & Hwang 2004."""

_FLAT = 1e-12


def cross_sectional_z(values_NT: npt.ArrayLike) -> Floats:
    """Return (x - mean) / standard deviation over the tickers of each session; 0 where all agree, NaN where x is."""
    values = np.asarray(values_NT, dtype=np.float64)
    known = np.isfinite(values)
    count = np.maximum(known.sum(axis=0), 1)
    deviation = values - np.where(known, values, 0).sum(axis=0) / count
    spread = np.sqrt((np.where(known, deviation, 0) ** 2).sum(axis=0) / count)
    return np.where(known, np.where(spread > _FLAT, deviation / np.where(spread > _FLAT, spread, 1), 0), np.nan)


def momentum_score(features_NT: Mapping[str, npt.ArrayLike]) -> Floats:
    """Return the z of the mean z of 12-1 momentum, trend and 52-week-high position; NaN for a ticker that has none of them."""
    return cross_sectional_z(_mean(np.stack([cross_sectional_z(features_NT[name]) for name in MOMENTUM_FEATURES])))


def ml_score(score_HNT: npt.ArrayLike, weights_H: npt.ArrayLike) -> Floats:
    """Return the z of the weighted mean of the horizons' z; a horizon without a forecast leaves its weight to the others."""
    scores = np.stack([cross_sectional_z(score) for score in np.asarray(score_HNT, dtype=np.float64)])
    weights = np.asarray(weights_H, dtype=np.float64)[:, None, None] * np.isfinite(scores)
    total = weights.sum(axis=0)
    mean = np.where(total > 0, (weights * np.nan_to_num(scores)).sum(axis=0) / np.where(total > 0, total, 1), np.nan)
    return cross_sectional_z(mean)


def horizon_weights(rank_ic_H: npt.ArrayLike) -> Floats:
    """Return weights proportional to the out-of-fold rank IC, floored at 0, summing to 1; equal where no horizon has a positive one."""
    ic = np.maximum(np.nan_to_num(np.asarray(rank_ic_H, dtype=np.float64)), 0)
    return ic / ic.sum() if ic.sum() > 0 else np.full(len(ic), 1 / len(ic))


def _mean(values_KNT: Floats) -> Floats:
    known = np.isfinite(values_KNT)
    count = known.sum(axis=0)
    return np.where(count > 0, np.where(known, values_KNT, 0).sum(axis=0) / np.maximum(count, 1), np.nan)
