"""Intervals that the report puts beside its ratios."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from trader_pipeline import measures

Floats = npt.NDArray[np.float64]

DRAWS = 1000
MEAN_BLOCK_SESSIONS = 20
_SEED = 20200207


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A value with the ends of its 95 % interval."""

    value: float
    low: float
    high: float


@lru_cache(maxsize=4)
def _rows(sessions: int) -> npt.NDArray[np.int64]:
    """Return the bootstrap's row numbers, [draws, sessions]: the same for every series of that length."""
    rng = np.random.default_rng(_SEED)
    rows: npt.NDArray[np.int64] = np.stack(
        [measures.stationary_bootstrap(sessions, mean_block=MEAN_BLOCK_SESSIONS, rng=rng) for _ in range(DRAWS)]
    )
    return rows


def _resampled(returns_T: Floats) -> Floats:
    """Return annualised Sharpe ratios of stationary-bootstrap samples, [draws]; NaN where a sample does not vary."""
    samples = returns_T[_rows(len(returns_T))]
    deviation = samples.std(axis=1, ddof=1)
    ratio = np.where(deviation > 0, samples.mean(axis=1) / np.where(deviation > 0, deviation, 1.0), np.nan)
    annual: Floats = ratio * np.sqrt(measures.SESSIONS_PER_YEAR)
    return annual


def sharpe_interval(returns_T: npt.ArrayLike) -> Estimate:
    """Return the annualised Sharpe ratio at a risk-free rate of 0 with its 95 % percentile interval.

    Stationary bootstrap (Politis & Romano 1994). NaN rows are dropped.
    """
    returns = np.asarray(returns_T, dtype=np.float64)
    returns = returns[np.isfinite(returns)]
    if len(returns) < 2:  # noqa: PLR2004 - a deviation needs two
        return Estimate(value=float("nan"), low=float("nan"), high=float("nan"))
    low, high = np.nanquantile(_resampled(returns), [0.025, 0.975])
    return Estimate(value=measures.sharpe(returns), low=float(low), high=float(high))


def annual_return(returns_T: npt.ArrayLike) -> float:
    """Return the compounded growth a year, as a fraction; NaN rows dropped."""
    returns = np.asarray(returns_T, dtype=np.float64)
    returns = returns[np.isfinite(returns)]
    if not len(returns):
        return float("nan")
    return float(np.prod(1 + returns) ** (measures.SESSIONS_PER_YEAR / len(returns)) - 1)


def annual_volatility(returns_T: npt.ArrayLike) -> float:
    """Return the standard deviation a year, as a fraction; NaN rows dropped."""
    returns = np.asarray(returns_T, dtype=np.float64)
    returns = returns[np.isfinite(returns)]
    return float(returns.std(ddof=1) * np.sqrt(measures.SESSIONS_PER_YEAR)) if len(returns) > 1 else float("nan")


def volatility_filtered(returns_T: npt.ArrayLike, *, decay: float = 0.94) -> Floats:
    """Return the returns rescaled from the volatility of their own session to the latest one. Hull & White 1998.

    Volatility of a session is the exponentially weighted mean square of the returns before it (RiskMetrics 1996, decay 0.94),
    started at the mean square of all. NaN rows are dropped.
    """
    returns = np.asarray(returns_T, dtype=np.float64)
    returns = returns[np.isfinite(returns)]
    variance = np.empty(len(returns) + 1)
    variance[0] = np.mean(returns**2) if len(returns) else np.nan
    for t, value in enumerate(returns):
        variance[t + 1] = decay * variance[t] + (1 - decay) * value**2
    scaled: Floats = returns * np.sqrt(variance[-1] / np.where(variance[:-1] > 0, variance[:-1], np.nan))
    return scaled
