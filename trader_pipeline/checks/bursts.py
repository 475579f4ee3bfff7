"""Whether a price moved on news: news brings volume and a wide bar; an action or a fault brings neither."""

import math
from typing import Literal

import numpy as np

from trader_pipeline.checks.series import MAD_TO_SIGMA, Series

Evidence = Literal["calm", "news", "unknown"]
"""`calm`: nothing but the price changed. Only that proves a fault; `unknown` proves nothing."""

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
    """Return by how many times the row's volume exceeds that of the 20 rows before, a halt left out; NaN where volume says nothing.

    That is where the row's is 0 or null, fewer than 80 % of those rows trade, or ordinary volumes differ threefold from row to row.
    With a `ratio` of new over old shares, the larger of what traded before and its `ratio` is usual: shares may have split, or not.
    """
    traded = np.flatnonzero(series.traded_T[:t])
    if not len(traded) or not series.traded_T[t]:
        return math.nan
    last = traded[-1] + 1
    before = series.volume_T[max(0, last - BEFORE_ROWS) : last][series.traded_T[max(0, last - BEFORE_ROWS) : last]]
    if len(before) < LEAST_TRADED * min(BEFORE_ROWS, last):
        return math.nan
    log_volume = np.log(before)
    usual = float(np.median(log_volume))
    if MAD_TO_SIGMA * float(np.median(np.abs(log_volume - usual))) > math.log(CALM):
        return math.nan
    return float(series.volume_T[t]) / (math.exp(usual) * max(1.0, ratio))


def evidence(series: Series, t: int, ratio: float = 1.0) -> Evidence:
    """Say whether nothing but the price changed at row `t`: usual volume before, at and after it, and a bar of usual height.

    Unknown where volume says nothing, the row has no high and low, bars have no height, or fewer than 3 of the 10 rows after trade.
    """
    excess = burst(series, t, ratio)
    after = slice(t + 1, t + 1 + AFTER_ROWS)
    volumes_after = series.volume_T[after][series.traded_T[after]]
    whole_T = np.isfinite(series.price_T4[:, 1:3]).all(axis=1)
    height_T = np.where(whole_T, np.log(np.fmax.reduce(series.price_T4, axis=1) / np.fmin.reduce(series.price_T4, axis=1)), np.nan)
    near_T = np.delete(height_T[max(0, t - BEFORE_ROWS) : t + AFTER_ROWS + 1], min(t, BEFORE_ROWS))
    near_T = near_T[np.isfinite(near_T)]
    usual = float(np.median(near_T)) if len(near_T) else 0.0
    if excess > CALM or (usual > 0 and height_T[t] > WIDE * usual):
        return "news"
    if not math.isfinite(excess) or not math.isfinite(height_T[t]) or usual <= 0 or len(volumes_after) < LEAST_AFTER:
        return "unknown"
    return "news" if series.volume_T[t] > CALM * np.median(volumes_after) else "calm"
