"""The difference of two Sharpe ratios and three 95 % intervals of it. Ledoit & Wolf 2008.

Ratios are per session, not annual; returns are simple, [T], and both sides cover the same sessions. The moments of a pair are those
of a, b, a^2 and b^2; the gradient is that of the difference in them (their section 3.1). `weight` is a factor on b's ratio: 1 is the
difference, 1.15 asks whether a is 15 % over b with b's own error counted, 0 is a's ratio alone.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from trader_pipeline.evaluation.intervals import DRAWS, block_length
from trader_pipeline.evaluation.sharpe import ratio
from trader_pipeline.measures import stationary_bootstrap

Floats = npt.NDArray[np.float64]

STUDENTISED_DRAWS = 4_999
"""As in the paper."""
_NORMAL_95 = float(stats.norm.ppf(0.975))
_FEWEST_RETURNS = 20
_FEWEST_BLOCKS = 12
"""The paper's longest block is 10 of 120 returns."""
_CIRCULAR = 1.5 ** (1 / 3)
"""Best block of the circular bootstrap over the best mean block of the stationary one. Patton, Politis & White 2009."""
_ROUNDING = 1e-12
"""The error of two series that are one, or one a multiple of the other: no sample differs either."""
_LEAST_ERROR = 0.1
"""Share of the whole's error under which a block sample holds next to nothing of what tells the series apart."""
_MOST_LEFT_OUT = 0.01
"""Share of such samples over which 95 % of the rest are no longer 95 %."""
_CHUNK = 2_000_000
"""Blocks drawn at once, so that memory stays under 100 MB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Difference of two Sharpe ratios and its 95 % intervals."""

    value: float
    low: float
    high: float
    """By the studentised circular block bootstrap; NaN where the series differ in so few sessions that it cannot tell."""
    hac_low: float
    hac_high: float
    """By the normal distribution and the kernel standard error."""
    bootstrap_low: float
    bootstrap_high: float
    """Percentiles of the stationary bootstrap."""


def difference(
    a_T: npt.ArrayLike, b_T: npt.ArrayLike, *, draws: int = DRAWS, studentised: int = STUDENTISED_DRAWS, seed: int = 0
) -> Difference:
    """Return Sharpe(a) - Sharpe(b); NaN intervals under 20 shared sessions, `low` and `high` also where `contrast` has none.

    `draws` are those of the stationary bootstrap, `studentised` those of the other; both draw the two series together.
    """
    pair = _shared(a_T, b_T)
    value = ratio(pair[0]) - ratio(pair[1])
    if pair.shape[1] < _FEWEST_RETURNS or not np.isfinite(value):
        return Difference(value=value, **dict.fromkeys(("low", "high", "hac_low", "hac_high", "bootstrap_low", "bootstrap_high"), np.nan))
    error = standard_error(pair[0], pair[1])
    low, high = contrast(pair[0], pair[1], studentised=studentised, seed=seed)
    bootstrap_low, bootstrap_high = _stationary(pair, draws, seed)
    return Difference(
        value=value,
        low=low,
        high=high,
        hac_low=value - _NORMAL_95 * error,
        hac_high=value + _NORMAL_95 * error,
        bootstrap_low=bootstrap_low,
        bootstrap_high=bootstrap_high,
    )


def contrast(
    a_T: npt.ArrayLike, b_T: npt.ArrayLike, *, weight: float = 1.0, studentised: int = STUDENTISED_DRAWS, seed: int = 0
) -> tuple[float, float]:
    """Return the studentised 95 % interval of Sharpe(a) - weight * Sharpe(b), both ratios estimated.

    NaN under 20 shared sessions, without variation, and where over 1 % of the block samples hold no difference of the two series:
    too few sessions, or too short a stretch, tell them apart.
    """
    a, b = _shared(a_T, b_T)
    value = ratio(a) - weight * ratio(b)
    if len(a) < _FEWEST_RETURNS or not np.isfinite(value):
        return float("nan"), float("nan")
    half = error = standard_error(a, b, weight=weight)
    if error > _ROUNDING:
        block = circular_block(a, b, weight=weight)
        half = error * studentised_quantile(a, b, weight=weight, block=block, draws=studentised, seed=seed)
    return value - half, value + half


def standard_error(a_T: Floats, b_T: Floats, *, weight: float = 1.0) -> float:
    """Return Ledoit & Wolf's standard error of Sharpe(a) - weight * Sharpe(b), section 3.1.

    Delta method on the moments with a kernel estimate of their long-run covariance (Parzen weights, Andrews 1991's automatic bandwidth).
    """
    return float(np.sqrt(max(_long_run_variance(_influence(a_T, b_T, weight)), 0.0) / len(a_T)))


def circular_block(a_T: Floats, b_T: Floats, *, weight: float = 1.0) -> int:
    """Return the block length that is best for the difference's linear part, at most a twelfth of the sessions.

    Politis & White 2004 on what each session adds to the difference (its influence), instead of the paper's calibration by a thousand
    bootstraps of a fitted model: the influence is that of which the studentised statistic takes the mean.
    """
    best = _CIRCULAR * block_length(_influence(a_T, b_T, weight))
    return int(np.clip(np.ceil(best), 1, max(len(a_T) // _FEWEST_BLOCKS, 1)))


def studentised_quantile(a_T: Floats, b_T: Floats, *, block: int, draws: int, seed: int, weight: float = 1.0) -> float:
    """Return the 95 % quantile of |difference* - difference| / error* over circular block bootstraps, section 3.2.2.

    Each sample is `T // block` blocks; its error comes from the sums of its own blocks (Götze & Künsch 1996). A sample whose error is
    next to nothing beside the whole's is left out; NaN where over 1 % are.
    """
    sessions = len(a_T)
    blocks = sessions // block
    moments = _moments(a_T, b_T)
    centre, _ = _difference(moments.mean(axis=1), weight)
    least = _LEAST_ERROR * standard_error(a_T, b_T, weight=weight)
    total = np.concatenate([np.zeros((4, 1)), np.cumsum(np.concatenate([moments, moments[:, : block - 1]], axis=1), axis=1)], axis=1)
    sums_T4 = (total[:, block:] - total[:, :-block]).T
    rng, found = np.random.default_rng(seed), []
    for first in range(0, draws, max(_CHUNK // blocks, 1)):
        count = min(max(_CHUNK // blocks, 1), draws - first)
        drawn = sums_T4[rng.integers(0, sessions, (count, blocks))]
        with np.errstate(divide="ignore", invalid="ignore"):  # a sample without variation has no ratio and is left out
            value, gradient = _difference(drawn.mean(axis=1).T / block, weight)
            error = np.einsum("dlk,kd->dl", drawn, gradient).std(axis=1) / (block * np.sqrt(blocks))
            found.append(np.where(error > least, np.abs(value - centre) / error, np.nan))
    ratios = np.concatenate(found)
    return float(np.nanquantile(ratios, 0.95)) if np.isnan(ratios).mean() <= _MOST_LEFT_OUT else float("nan")


def _stationary(pair: Floats, draws: int, seed: int) -> tuple[float, float]:
    rng, sessions = np.random.default_rng(seed), pair.shape[1]
    block = max(block_length(pair[0] - pair[1]), block_length(pair[0]), block_length(pair[1]))
    drawn = []
    for _ in range(draws):
        rows = stationary_bootstrap(sessions, mean_block=block, rng=rng)
        drawn.append(ratio(pair[0, rows]) - ratio(pair[1, rows]))
    low, high = np.nanquantile(drawn, [0.025, 0.975])
    return float(low), float(high)


def _shared(a_T: npt.ArrayLike, b_T: npt.ArrayLike) -> Floats:
    pair = np.stack([np.asarray(a_T, dtype=np.float64), np.asarray(b_T, dtype=np.float64)])
    return np.asarray(pair[:, np.isfinite(pair).all(axis=0)])


def _moments(a_T: Floats, b_T: Floats) -> Floats:
    return np.stack([a_T, b_T, a_T**2, b_T**2])


def _difference(moments: Floats, weight: float) -> tuple[Floats, Floats]:
    """Return the difference of the ratios, b's times `weight`, and its gradient in the moments, [4, ...]."""
    mean_a, mean_b, square_a, square_b = moments
    variance_a, variance_b = square_a - mean_a**2, square_b - mean_b**2
    spread_a, spread_b = variance_a**1.5, variance_b**1.5
    of_b = weight / spread_b
    gradient = np.stack([square_a / spread_a, -square_b * of_b, -mean_a / (2 * spread_a), mean_b * of_b / 2])
    return mean_a / np.sqrt(variance_a) - weight * mean_b / np.sqrt(variance_b), gradient


def _influence(a_T: Floats, b_T: Floats, weight: float) -> Floats:
    """Return what each session adds to the difference, [T], mean 0."""
    moments = _moments(a_T, b_T)
    mean = moments.mean(axis=1)
    _, gradient = _difference(mean, weight)
    return np.asarray(gradient @ (moments - mean[:, None]))


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
