"""Cumulative factors of splits and dividends as plain arrays: the one mechanism behind every adjusted price.

Forward adjustment: the factor is 1 at a ticker's first session and changes only at its own actions, so history never
changes when a later split comes. Adjusted price = price * factor, adjusted volume = volume / split factor. Dividing by
the last factor gives the back-adjusted view that charts show.
"""

import numpy as np
import numpy.typing as npt

Days = npt.NDArray[np.datetime64]
Floats = npt.NDArray[np.float64]


def split_factors(sessions_T: Days, action_sessions_A: Days, ratios_A: npt.ArrayLike) -> Floats:
    """Return the product of all split ratios (new / old shares) that took effect after the first session, up to each one.

    `sessions_T` ascends. A split takes effect at the open of its session, or of the next one that the ticker has; a
    split on or before the first session is already in its price and is left out.
    """
    sessions_T = np.asarray(sessions_T, dtype="datetime64[D]")
    steps_T = np.ones(len(sessions_T))
    for index, ratio in _effective(sessions_T, action_sessions_A, ratios_A):
        steps_T[index] *= ratio
    return np.asarray(np.cumprod(steps_T))


def dividend_factors(sessions_T: Days, close_T: npt.ArrayLike, split_T: Floats, action_sessions_A: Days, cash_A: npt.ArrayLike) -> Floats:
    """Return the growth of share count when every dividend is reinvested at the close of its ex-date: the product of `dividend_steps`."""
    return np.asarray(np.cumprod(dividend_steps(sessions_T, close_T, split_T, action_sessions_A, cash_A)))


def dividend_steps(sessions_T: Days, close_T: npt.ArrayLike, split_T: Floats, action_sessions_A: Days, cash_A: npt.ArrayLike) -> Floats:
    """Return each session's growth of share count by reinvested dividends, 1 where there is none.

    `close_T` is as traded and may hold NaN; `split_T` comes from `split_factors`; `cash_A` is per as-traded share. On the
    ex-date the return of close * split * dividend factor is (close + cash) / previous close - 1, CRSP's definition. Where
    the ex-date has no close, the last one before it stands in; where there is none at all, the dividend has no effect.
    """
    sessions_T = np.asarray(sessions_T, dtype="datetime64[D]")
    adjusted_T = _carried_forward(np.asarray(close_T, dtype=np.float64) * split_T)
    steps_T = np.ones(len(sessions_T))
    for index, cash in _effective(sessions_T, action_sessions_A, cash_A):
        if adjusted_T[index] > 0:
            steps_T[index] += cash * split_T[index] / adjusted_T[index]
    return steps_T


def _effective(sessions_T: Days, action_sessions_A: Days, values_A: npt.ArrayLike) -> list[tuple[int, float]]:
    """Return (index of the session at which it takes effect, value) of the actions inside the history."""
    days_A = np.asarray(action_sessions_A, dtype="datetime64[D]")
    index_A = np.searchsorted(sessions_T, days_A, side="left")
    pairs = zip(index_A.tolist(), np.asarray(values_A, dtype=np.float64).tolist(), strict=True)
    return [(index, value) for index, value in pairs if 0 < index < len(sessions_T)]


def _carried_forward(values_T: Floats) -> Floats:
    """Return `values_T` with each NaN replaced by the last finite value before it."""
    last_T = np.maximum.accumulate(np.where(np.isfinite(values_T), np.arange(len(values_T)), -1))
    return np.where(last_T >= 0, values_T[np.maximum(last_T, 0)], np.nan)
