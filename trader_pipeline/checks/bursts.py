"""Whether a price moved on news: news brings volume and a wide bar; an action or a fault brings neither."""

import math

import numpy as np

from trader_pipeline.checks.series import MAD_TO_SIGMA, Series

BEFORE_ROWS, AFTER_ROWS = 20, 10
LEAST_AFTER = 3
"""With fewer rows after it, nobody can tell yet."""

LEAST_TRADED = 0.8
"""Where fewer of the rows before trade, volume says nothing."""

CALM = 3.0
"""Volume up to three times the usual is no news: 98 of 100 ordinary days have less. Crashes and bids bring 10 to 100 times."""

WIDE = 3
"""A bar up to three times as tall as the usual one is no news."""


def burst(series: Series, t: int, ratio: float = 1.0) -> float:
    """Return by how many times the row's volume exceeds that of 20 rows before; NaN where volume says nothing.

    That is where fewer than 80 % of those rows trade, or where ordinary volumes differ threefold from row to row. With a `ratio` of
    new over old shares, the larger of what traded before and its `ratio` is usual: shares may have split, or not.
    """
    before = np.nan_to_num(series.volume_T[max(0, t - BEFORE_ROWS) : t])
    if not len(before) or (before > 0).mean() < LEAST_TRADED:
        return math.nan
    log_volume = np.log(before[before > 0])
    usual = float(np.median(log_volume))
    if MAD_TO_SIGMA * float(np.median(np.abs(log_volume - usual))) > math.log(CALM):
        return math.nan
    return float(np.nan_to_num(series.volume_T[t])) / (math.exp(usual) * max(1.0, ratio))


def calm(series: Series, t: int, ratio: float = 1.0) -> bool | None:
    """Say whether nothing but the price changed at row `t`: usual volume before, at and after it, and a bar of usual height.

    None where volume says nothing.
    """
    excess = burst(series, t, ratio)
    if not np.isfinite(excess):
        return None
    after = np.nan_to_num(series.volume_T[t + 1 : t + 1 + AFTER_ROWS])
    if len(after) < LEAST_AFTER or excess > CALM or series.volume_T[t] > CALM * np.median(after):
        return False
    height_T = np.log(np.fmax.reduce(series.price_T4, axis=1) / np.fmin.reduce(series.price_T4, axis=1))
    near_T = np.delete(height_T[max(0, t - BEFORE_ROWS) : t + AFTER_ROWS + 1], min(t, BEFORE_ROWS))
    return bool(height_T[t] <= WIDE * np.median(near_T))
