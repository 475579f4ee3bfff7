"""Will the next h sessions move more than the last h? The forecast's width against rules that need no model.

Realised volatility is the root mean square of forward_return_1d, the return from one session's open to its close.
Legend: N tickers, T sessions.
"""

from dataclasses import dataclass

import numpy as np

from trader_pipeline.evaluation.judged import Flags, Floats
from trader_pipeline.evaluation.outcome import Outcome

MEMORY_SESSIONS = 252
"""What mean reversion returns to: the mean volatility of so many sessions."""
HAR_SESSIONS = (1, 5, 22)
"""Day, week and month of Corsi's model."""
_NORMAL_90 = 2 * 1.6448536269514722


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VolatilityCalls:
    """What came and what was said, [N, T]: whether volatility rises. `rows_NT` is where all of it is known."""

    up_NT: Flags
    forecast_NT: Flags
    mean_reversion_NT: Flags
    har_NT: Flags
    rows_NT: Flags


def volatility_calls(outcome: Outcome, forward_return_1d_NT: Floats, volatility_NT: Floats) -> VolatilityCalls:
    """Return the calls of every judged row.

    The forecast is the width of q05..q95 over the horizon, brought to the scale of realised volatility by the median ratio of
    the earlier folds, purged. Mean reversion says up while volatility is under its mean of 252 sessions. HAR (Corsi 2009)
    is fitted on the earlier folds' past, pooled over tickers in units of `volatility_NT`.
    """
    horizon = outcome.horizon
    square_NT = np.full(forward_return_1d_NT.shape, np.nan)
    square_NT[:, 1:] = forward_return_1d_NT[:, :-1] ** 2
    past_NT = np.sqrt(_trailing_mean(square_NT, horizon))
    future_NT = np.full(past_NT.shape, np.nan)
    future_NT[:, :-horizon] = past_NT[:, horizon:]
    memory_NT = _trailing_mean(past_NT, MEMORY_SESSIONS)
    judged = outcome.judged
    said_NT = (judged.scaled_quantiles_QNT[-1] - judged.scaled_quantiles_QNT[0]) / _NORMAL_90 * volatility_NT
    scaled_NT, har_NT = np.full(past_NT.shape, np.nan), np.full(past_NT.shape, np.nan)
    parts_PNT = np.stack([np.sqrt(_trailing_mean(square_NT, span)) / volatility_NT for span in HAR_SESSIONS])
    for fold in judged.folds[1:]:
        T = judged.fold_T == fold
        known_NT = np.isfinite(future_NT) & (np.arange(past_NT.shape[1]) + horizon <= np.flatnonzero(T)[0])
        ratio = (future_NT / said_NT)[known_NT & np.isfinite(said_NT) & (said_NT > 0)]
        if len(ratio):
            scaled_NT[:, T] = said_NT[:, T] * np.median(ratio)
            har_NT[:, T] = _har(parts_PNT, future_NT / volatility_NT, known_NT, T) * volatility_NT[:, T]
    rows_NT = outcome.rows_NT & np.isfinite(future_NT) & np.isfinite(past_NT) & np.isfinite(memory_NT)
    rows_NT &= np.isfinite(scaled_NT) & np.isfinite(har_NT) & (future_NT != past_NT)
    return VolatilityCalls(
        up_NT=future_NT > past_NT,
        forecast_NT=scaled_NT > past_NT,
        mean_reversion_NT=past_NT < memory_NT,
        har_NT=har_NT > past_NT,
        rows_NT=rows_NT,
    )


def _har(parts_PNT: Floats, target_NT: Floats, known_NT: Flags, T: Flags) -> Floats:
    """Return the least-squares forecast of the sessions in `T` from a constant and the parts, fitted where `known_NT`."""
    fit_NT = known_NT & np.isfinite(target_NT) & np.isfinite(parts_PNT).all(axis=0)
    x = np.column_stack([np.ones(int(fit_NT.sum())), *(part[fit_NT] for part in parts_PNT)])
    slopes, *_ = np.linalg.lstsq(x, target_NT[fit_NT], rcond=None)
    return np.asarray(slopes[0] + np.tensordot(slopes[1:], parts_PNT[:, :, T], axes=1))


def _trailing_mean(values_NT: Floats, sessions: int) -> Floats:
    """Return the mean of the `sessions` values ending at each session; NaN where one of them is not known."""
    total = np.cumsum(np.nan_to_num(values_NT), axis=1)
    count = np.cumsum(np.isfinite(values_NT), axis=1)
    out = np.full(values_NT.shape, np.nan)
    width = total[:, sessions - 1 :].copy(), count[:, sessions - 1 :].copy()
    width[0][:, 1:] -= total[:, :-sessions]
    width[1][:, 1:] -= count[:, :-sessions]
    out[:, sessions - 1 :] = np.where(width[1] == sessions, np.maximum(width[0], 0) / sessions, np.nan)
    return out
