"""What a Sharpe ratio is worth: against another one, against chance, and after how many trials.

All ratios are per session, not annual; returns are simple, [T], and both sides of a difference cover the same sessions.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from trader_pipeline.evaluation.intervals import DRAWS, block_length
from trader_pipeline.measures import stationary_bootstrap

Floats = npt.NDArray[np.float64]

_NORMAL_95 = float(stats.norm.ppf(0.975))
_FEWEST_RETURNS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Difference of two Sharpe ratios with its 95 % intervals: Ledoit & Wolf's, and the stationary bootstrap's."""

    value: float
    low: float
    high: float
    bootstrap_low: float
    bootstrap_high: float


def ratio(returns_T: Floats) -> float:
    """Return mean / standard deviation (n - 1); NaN without variation."""
    return float(returns_T.mean() / returns_T.std(ddof=1)) if len(returns_T) > 1 and np.ptp(returns_T) > 0 else float("nan")


def difference(a_T: npt.ArrayLike, b_T: npt.ArrayLike, *, draws: int = DRAWS, seed: int = 0) -> Difference:
    """Return Sharpe(a) - Sharpe(b); NaN intervals under 20 shared sessions.

    Ledoit & Wolf 2008, section 3.1: delta method on both means and second moments with a kernel estimate of their long-run
    covariance (Parzen weights, Andrews 1991's automatic bandwidth). The bootstrap draws both series together.
    """
    pair = np.stack([np.asarray(a_T, dtype=np.float64), np.asarray(b_T, dtype=np.float64)])
    pair = pair[:, np.isfinite(pair).all(axis=0)]
    value = ratio(pair[0]) - ratio(pair[1])
    if pair.shape[1] < _FEWEST_RETURNS or not np.isfinite(value):
        return Difference(value=value, low=np.nan, high=np.nan, bootstrap_low=np.nan, bootstrap_high=np.nan)
    half = _NORMAL_95 * standard_error(pair[0], pair[1])
    rng, sessions = np.random.default_rng(seed), pair.shape[1]
    block = max(block_length(pair[0] - pair[1]), block_length(pair[0]), block_length(pair[1]))
    drawn = []
    for _ in range(draws):
        rows = stationary_bootstrap(sessions, mean_block=block, rng=rng)
        drawn.append(ratio(pair[0, rows]) - ratio(pair[1, rows]))
    low, high = np.nanquantile(drawn, [0.025, 0.975])
    return Difference(value=value, low=value - half, high=value + half, bootstrap_low=float(low), bootstrap_high=float(high))


def standard_error(a_T: Floats, b_T: Floats) -> float:
    """Return Ledoit & Wolf's standard error of Sharpe(a) - Sharpe(b)."""
    sessions = len(a_T)
    moments_4 = np.array([a_T.mean(), b_T.mean(), (a_T**2).mean(), (b_T**2).mean()])
    mean_a, mean_b, square_a, square_b = moments_4
    spread_a, spread_b = (square_a - mean_a**2) ** 1.5, (square_b - mean_b**2) ** 1.5
    gradient = np.array([square_a / spread_a, -square_b / spread_b, -mean_a / (2 * spread_a), mean_b / (2 * spread_b)])
    influence_T = (np.stack([a_T, b_T, a_T**2, b_T**2], axis=1) - moments_4) @ gradient
    return float(np.sqrt(max(_long_run_variance(influence_T), 0.0) / sessions))


def _long_run_variance(x_T: Floats) -> float:
    """Return the long-run variance of a series of mean 0 with Parzen weights; bandwidth by Andrews 1991, AR(1) plug-in."""
    n = len(x_T)
    slope = float(np.clip(x_T[1:] @ x_T[:-1] / max(float(x_T[:-1] @ x_T[:-1]), 1e-300), -0.97, 0.97))
    bandwidth = 2.6614 * (4 * slope**2 / (1 - slope) ** 4 * n) ** 0.2
    variance = float(x_T @ x_T) / n
    for lag in range(1, min(int(bandwidth), n - 1) + 1):
        z = lag / bandwidth
        weight = 1 - 6 * z**2 + 6 * z**3 if z <= 0.5 else 2 * (1 - z) ** 3  # noqa: PLR2004 - Parzen's two branches
        variance += 2 * weight * float(x_T[lag:] @ x_T[:-lag]) / n
    return variance * n / (n - 4)


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
