"""Measures of returns and of forecasts, each with the source of its formula. Arrays in, numbers out.

Axes: T sessions, N tickers. NaN means "not known" and is left out; too little data gives NaN, never a made-up number.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
from scipy import stats

Floats = npt.NDArray[np.float64]

SESSIONS_PER_YEAR = 252
_BINS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A mean with half its 95 % interval, and the number of non-overlapping windows behind it."""

    mean: float
    half_width: float
    windows: int


def _known(values: npt.ArrayLike) -> Floats:
    array = np.asarray(values, dtype=np.float64).ravel()
    return array[np.isfinite(array)]


def sharpe(returns_T: npt.ArrayLike, *, risk_free: float = 0.0, sessions_per_year: int = SESSIONS_PER_YEAR) -> float:
    """Return the annualised Sharpe ratio: mean excess return / sample standard deviation * sqrt(252). Sharpe 1994.

    `risk_free` is a simple return per session. NaN for fewer than two returns or no variation.
    """
    excess = _known(returns_T) - risk_free
    if len(excess) < 2 or np.ptp(excess) == 0:  # noqa: PLR2004 - a deviation needs two
        return float("nan")
    return float(excess.mean() / excess.std(ddof=1) * np.sqrt(sessions_per_year))


def value_at_risk(returns_T: npt.ArrayLike, level: float = 0.95) -> float:
    """Return the historical value at risk, positive = loss: minus the (1 - level) quantile, linearly interpolated. Jorion 2007, ch. 5."""
    returns = _known(returns_T)
    return float(-np.quantile(returns, 1 - level)) if len(returns) else float("nan")


def conditional_value_at_risk(returns_T: npt.ArrayLike, level: float = 0.95) -> float:
    """Return the mean loss of the worst (1 - level) of the sessions, positive = loss.

    Acerbi & Tasche 2002, eq. 4.1: when (1 - level) * T is no whole number, the last loss counts by its fraction.
    """
    losses = np.sort(-_known(returns_T))[::-1]
    if not len(losses):
        return float("nan")
    worst = max((1 - level) * len(losses), 1e-12)
    weights = np.clip(worst - np.arange(len(losses)), 0, 1)
    return float(losses @ weights / weights.sum())


def max_drawdown(returns_T: npt.ArrayLike) -> float:
    """Return the largest fall of the compounded curve below its highest point so far (the start included), positive = loss."""
    curve = np.concatenate([[1.0], np.cumprod(1 + _known(returns_T))])
    return float((1 - curve / np.maximum.accumulate(curve)).max())


def kupiec_p_value(exceptions: int, sessions: int, level: float = 0.95) -> float:
    """Return the p-value of Kupiec's proportion-of-failures test that `exceptions` of `sessions` fit a VaR at `level`. Kupiec 1995."""
    expected = 1 - level
    observed = exceptions / sessions

    def log_likelihood(p: float) -> float:
        return float(stats.binom.logpmf(exceptions, sessions, p))

    return float(stats.chi2.sf(2 * (log_likelihood(observed) - log_likelihood(expected)), df=1))


def rank_ic(score_TN: npt.ArrayLike, target_TN: npt.ArrayLike, *, minimum_names: int = 3) -> Floats:
    """Return the Spearman correlation across tickers for every session, [T]. Grinold & Kahn 2000, ch. 6 (IC by rank).

    Only names with both values count; NaN where fewer than `minimum_names` do or one side is constant. Ties share a rank.
    """
    score = np.array(score_TN, dtype=np.float64)
    target = np.array(target_TN, dtype=np.float64)
    missing = ~(np.isfinite(score) & np.isfinite(target))
    score[missing] = target[missing] = np.nan
    a = centred_ranks(score)
    b = centred_ranks(target)
    scale = np.sqrt(np.nansum(a**2, axis=1) * np.nansum(b**2, axis=1))
    enough = ((~missing).sum(axis=1) >= minimum_names) & (scale > 0)
    return np.where(enough, np.nansum(a * b, axis=1) / np.where(enough, scale, 1.0), np.nan)


def balanced_accuracy(forecast: npt.ArrayLike, outcome: npt.ArrayLike) -> float:
    """Return the mean of the shares of ups and of downs whose sign was forecast; up is > 0. NaN unless outcomes go both ways.

    0.5 is no skill, however often outcomes are up. Brodersen et al. 2010.
    """
    said, came = (np.asarray(values, dtype=np.float64).ravel() for values in (forecast, outcome))
    known = np.isfinite(said) & np.isfinite(came)
    right, up = (said > 0) == (came > 0), came > 0
    shares = [right[known & side].mean() if (known & side).any() else np.nan for side in (up, ~up)]
    return float(np.mean(shares))


def centred_ranks(values_TN: Floats) -> Floats:
    """Return ranks within each row less their mean; ties share one, NaN stays NaN."""
    ranks = stats.rankdata(values_TN, axis=1, nan_policy="omit").astype(np.float64)
    names = np.isfinite(ranks).sum(axis=1, keepdims=True)
    centred: Floats = ranks - (names + 1) / 2
    return centred


@cache
def _t_95(degrees: int) -> float:
    """Return Student's two-sided 95 % quantile; scipy takes longer for one than the rest of an interval."""
    return float(stats.t.ppf(0.975, degrees))


def nonoverlapping_interval(values_T: npt.ArrayLike, horizon: int) -> Interval:
    """Return the mean of a daily series whose label spans `horizon` sessions, with a 95 % t-interval that does not count overlap twice.

    Every `horizon`-th session gives windows that share no label; the interval's half width is averaged over all `horizon`
    starting offsets. The mean is that of all sessions. NaN half width when no offset has two windows. Chosen over Newey &
    West 1987, whose 95 % interval covers 78 % at h = 60 and 540 sessions.
    """
    values = np.asarray(values_T, dtype=np.float64)
    known = _known(values)
    if not len(known):
        return Interval(mean=float("nan"), half_width=float("nan"), windows=0)
    widths, counts = [], []
    for offset in range(horizon):
        window = _known(values[offset::horizon])
        counts.append(len(window))
        if len(window) > 1:
            widths.append(_t_95(len(window) - 1) * window.std(ddof=1) / np.sqrt(len(window)))
    half_width = float(np.mean(widths)) if widths else float("nan")
    return Interval(mean=float(known.mean()), half_width=half_width, windows=int(np.mean(counts)))


def brier(probability: npt.ArrayLike, outcome: npt.ArrayLike) -> float:
    """Return the mean squared difference of probability and outcome (0 or 1), half of Brier's 1950 two-class sum."""
    return float(np.mean((np.asarray(probability, dtype=np.float64) - np.asarray(outcome, dtype=np.float64)) ** 2))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CalibrationBins:
    """Equal-count bins of a forecaster: its mean probability, the mean outcome and the share of the rows in each."""

    probability: Floats
    outcome: Floats
    share: Floats


def calibration_bins(probability: npt.ArrayLike, outcome: npt.ArrayLike, *, bins: int = _BINS) -> CalibrationBins:
    """Return the reliability curve. Equal probabilities stay in one bin, so a forecaster that says few different things has fewer bins."""
    p = np.asarray(probability, dtype=np.float64)
    index, share = _bins(p, bins)
    used = share > 0
    said, came = (
        np.bincount(index, weights=values)[used] / (share[used] * len(p)) for values in (p, np.asarray(outcome, dtype=np.float64))
    )
    return CalibrationBins(probability=said, outcome=came, share=share[used])


def expected_calibration_error(probability: npt.ArrayLike, outcome: npt.ArrayLike, *, bins: int = _BINS) -> float:
    """Return sum over equal-count bins of share * |mean outcome - mean probability|. Naeini et al. 2015, Nguyen & O'Connor 2015.

    Equal probabilities stay in one bin, so a forecaster that says few different things has fewer bins.
    """
    curve = calibration_bins(probability, outcome, bins=bins)
    return float(curve.share @ np.abs(curve.outcome - curve.probability))


def ece_noise_floor(
    probability: npt.ArrayLike,
    outcome: npt.ArrayLike,
    spell: npt.ArrayLike,
    *,
    level: float = 0.95,
    bins: int = _BINS,
    draws: int = 1000,
    seed: int = 0,
) -> float:
    """Return the 95th percentile (`level`) of the ECE that a perfectly calibrated forecaster would show on rows as dependent as these.

    `spell` says by a whole number which rows may move together; those of different spells are independent. The bins' errors are drawn
    jointly normal about 0 with the covariance that the sums of their spells show (Liang & Zeger 1986), and wider by a Student t
    of the spells for its own error. An ECE under this floor says nothing. NaN from fewer than two spells.
    """
    p = np.asarray(probability, dtype=np.float64)
    index, count = _bins(p, bins)[0], len(np.unique(np.asarray(spell)))
    if count < 2:  # noqa: PLR2004 - no variance from one
        return float("nan")
    error = np.asarray(outcome, dtype=np.float64) - p
    of_bin = np.bincount(index)
    error -= (np.bincount(index, weights=error) / np.maximum(of_bin, 1))[index]
    _, row = np.unique(np.asarray(spell), return_inverse=True)
    sums = np.bincount(row * len(of_bin) + index, weights=error, minlength=count * len(of_bin)).reshape(count, -1)
    values, vectors = np.linalg.eigh(sums.T @ sums)
    rng = np.random.default_rng(seed)
    drawn = rng.standard_normal((draws, len(of_bin))) @ (vectors * np.sqrt(np.maximum(values, 0))).T
    wider = np.sqrt(count / rng.chisquare(count - 1, draws))
    return float(np.quantile(np.abs(drawn).sum(axis=1) * wider, level) / len(p))


def _bins(p: Floats, bins: int) -> tuple[npt.NDArray[np.int64], Floats]:
    edges = np.unique(np.quantile(p, np.linspace(0, 1, bins + 1)[1:-1]))
    index = np.searchsorted(edges, p, side="left").astype(np.int64)
    return index, np.bincount(index) / len(p)


def stationary_bootstrap(sessions: int, *, mean_block: float, rng: np.random.Generator, length: int | None = None) -> npt.NDArray[np.int64]:
    """Return `length` (default `sessions`) row numbers in blocks of mean length `mean_block`, wrapping round. Politis & Romano 1994."""
    n = length or sessions
    starts = rng.random(n) < 1 / mean_block
    starts[0] = True
    origin = rng.integers(0, sessions, n)
    last = np.maximum.accumulate(np.where(starts, np.arange(n), 0))
    return (origin[last] + np.arange(n) - last) % sessions
