"""Cuts to weights. What is cut stays in cash: moving it to other names would let a limit buy something."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def limit_issuers(weights_NT: Floats, issuers_N: Sequence[str], limit: float) -> Floats:
    """Return weights in which no issuer's sum of absolute weights is over `limit`; its share classes are cut in proportion."""
    _, issuer_N = np.unique(np.asarray(issuers_N, dtype=str), return_inverse=True)
    total = np.zeros((int(issuer_N.max(initial=-1)) + 1, *weights_NT.shape[1:]))
    np.add.at(total, issuer_N, np.abs(weights_NT))
    return weights_NT * _factor(total, limit)[issuer_N]


def limit_gross(weights_NT: Floats, limit: float) -> Floats:
    """Return weights whose sum of absolute values is at most `limit` a session, all cut in proportion."""
    return np.asarray(weights_NT * _factor(np.abs(weights_NT).sum(axis=0), limit))


def _factor(total: Floats, limit: float) -> Floats:
    over = total > limit
    return np.where(over, limit / np.where(over, total, 1), 1.0)
