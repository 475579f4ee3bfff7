"""Standard errors of a mean whose values are not independent: what stands beside the interval of non-overlapping windows.

Both lean on more windows than a long horizon has; `measures.nonoverlapping_interval` is the headline.
"""

import numpy as np
import numpy.typing as npt
from scipy import stats

from trader_pipeline.measures import stationary_bootstrap

Floats = npt.NDArray[np.float64]

FEWEST_WINDOWS = 20
"""An interval from fewer windows is shown in grey, with their number."""
DRAWS = 500
_NORMAL_95 = float(stats.norm.ppf(0.975))
_LEAST_BOOTSTRAPPED = 20


def newey_west_half_width(values_T: npt.ArrayLike, lags: int) -> float:
    """Return half the 95 % normal interval of the mean with Bartlett weights over `lags` autocovariances; NaN under two values.

    Newey & West 1987. NaN values are left out and the rest is joined.
    """
    values = _known(values_T)
    n = len(values)
    if n < 2:  # noqa: PLR2004 - a deviation needs two
        return float("nan")
    deviation = values - values.mean()
    covariance = [float(deviation[lag:] @ deviation[: n - lag]) / n for lag in range(min(lags, n - 1) + 1)]
    variance = covariance[0] + 2 * sum((1 - lag / (lags + 1)) * c for lag, c in enumerate(covariance[1:], start=1))
    return _NORMAL_95 * float(np.sqrt(max(variance, 0.0) / n))


def bootstrap_half_width(values_T: npt.ArrayLike, *, draws: int = DRAWS, seed: int = 0) -> float:
    """Return half the 95 % percentile interval of the mean under the stationary bootstrap with automatic block length.

    Politis & Romano 1994; NaN under 20 values.
    """
    values = _known(values_T)
    if len(values) < _LEAST_BOOTSTRAPPED:
        return float("nan")
    rng, block = np.random.default_rng(seed), block_length(values)
    means = [values[stationary_bootstrap(len(values), mean_block=block, rng=rng)].mean() for _ in range(draws)]
    low, high = np.quantile(means, [0.025, 0.975])
    return float(high - low) / 2


def block_length(values_T: npt.ArrayLike) -> float:
    """Return the mean block length that is best for the variance of the mean under the stationary bootstrap, at least 1.

    Politis & White 2004 with the correction of Patton, Politis & White 2009: flat-top weights over the lags up to twice the
    first from which K correlations in a row lie inside the noise.
    """
    values = _known(values_T)
    n = len(values)
    deviation = values - values.mean()
    variance = float(deviation @ deviation) / n
    if n < _LEAST_BOOTSTRAPPED or variance <= 0:
        return 1.0
    quiet = max(5, int(np.log10(n)))
    longest = min(int(np.ceil(np.sqrt(n))) + quiet, n - 1)
    noise = 2 * np.sqrt(np.log10(n) / n)
    covariance = np.array([deviation[lag:] @ deviation[: n - lag] for lag in range(longest + 1)]) / n
    bandwidth = min(2 * _first_quiet(_correlations(deviation, longest) < noise, quiet), longest)
    lags = np.arange(1, bandwidth + 1)
    weight = np.clip(2 * (1 - lags / bandwidth), 0, 1)
    spectrum = covariance[0] + 2 * float(weight @ covariance[1 : bandwidth + 1])
    slope = 2 * float(weight * lags @ covariance[1 : bandwidth + 1])
    if spectrum <= 0:
        return 1.0
    optimal = (slope**2 / spectrum**2) ** (1 / 3) * n ** (1 / 3)
    return float(np.clip(optimal, 1.0, np.ceil(min(3 * np.sqrt(n), n / 3))))


def _correlations(deviation: Floats, longest: int) -> Floats:
    """Return the correlation of the series with itself `lag` later, each part by its own spread, for the lags 1 to `longest`."""
    found = []
    for lag in range(1, longest + 1):
        early, late = deviation[:-lag], deviation[lag:]
        found.append(abs(float(early @ late)) / max(float(np.sqrt((early @ early) * (late @ late))), 1e-300))
    return np.array(found)


def _first_quiet(inside: npt.NDArray[np.bool_], quiet: int) -> int:
    """Return the first lag from which `quiet` correlations in a row lie inside the noise; without any, all lags there are."""
    found = [lag for lag in range(len(inside) - quiet + 1) if inside[lag : lag + quiet].all()]
    return found[0] + 1 if found else len(inside)


def _known(values_T: npt.ArrayLike) -> Floats:
    values = np.asarray(values_T, dtype=np.float64).ravel()
    return values[np.isfinite(values)]
