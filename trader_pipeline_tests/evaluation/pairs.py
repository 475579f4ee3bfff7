"""Pairs of return series with one true Sharpe ratio, [repeats, 2, T]: independent, autocorrelated, and with clustered volatility."""

import numpy as np

KINDS = ("independent", "autocorrelated", "garch")
SHARPE = 0.1
_BURNED = 200


def pairs(kind, *, repeats, sessions, seed):
    rng = np.random.default_rng(seed)
    shocks = rng.standard_t(6, (repeats, 2, sessions + _BURNED)) / np.sqrt(6 / 4)
    shocks[:, 1] = 0.5 * shocks[:, 0] + np.sqrt(0.75) * shocks[:, 1]
    if kind == "autocorrelated":
        for t in range(1, shocks.shape[2]):
            shocks[:, :, t] = 0.2 * shocks[:, :, t - 1] + np.sqrt(1 - 0.2**2) * shocks[:, :, t]
    if kind == "garch":
        variance = np.ones(shocks.shape[:2])
        for t in range(shocks.shape[2]):
            shocks[:, :, t] *= np.sqrt(variance)
            variance = 0.03 + 0.07 * shocks[:, :, t] ** 2 + 0.9 * variance
    return SHARPE + shocks[:, :, _BURNED:]
