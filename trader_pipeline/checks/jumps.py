"""Steps of a series that are a split's in size, read off its prices alone."""

import math
from dataclasses import dataclass

import numpy as np

from trader_pipeline.checks.rule import Severity
from trader_pipeline.checks.series import PRICES, SPLIT_MOVE, Floats, Series, noise
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
"""Farther from its split, only a step of 3:1 or more is an error on its own: stocks do halve on news."""

UNLISTED_MOVE = math.log(1.45)
UNLISTED_NOISES = 3
USUAL = (1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0, 15.0, 20.0, 25.0, 30.0, 40.0, 50.0)
"""Ratios that companies choose; 100 is left to the rule on units."""

VOLUME_ROWS = 10
VOLUME_REACH = math.log(10)
"""At a split as many dollars change hands as before; news brings more. Volumes within a factor of ten of that are a split's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Jump:
    """A step that is a split's in size. `t`: first row after it; `t_end`: last row of a block that steps back, else None.

    `ratio`: what the close before is of the close after, or the listed ratio it matches; `listed`: the split's row; `columns`:
    the prices concerned where only some of the row's are.
    """

    t: int
    t_end: int | None
    step: float
    ratio: float
    listed: int | None
    columns: tuple[int, ...] = ()

    def severity(self) -> Severity:
        """Error where the split, or the step back, proves it; a single step without an action may be real."""
        if self.listed is None:
            return "error" if self.t_end is not None else "warning"
        near = abs(self.t - self.listed) <= NEAR_ROWS or self.t_end is not None
        return "error" if near or abs(math.log(self.ratio)) >= FAR_RATIO else "warning"


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
        if split is not None:
            found.append(Jump(t=t, t_end=back - 1 if back else None, step=step_T[t], ratio=math.exp(-split[1]), listed=split[0]))
        elif abs(step_T[t]) > UNLISTED_MOVE and _overnight(series, log_T4, step_T, t, sigma_T[t]):
            opened = log_T4[t, 0] - log_T4[t - 1, 3]
            usual = _usual_match(step_T[t], sigma_T[t]) or _usual_match(opened, sigma_T[t])
            if usual is None or not _volume_of_split(series, t, usual):
                continue
            if back is not None and not _overnight(series, log_T4, step_T, back, sigma_T[back]):
                continue
            found.append(Jump(t=t, t_end=back - 1 if back else None, step=step_T[t], ratio=usual, listed=None))
        else:
            continue
        taken |= {t} | ({back} if back else set())
    return [*found, *_partial_rows(series, log_T4, listed, sigma, found)]


def _same(one: float, other: float, sigma: float) -> bool:
    return abs(one - other) < max(MATCH_NOISES * sigma, LEAST_MATCH) and one * other > 0


def _listed_match(step: float, listed: list[tuple[int, float]], t: int, sigma: float) -> tuple[int, float] | None:
    """Return the nearest listed split of this size, and the log of its ratio with the sign that the step has."""
    reach = max(MATCH_NOISES * sigma, LEAST_MATCH)
    matches = [(s, math.copysign(q, step)) for s, q in listed if abs(abs(step) - abs(q)) < min(reach, abs(q) / 3)]
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


def _volume_of_split(series: Series, t: int, ratio: float) -> bool:
    """Say whether the shares traded on the row are what they were before, times the ratio; without volumes, yes."""
    before = series.volume_T[max(0, t - VOLUME_ROWS) : t]
    before = before[np.isfinite(before) & (before > 0)]
    now = series.volume_T[t]
    if not len(before) or not np.isfinite(now) or now <= 0:
        return True
    return bool(abs(math.log(now / float(np.median(before)) / ratio)) < VOLUME_REACH)


def _partial_rows(series: Series, log_T4: Floats, listed: list[tuple[int, float]], sigma: float, found: list[Jump]) -> list[Jump]:
    """Return daily rows near a listed split of which single prices stand on the basis before it or after it."""
    if series.spacing != "daily":
        return []
    rows = []
    taken = {t for jump in found for t in range(jump.t, (jump.t_end or jump.t) + 1)}
    for s, q in listed:
        for t in range(max(1, s - NEAR_ROWS), min(len(log_T4), s + NEAR_ROWS + 1)):
            if t in taken:
                continue
            away = log_T4[t] - np.nanmedian(log_T4[max(0, t - 1) : t + 2])
            reach = max(MATCH_NOISES * sigma, LEAST_MATCH)
            columns = tuple(int(j) for j in np.flatnonzero(np.abs(np.abs(np.nan_to_num(away)) - abs(q)) < reach))
            if 0 < len(columns) < len(PRICES):
                taken.add(t)
                step = float(away[columns[0]])
                rows.append(Jump(t=t, t_end=t, step=step, ratio=math.exp(-math.copysign(q, step)), listed=s, columns=columns))
    return rows
