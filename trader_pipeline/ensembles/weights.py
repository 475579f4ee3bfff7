"""How much each member counts.

Legend: M members, N tickers, T sessions, R regimes.
"""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
from scipy.linalg import cholesky, solve_triangular
from scipy.optimize import nnls

from trader_pipeline import measures
from trader_pipeline.measures import Interval

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

HALF_WAY = 0.5
"""Share of the fitted weights; equal ones have the rest."""
PRIOR_SESSIONS = 250
"""A regime of n sessions moves its weights by n / (n + 250) from those of all sessions."""
_RIDGE = 1e-8


def equal_weights(members: Iterable[str]) -> dict[str, float]:
    """Return the same weight for every member, summing to 1.

    Estimated weights must beat this first: their errors usually cost more than they gain (Clemen 1989; Smith & Wallis 2009).
    """
    names = sorted(set(members))
    return {name: 1 / len(names) for name in names}


def stacked(score_MNT: Floats, rank_NT: Floats, rows_NT: Flags) -> Floats:
    """Return weights [M] that sum to 1: non-negative least squares of the labels' ranks on the members' (Breiman 1996), half-way to equal.

    Only `rows_NT` count, where every member and the label are known. Equal where no member helps.
    """
    members = len(score_MNT)
    equal = np.full(members, 1 / members)
    used = rows_NT & np.isfinite(score_MNT).all(axis=0) & np.isfinite(rank_NT)
    x_MR = np.stack([_ranks(score_NT, used) for score_NT in score_MNT])
    y_R = _ranks(rank_NT, used)
    gram = x_MR @ x_MR.T
    if not np.trace(gram) > 0:
        return equal
    root = cholesky(gram + _RIDGE * np.trace(gram) * np.eye(members), lower=True)
    fitted, _ = nnls(root.T, solve_triangular(root, x_MR @ y_R, lower=True))
    return HALF_WAY * fitted / fitted.sum() + (1 - HALF_WAY) * equal if fitted.sum() > 0 else equal


def by_regime(score_MNT: Floats, rank_NT: Floats, rows_NT: Flags, regime_T: npt.NDArray[np.int64], regimes: int) -> Floats:
    """Return weights [R, M]: each regime's own `stacked`, shrunk to those of all rows by n / (n + `PRIOR_SESSIONS`) of its n sessions."""
    overall = stacked(score_MNT, rank_NT, rows_NT)
    weights = np.tile(overall, (regimes, 1))
    for regime in range(regimes):
        rows = rows_NT & (regime_T == regime)
        sessions = int(rows.any(axis=0).sum())
        if sessions:
            own = stacked(score_MNT, rank_NT, rows)
            weights[regime] += sessions / (sessions + PRIOR_SESSIONS) * (own - overall)
    return weights


def gain(score_MNT: Floats, rank_NT: Floats, weights_MT: Floats, horizon: int, T: Flags) -> Interval:
    """Return by how much the daily rank IC of the sessions `T` is higher with `weights_MT` than with equal weights."""
    equal = np.full_like(weights_MT, 1 / len(weights_MT))
    difference_T = _daily_ic(score_MNT, rank_NT, weights_MT) - _daily_ic(score_MNT, rank_NT, equal)
    return measures.nonoverlapping_interval(np.where(T, difference_T, np.nan), horizon)


def is_better(gained: Interval) -> bool:
    """Say whether the gain is over its own standard error, half its 95 % interval's half width; a gain without an interval is none."""
    return bool(gained.mean > gained.half_width / 2)


def correlation(a: Floats, b: Floats) -> float:
    """Return Pearson's correlation; NaN where one side does not vary."""
    if len(a) < 2 or np.ptp(a) == 0 or np.ptp(b) == 0:  # noqa: PLR2004 - a correlation needs two
        return float("nan")
    return float(np.corrcoef(a, b)[0, 1])


def _daily_ic(score_MNT: Floats, rank_NT: Floats, weights_MT: Floats) -> Floats:
    known = np.isfinite(score_MNT)
    weight_MNT = np.where(known, weights_MT[:, None, :], 0.0)
    total_NT = weight_MNT.sum(axis=0)
    mean_NT = (weight_MNT * np.where(known, score_MNT, 0.0)).sum(axis=0) / np.where(total_NT > 0, total_NT, np.nan)
    return measures.rank_ic(mean_NT.T, rank_NT.T)


def _ranks(values_NT: Floats, used_NT: Flags) -> Floats:
    """Return the rows' ranks within their session, centred, in standard deviations of an even spread; session by session."""
    values = np.where(used_NT, values_NT, np.nan).T
    ranks = measures.centred_ranks(values)
    names = used_NT.sum(axis=0)[:, None]
    return np.asarray((ranks / np.sqrt(np.maximum(names**2 - 1, 1) / 12))[used_NT.T])
