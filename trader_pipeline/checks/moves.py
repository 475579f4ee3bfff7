"""What a series moves from row to row on one basis: units made alike, known splits undone, net of dividends."""

from dataclasses import dataclass

import numpy as np

from trader_pipeline.checks.series import Floats, Series, noise
from trader_pipeline.checks.units import UNIT, powers_of_100

MATCH_NOISES, LEAST_MATCH = 4, 0.03
"""A step is a split's when it differs from the log of the ratio by no more than four times what the series moves, or 3 %."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moves:
    """T rows. `step_T`: log step of the close against the row before, first NaN, net of dividends; `log_T4`: log open, high, low, close.

    `sigma`: what the series moves a row, `sigma_T` what it moves by the row, rows that are missing before it counted.
    """

    series: Series
    step_T: Floats
    log_T4: Floats
    sigma: float
    sigma_T: Floats

    def alike(self, one: float, other: float, t: int) -> bool:
        """Say whether two log steps are one within the noise of row `t`."""
        return abs(one - other) < max(MATCH_NOISES * float(self.sigma_T[t]), LEAST_MATCH)

    def opened(self, t: int) -> float:
        """Return the log step from the close before to the open of row `t`; NaN without an open."""
        return float(self.log_T4[t, 0] - self.log_T4[t - 1, 3])


def moves_of(series: Series) -> Moves:
    """Return what the series moves. Steps are of the closes as the vendor adjusts them for dividends, else net of the row's dividend."""
    log_T4 = np.log(series.price_T4)
    usable = np.isfinite(series.adj_T) & (series.adj_T > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        adjusted_T = np.where(usable, np.log(series.adj_T), np.nan)
    undone_T = log_T4[:, 3] + (np.cumsum(np.log(series.split_T)) if series.as_traded else 0.0)
    if max(np.max(np.abs(np.diff(undone_T)), initial=0.0), np.nanmax(np.abs(log_T4 - log_T4[:, 3:]), initial=0.0)) > UNIT / 2:
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
    step_T = np.where(np.isfinite(total_T), total_T, net_T)
    sigma = noise(step_T)
    return Moves(series=series, step_T=step_T, log_T4=log_T4, sigma=sigma, sigma_T=sigma * np.sqrt(series.gap_T))


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
