"""Scores to weights before limits."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

HOLD_BAND = 0.25
"""Scores within this many z of the average are no reason to trade."""


def long_only_weights(score_NT: npt.ArrayLike, volatility_NT: npt.ArrayLike, *, gross: float) -> Floats:
    """Return weights proportional to score / volatility of the names whose score passes `HOLD_BAND`, summing to `gross` a session.

    Risk-scaled, so that a quiet and a wild name with the same score contribute about the same risk. 0 where score or
    volatility is unknown, and everywhere when no name passes. Long only: shorting needs borrow costs that no source gives.
    """
    score, volatility = np.asarray(score_NT, dtype=np.float64), np.asarray(volatility_NT, dtype=np.float64)
    wanted = (np.nan_to_num(score) > HOLD_BAND) & (np.nan_to_num(volatility) > 0)
    strength = np.where(wanted, np.nan_to_num(score), 0) / np.where(wanted, volatility, 1)
    total = strength.sum(axis=0)
    return np.where(total > 0, gross * strength / np.where(total > 0, total, 1), 0.0)
