"""What a Sharpe ratio is worth against chance, and after how many trials; `sharpe_difference` holds it against another one.

All ratios are per session, not annual; returns are simple, [T].
"""

import numpy as np
import numpy.typing as npt
from scipy import stats

Floats = npt.NDArray[np.float64]


def ratio(returns_T: Floats) -> float:
    """Return mean / standard deviation (n - 1); NaN without variation."""
    return float(returns_T.mean() / returns_T.std(ddof=1)) if len(returns_T) > 1 and np.ptp(returns_T) > 0 else float("nan")


def probabilistic(returns_T: Floats, *, benchmark: float = 0.0) -> float:
    """Return the probability that the true ratio is over `benchmark`, given length, skew and tails. Bailey & López de Prado 2012."""
    skew, kurtosis = float(stats.skew(returns_T)), float(stats.kurtosis(returns_T, fisher=False))
    return probabilistic_of(ratio(returns_T), benchmark=benchmark, sessions=len(returns_T), skew=skew, kurtosis=kurtosis)


def probabilistic_of(sharpe: float, *, benchmark: float, sessions: int, skew: float, kurtosis: float) -> float:
    """Return Phi((sharpe - benchmark) * sqrt(T - 1) / sqrt(1 - skew * sharpe + (kurtosis - 1) / 4 * sharpe^2)).

    `kurtosis` is 3 for a normal.
    """
    scale = 1 - skew * sharpe + (kurtosis - 1) / 4 * sharpe**2
    return float(stats.norm.cdf((sharpe - benchmark) * np.sqrt(sessions - 1) / np.sqrt(scale))) if scale > 0 else float("nan")


def expected_maximum(*, trials: float, variance: float) -> float:
    """Return the largest ratio that `trials` independent trials without skill show on average. Bailey & López de Prado 2014, eq. 1.

    `variance` is that of the ratios over the trials; fewer than two trials choose nothing: 0.
    """
    if trials <= 1:
        return 0.0
    gumbel = (1 - np.euler_gamma) * stats.norm.ppf(1 - 1 / trials) + np.euler_gamma * stats.norm.ppf(1 - 1 / (trials * np.e))
    return float(np.sqrt(variance) * max(gumbel, 0.0))


def null_variance(sessions: int) -> float:
    """Return the variance over trials of a ratio of so many independent returns without skill, 1 / T (Lo 2002)."""
    return 1 / sessions


def deflated(returns_T: Floats, *, trials: float, variance: float) -> float:
    """Return the probability that the true ratio is over what the best of so many trials without skill would show."""
    return probabilistic(returns_T, benchmark=expected_maximum(trials=trials, variance=variance))


def effective_trials(returns_MT: Floats, *, trials: int) -> float:
    """Return how many independent trials `trials` of them are, by the mean correlation of those whose returns are known, [M, T].

    rho + (1 - rho) * trials, Bailey & López de Prado 2014, appendix 3; a negative mean correlation counts as none.
    """
    if len(returns_MT) < 2:  # noqa: PLR2004 - no correlation of one
        return float(trials)
    correlation = np.atleast_2d(np.corrcoef(returns_MT))
    pairs = correlation[np.triu_indices(len(returns_MT), k=1)]
    mean = float(np.clip(np.nanmean(pairs), 0, 1)) if np.isfinite(pairs).any() else 0.0
    return mean + (1 - mean) * trials
