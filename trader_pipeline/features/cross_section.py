"""Statistics over the tickers of one session: what a feature means relative to the others that traded that day."""

from typing import TypeVar

import numpy as np
import numpy.typing as npt

from trader_pipeline.features import kernels
from trader_pipeline.features.kernels import Float, Index
from trader_pipeline.panel import Flag

Number = TypeVar("Number", np.float64, np.int64)
MINIMUM_TICKERS = 3
"""Fewer than this on a session have no cross-section."""


def day_mean(x_NT: Float) -> tuple[Float, Float]:
    """Return mean [1, T] (NaN where nobody has a value) and count [1, T] over the tickers of each session."""
    total_1T, count_1T = kernels.group_sums(x_NT, np.zeros(x_NT.shape, np.int64), 1)
    return ratio(total_1T, count_1T), count_1T


def day_variance(x_NT: Float) -> tuple[Float, Float, Float]:
    """Return mean, variance (n - 1) and count of each session, [1, T]; variance NaN under three tickers, 0 where all agree."""
    mean_1T, count_1T = day_mean(x_NT)
    squares_1T, _ = kernels.group_sums((x_NT - mean_1T) ** 2, np.zeros(x_NT.shape, np.int64), 1)
    variance_1T = np.where(count_1T >= MINIMUM_TICKERS, ratio(squares_1T, count_1T - 1), np.nan)
    highest_1T, lowest_1T = (extreme.reduce(x_NT, axis=0, keepdims=True, initial=np.nan) for extreme in (np.fmax, np.fmin))
    same_1T = highest_1T == lowest_1T
    return mean_1T, np.where(same_1T & np.isfinite(variance_1T), 0.0, variance_1T), count_1T


def day_z(x_NT: Float) -> Float:
    """Return (x - mean) / standard deviation over the session's tickers; NaN under three of them or where all agree."""
    mean_1T, variance_1T, _ = day_variance(x_NT)
    return ratio(x_NT - mean_1T, np.sqrt(variance_1T))


def among(x_NT: Float, members_NT: Flag) -> Float:
    """Return x of the session's members, NaN for the others: what the statistics of this file are to be taken over.

    `intervals.members` says who they are; today's list is never applied to the past.
    """
    return np.where(members_NT, x_NT, np.nan)


def day_rank(x_NT: Float) -> Float:
    """Return the share of the session's values that are below, ties counted half: in (0, 1), mean 1/2. NaN under three tickers."""
    ordered_NT = np.sort(x_NT, axis=0)  # NaN last
    count_T = np.isfinite(x_NT).sum(axis=0)
    out_NT = np.full_like(x_NT, np.nan)
    for t in np.flatnonzero(count_T >= MINIMUM_TICKERS).tolist():
        values, own = ordered_NT[: count_T[t], t], x_NT[:, t]
        twice = np.searchsorted(values, own, "left") + np.searchsorted(values, own, "right")
        out_NT[:, t] = np.where(np.isfinite(own), twice / (2 * count_T[t]), np.nan)
    return out_NT


def day_winsorised(x_NT: Float, share: float) -> Float:
    """Return x with each session's lowest and highest `share` of values drawn in to the next one; NaN stays NaN.

    Of n values floor(share * n) are drawn in at either end, so a day with fewer than 1 / share of them stays as it is.
    """
    ordered_NT = np.sort(x_NT, axis=0)
    count_T = np.isfinite(x_NT).sum(axis=0)
    beyond_T = np.floor(share * count_T).astype(np.int64)
    sessions_T = np.arange(x_NT.shape[1])
    lowest_T = ordered_NT[np.minimum(beyond_T, len(x_NT) - 1), sessions_T]
    highest_T = ordered_NT[np.maximum(count_T - 1 - beyond_T, 0), sessions_T]
    return np.clip(x_NT, lowest_T, highest_T)


def sector_neutral(x_NT: Float, sector_NT: Index) -> Float:
    """Return x less the mean of its sector that session; NaN without a sector, or where it has under three values."""
    total_NT, count_NT = _group_sums(x_NT, sector_NT)
    return np.where((sector_NT >= 0) & (count_NT >= MINIMUM_TICKERS), x_NT - ratio(total_NT, count_NT), np.nan)


def vasicek(beta_NT: Float, squared_error_NT: Float, members_NT: Flag) -> Float:
    """Return each beta drawn to the members' mean beta by its own uncertainty; as estimated under three members. Vasicek 1973."""
    mean_1T, variance_1T, _ = day_variance(among(beta_NT, members_NT))
    shrunk_NT = ratio(beta_NT * variance_1T + mean_1T * squared_error_NT, variance_1T + squared_error_NT)
    return np.where(np.isfinite(shrunk_NT), shrunk_NT, beta_NT)


def less_group_mean(x_NT: Float, group_NT: Index, minimum: int, members_NT: Flag) -> Float:
    """Return x less the mean of its group's members that session where `minimum` of them have a value; elsewhere x as it is."""
    total_NT, count_NT = _group_sums(among(x_NT, members_NT), group_NT)
    return x_NT - np.where((group_NT >= 0) & (count_NT >= minimum), ratio(total_NT, count_NT), 0.0)


def mean_of_peers(x_NT: Float, group_NT: Index) -> Float:
    """Return the mean over the other tickers of the group that session; NaN without peers or without a group."""
    total_NT, count_NT = _group_sums(x_NT, group_NT)
    own_NT = np.isfinite(x_NT)
    return np.where(group_NT >= 0, ratio(total_NT - np.where(own_NT, x_NT, 0.0), count_NT - own_NT), np.nan)


def value_of_leader(x_NT: Float, size_NT: Float, group_NT: Index) -> Float:
    """Return x of the ticker of largest size in the group that session; NaN for the leader itself and without a group."""
    leader_NT = _of_group(kernels.group_largest(size_NT, group_NT, _groups(group_NT)), group_NT)
    value_NT: Float = x_NT[np.maximum(leader_NT, 0), np.arange(x_NT.shape[1])]
    itself_NT = leader_NT == np.arange(x_NT.shape[0])[:, None]
    return np.where((group_NT >= 0) & (leader_NT >= 0) & ~itself_NT, value_NT, np.nan)


def ratio(above: Float, below: Float) -> Float:
    """Return above / below, NaN where below is not positive."""
    shape = np.broadcast_shapes(above.shape, below.shape)
    with np.errstate(invalid="ignore"):
        positive = np.broadcast_to(below > 0, shape)
    out: Float = np.divide(above, below, out=np.full(shape, np.nan), where=positive)
    return out


def _groups(group_NT: Index) -> int:
    return max(1, int(group_NT.max(initial=-1)) + 1)


def _group_sums(x_NT: Float, group_NT: Index) -> tuple[Float, Float]:
    """Return sum and count of each ticker's group that session, [N, T]; of no meaning where the group is -1."""
    total_GT, count_GT = kernels.group_sums(x_NT, group_NT, _groups(group_NT))
    return _of_group(total_GT, group_NT), _of_group(count_GT, group_NT)


def _of_group(x_GT: npt.NDArray[Number], group_NT: Index) -> npt.NDArray[Number]:
    x_NT: npt.NDArray[Number] = x_GT[np.maximum(group_NT, 0), np.arange(group_NT.shape[1])]
    return x_NT
