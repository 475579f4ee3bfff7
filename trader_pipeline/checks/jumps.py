"""Steps of a series that are a split's in size, read off its prices alone."""

import math
from dataclasses import dataclass

import numpy as np

from trader_pipeline.checks.bursts import AFTER_ROWS, BEFORE_ROWS, burst, calm
from trader_pipeline.checks.rule import Severity
from trader_pipeline.checks.series import PRICES, SPLIT_MOVE, Floats, Series, local_noise, noise
from trader_pipeline.checks.units import UNIT, powers_of_100

NOISES = 6
"""A step has to exceed what the series moves this many times over before it is taken for a split's."""

MATCH_NOISES, LEAST_MATCH = 4, 0.03
"""A step is a split's when it differs from the log of the ratio by no more than four times what the series moves, or 3 %."""

NEAR_ROWS = 10
"""A step of a listed ratio this close to the split's row is that split, put in the wrong place."""

BLOCK_ROWS = 60
"""Two opposite steps of one size no farther apart than this enclose rows on another basis."""

FAR_RATIO = math.log(3)
"""Farther from its split, where volume says nothing, only a step of 3:1 or more is an error on its own: stocks do halve on news."""

UNLISTED_MOVE = math.log(1.45)
UNLISTED_NOISES = 3

PROVEN_NOISES = 8
"""What a step without an action has to exceed, in what the rows around it move, tails included, to be more than a restless series' own."""

USUAL = (1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0, 15.0, 20.0, 25.0, 30.0, 40.0, 50.0)
"""Ratios that companies choose; 100 is left to the rule on units."""

COMMON = frozenset({1.5, 2.0, 3.0, 4.0, 5.0, 10.0, 20.0, 25.0, 50.0})
"""Those chosen often. The others lie so close together that a share exchange of any ratio is near one of them (SCR.TO's 15.4 is)."""

GREAT_MOVE, GREAT_NEWS = math.log(5), 5
"""No news moves a price five times with less than five times the volume, and no quote that nobody traded at strays so far."""

NEWS = 10
"""At a split as many dollars change hands as before; news brings more. Volumes beyond ten times that are no split's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Jump:
    """A step that is a split's in size. `t`: first row after it; `t_end`: last row of a block that steps back, else None.

    `ratio`: what the close before is of the close after, a usual or the listed ratio where it matches one; `listed`: the split's
    row; `columns`: the prices concerned where only some of the row's are; `usual`: the ratio is one that companies choose.
    """

    t: int
    t_end: int | None
    step: float
    ratio: float
    listed: int | None
    severity: Severity
    columns: tuple[int, ...] = ()
    usual: bool = True


def steps_of(series: Series) -> tuple[Floats, Floats]:
    """Return each row's log step against the one before it, first NaN, and log prices (T, 4), on one basis.

    The basis: units made alike, known splits undone, and where the vendor adjusts closes for dividends, those; else the
    step is net of the row's dividend.
    """
    log_T4 = np.log(series.price_T4)
    usable = np.isfinite(series.adj_T) & (series.adj_T > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        adjusted_T = np.where(usable, np.log(series.adj_T), np.nan)
    undone_T = log_T4[:, 3] + (np.cumsum(np.log(series.split_T)) if series.as_traded else 0.0)
    if np.max(np.abs(np.diff(undone_T)), initial=0.0) > UNIT / 2:
        power_T4 = powers_of_100(series)
        log_T4 = log_T4 - power_T4 * UNIT
        adjusted_T = adjusted_T - power_T4[:, 3] * UNIT
    if _jumps_at_splits(series, log_T4[:, 3], adjusted_T):
        log_T4 = log_T4 + np.cumsum(np.log(series.split_T))[:, None]
    raw_T = np.diff(log_T4[:, 3], prepend=np.nan)
    cash_T = np.nan_to_num(series.dividend_T)
    net_T = raw_T + np.log1p(cash_T / series.close_T) * (cash_T > 0)
    net_T = np.where(np.abs(net_T) < np.abs(raw_T), net_T, raw_T)
    total_T = np.diff(adjusted_T, prepend=np.nan)
    return np.where(np.isfinite(total_T), total_T, net_T), log_T4


def _jumps_at_splits(series: Series, log_T: Floats, adjusted_T: Floats) -> bool:
    """Say whether the closes are as traded: told so, or, without adjusted closes, where that explains the closes better."""
    at = np.flatnonzero(series.split_T != 1)
    at = at[at > 0]
    if series.as_traded or not len(at):
        return series.as_traded
    if np.isfinite(adjusted_T[at]).any():
        return False
    moves, ratios = log_T[at] - log_T[at - 1], np.log(series.split_T[at])
    return bool(np.abs(moves + ratios).sum() < np.abs(moves).sum())


def jumps_of(series: Series) -> list[Jump]:
    """Return the steps that are a split's in size, blocks that step back as one."""
    step_T, log_T4 = steps_of(series)
    sigma = noise(step_T)
    sigma_T = sigma * np.sqrt(series.gap_T)
    listed = [(int(s), math.log(series.split_T[s])) for s in np.flatnonzero(series.split_T != 1)]
    listed = [(s, q) for s, q in listed if abs(q) > max(NOISES * sigma, SPLIT_MOVE)]
    big = np.flatnonzero(np.nan_to_num(np.abs(step_T)) > np.maximum(NOISES * sigma_T, SPLIT_MOVE))
    found: list[Jump] = []
    taken: set[int] = set()
    for t in big.tolist():
        if t in taken:
            continue
        back = next((u for u in big.tolist() if t < u <= t + BLOCK_ROWS and _same(step_T[t], -step_T[u], sigma_T[u])), None)
        split = _listed_match(step_T[t], listed, t, sigma_T[t])
        jump = _listed(series, step_T, t, back, split) if split else _unlisted(series, log_T4, step_T, t, back, sigma_T)
        if jump is not None:
            found.append(jump)
            taken |= {t} | ({back} if back else set())
    return [*found, *_partial_rows(series, log_T4, listed, sigma, found)]


def _listed(series: Series, step_T: Floats, t: int, back: int | None, split: tuple[int, float]) -> Jump:
    """Return the step as that of its split: an error near the split, where prices step back, or where no news explains it."""
    at, log_ratio = split
    ratio = math.exp(-log_ratio)
    still = calm(series, t, ratio)
    proven = abs(t - at) <= NEAR_ROWS or back is not None or (abs(log_ratio) >= FAR_RATIO if still is None else still)
    severity: Severity = "error" if proven else "warning"
    return Jump(t=t, t_end=back - 1 if back else None, step=step_T[t], ratio=ratio, listed=at, severity=severity)


def _unlisted(series: Series, log_T4: Floats, step_T: Floats, t: int, back: int | None, sigma_T: Floats) -> Jump | None:
    """Return the step if it was there at the open, stays or comes back as one, and no news explains it; None otherwise.

    An error where nothing else changed that day: then either an action is missing or the prices are wrong. Where the shares traded changed
    inversely, by no common ratio, it may be an exchange of shares or a distribution: a warning.
    """
    step = float(step_T[t])
    if abs(step) <= UNLISTED_MOVE or not all(_overnight(series, log_T4, step_T, u, sigma_T[u]) for u in (t, back) if u):
        return None
    usual = _usual_match(step, sigma_T[t]) or _usual_match(log_T4[t, 0] - log_T4[t - 1, 3], sigma_T[t])
    ratio = usual or math.exp(-step)
    if back is None and not _stays(log_T4, t, step):
        return None
    still = calm(series, t, ratio) or (abs(step) >= GREAT_MOVE and not burst(series, t) > GREAT_NEWS)
    if not still and (usual is None or burst(series, t, ratio) > NEWS):
        return None
    proven = abs(step) > PROVEN_NOISES * local_noise(step_T, t, *([back] if back else [])) * math.sqrt(series.gap_T[t])
    if back is None:
        known = max(ratio, 1 / ratio) in COMMON or not _inverse_volume(series, t, step)
        proven &= bool(still) and known
    else:
        proven &= bool(still) and calm(series, back, 1 / ratio) is not False
    severity: Severity = "error" if proven else "warning"
    end = back - 1 if back else None
    return Jump(t=t, t_end=end, step=step, ratio=ratio, listed=None, severity=severity, usual=usual is not None)


def _stays(log_T4: Floats, t: int, step: float) -> bool:
    """Say whether the prices of the rows before and after lie apart by the step: what is back within days was no change of basis."""
    moved = float(np.median(log_T4[t : t + AFTER_ROWS, 3]) - np.median(log_T4[max(0, t - AFTER_ROWS) : t, 3]))
    return abs(moved - step) < abs(step) / 3


def _inverse_volume(series: Series, t: int, step: float) -> bool:
    """Say whether the shares traded changed as inversely to the price as a split makes them, rather than not at all."""
    before, after = (np.nan_to_num(v) for v in (series.volume_T[max(0, t - BEFORE_ROWS) : t], series.volume_T[t : t + AFTER_ROWS]))
    if not before.any() or not after.any():
        return False
    moved = math.log(np.median(after[after > 0]) / np.median(before[before > 0]))
    return abs(moved + step) < abs(moved)


def _same(one: float, other: float, sigma: float) -> bool:
    return abs(one - other) < max(MATCH_NOISES * sigma, LEAST_MATCH) and one * other > 0


def _listed_match(step: float, listed: list[tuple[int, float]], t: int, sigma: float) -> tuple[int, float] | None:
    """Return the nearest listed split of this size, and the log of the factor with the sign that the step has.

    Near its split a step of twice the log counts too: the split was applied the wrong way round.
    """
    reach = max(MATCH_NOISES * sigma, LEAST_MATCH)
    sizes = [(s, abs(q) * times) for s, q in listed for times in ((1, 2) if abs(s - t) <= NEAR_ROWS else (1,))]
    matches = [(s, math.copysign(size, step)) for s, size in sizes if abs(abs(step) - size) < min(reach, size / 3)]
    return min(matches, key=lambda match: abs(match[0] - t), default=None)


def _usual_match(step: float, sigma: float) -> float | None:
    """Return the usual ratio nearest to the step, as new / old shares, None where none is within the noise, or there is no step."""
    if not np.isfinite(step):
        return None
    ratio = min(USUAL, key=lambda usual: abs(abs(step) - math.log(usual)))
    near = abs(abs(step) - math.log(ratio)) < max(UNLISTED_NOISES * sigma, LEAST_MATCH)
    return (ratio if step < 0 else 1 / ratio) if near else None


def _overnight(series: Series, log_T4: Floats, step_T: Floats, t: int, sigma: float) -> bool:
    """Say whether the step was there at the open, as a split's is; a row without an open is not judged by it."""
    opened = log_T4[t, 0] - log_T4[t - 1, 3]
    return bool(not np.isfinite(opened) or abs(opened - step_T[t]) < max(MATCH_NOISES * sigma, LEAST_MATCH)) or series.spacing != "daily"


def _partial_rows(series: Series, log_T4: Floats, listed: list[tuple[int, float]], sigma: float, found: list[Jump]) -> list[Jump]:
    """Return rows of which single prices stand off the rows beside them by a listed ratio.

    Far from the split, and in longer bars, which hold days of both bases, only bars that contradict themselves.
    """
    taken = np.zeros(len(log_T4), dtype=bool)
    for jump in found:
        taken[jump.t : (jump.t_end or jump.t) + 1] = True
    edged_T4 = np.pad(log_T4, ((1, 1), (0, 0)), constant_values=np.nan)
    beside_T = np.nanmedian(np.hstack([edged_T4[:-2], edged_T4[1:-1], edged_T4[2:]]), axis=1)
    away_T4 = np.nan_to_num(log_T4 - beside_T[:, None])
    torn_T = (np.fmax(log_T4[:, 0], log_T4[:, 3]) > log_T4[:, 1]) | (np.fmin(log_T4[:, 0], log_T4[:, 3]) < log_T4[:, 2])
    rows = []
    for s, q in listed:
        off_T4 = np.abs(np.abs(away_T4) - abs(q)) < max(MATCH_NOISES * sigma, LEAST_MATCH)
        near_T = (np.abs(np.arange(len(log_T4)) - s) <= NEAR_ROWS) & (series.spacing == "daily")
        some_T = off_T4.any(axis=1) & ~off_T4.all(axis=1) & (near_T | torn_T)
        for t in np.flatnonzero(some_T & ~taken).tolist():
            taken[t] = True
            columns = tuple(np.flatnonzero(off_T4[t]).tolist())
            step = float(away_T4[t, columns[0]])
            ratio = math.exp(-math.copysign(q, step))
            rows.append(Jump(t=t, t_end=t, step=step, ratio=ratio, listed=s, severity="error", columns=columns))
    return rows
