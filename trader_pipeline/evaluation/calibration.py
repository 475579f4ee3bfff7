"""Fit the parameters that turn raw forecasts into honest probabilities, on out-of-fold rows only.

Every slope is multiplied by the positive part of 1 - variance / slope^2 (James & Stein 1961), where the variance counts
labels that overlap in time and names that move together once: a signal that the past folds do not establish is shrunk to
nothing, and the forecast falls back to the base rate. The score is fitted first and scaled_mean on what it leaves: over
tickers there is more to learn from than over sessions.
"""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
from sklearn.isotonic import IsotonicRegression

from trader_pipeline.evaluation.judged import Flags, Floats, Judged
from trader_pipeline.models import conformal
from trader_pipeline.models.calibrate import Calibration, apply, expit, logit
from trader_pipeline.schema.quantiles import LEVELS

LARGEST_UP_SHRINK = float(np.sqrt(8 / np.pi))
"""Slope of logit P(x + noise > 0) in x at 0 for unit noise, 1.6: what a perfect scaled_mean would deserve. A forecast may be shrunk,
never amplified: a member that said almost nothing in the past folds must not be shouted when it raises its voice."""

FEWEST_BLOCKS = 8
"""A variance from fewer independent spells is itself a guess: at 60 sessions ahead this asks for almost four years out of fold."""

_NEWTON_STEPS = 50
_LONGEST_STEP = 5.0
_ATTAINABLE = 0.99
_CLOSE = 1e-10
_Rows = npt.NDArray[np.int64]


def fit(judged: Judged, rows_NT: Flags, *, otherwise_attainable: float = 0.0) -> Calibration | None:
    """Return the calibration fitted on the rows, or None where fewer than two sessions have any.

    The method `isotonic` maps the shrunk p_up once more by the monotone map that fits the rows best (Zadrozny & Elkan 2002), where the rows
    span `FEWEST_BLOCKS`. A pool (`Judged.up_signal_NT`) has no slopes of p_up to fit: its members have. `otherwise_attainable` stands
    where no row says how far p_up can move.
    """
    _, session = np.nonzero(rows_NT)
    if len(np.unique(session)) < 2:  # noqa: PLR2004 - no variance from one
        return None
    labels = judged.labels
    horizon = labels.horizon
    raw, realised, up = judged.scaled_mean_NT[rows_NT], labels.scaled_return_NT[rows_NT], labels.up_NT[rows_NT]
    pooled = judged.up_signal_NT is not None
    score, rank, base = judged.score_NT[rows_NT], labels.residual_rank_NT[rows_NT], labels.base_rate_NT[rows_NT]
    center, drift = float(raw.mean()), float(realised.mean())
    signal, neutral = raw - center, logit(base)
    ranked = np.isfinite(rank) & (rank != 0)
    up_score = 0.0 if pooled else logistic_slope(score, up, neutral, session, horizon)
    up_mean = 0.0 if pooled else logistic_slope(signal, up, neutral + up_score * score, session, horizon)
    mean_score = linear_slope(score, realised - drift, session, horizon)
    draft = Calibration(
        up_score_slope=up_score,
        up_shrink=min(up_mean, LARGEST_UP_SHRINK),
        outperform_shrink=logistic_slope(score[ranked], (rank[ranked] > 0) * 1.0, np.zeros(ranked.sum()), session[ranked], horizon),
        mean_score_slope=mean_score,
        mean_shrink=min(linear_slope(signal, realised - drift - mean_score * score, session, horizon), 1.0),
        mean_center=center,
        drift=drift,
        interval_scales=(1.0,) * len(LEVELS),
        median_offset=0.0,
        base_rate=float(up.mean()),
        attainable=0.0,
        pooled=pooled,
    )
    plain = apply(
        draft,
        score=score,
        scaled_mean=raw,
        scaled_quantiles_Q=judged.scaled_quantiles_QNT[:, rows_NT],
        base_rate=base,
        up_signal=None if judged.up_signal_NT is None else judged.up_signal_NT[rows_NT],
    )
    residual = realised - plain.scaled_mean
    offset = float(np.median(residual))
    distances = plain.scaled_quantiles - plain.scaled_mean
    said = np.isfinite(plain.p_up)
    knots = _isotonic(plain.p_up[said], up[said], session[said], horizon) if judged.method == "isotonic" else None
    p_up = plain.p_up[said] if knots is None else np.interp(plain.p_up[said], *knots)
    distance = np.abs(p_up - base[said])
    return replace(
        draft,
        interval_scales=tuple(conformal.scales(conformal.conformity(residual - offset, distances)).tolist()),
        median_offset=offset,
        attainable=float(np.quantile(distance, _ATTAINABLE)) if (distance > _CLOSE).any() else otherwise_attainable,
        isotonic=knots,
    )


def _isotonic(p_up: Floats, up: Floats, session: _Rows, horizon: int) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    if not len(session) or len(np.unique(spells(session, horizon))) < FEWEST_BLOCKS:
        return None
    fitted = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(p_up, up)
    return tuple(fitted.X_thresholds_.tolist()), tuple(fitted.y_thresholds_.tolist())


def logistic_slope(x: Floats, outcome: Floats, offset: Floats, session: _Rows, horizon: int) -> float:
    """Return the shrunk maximum-likelihood slope of logit P(outcome) = offset + slope * x, at least 0. `session`: each row's session."""
    slope = 0.0
    if not len(x) or float(x @ x) < _CLOSE:
        return slope
    for _ in range(_NEWTON_STEPS):
        p = expit(offset + slope * x)
        step = float(x @ (outcome - p)) / max(float(x**2 @ (p * (1 - p))), _CLOSE)
        slope += float(np.clip(step, -_LONGEST_STEP, _LONGEST_STEP))
        if abs(step) < _CLOSE:
            break
    p = expit(offset + slope * x)
    return _shrunk(slope, x * (outcome - p), float(x**2 @ (p * (1 - p))), session, horizon)


def linear_slope(x: Floats, y: Floats, session: _Rows, horizon: int) -> float:
    """Return the shrunk least-squares slope of y = slope * x, at least 0."""
    curvature = float(x @ x)
    if curvature < _CLOSE:
        return 0.0
    slope = float(x @ y) / curvature
    return _shrunk(slope, x * (y - slope * x), curvature, session, horizon)


def _shrunk(slope: float, gradient: Floats, curvature: float, session: _Rows, horizon: int) -> float:
    """Shrink by the sandwich variance over blocks of two horizons (Liang & Zeger 1986); fewer than `FEWEST_BLOCKS` establish nothing."""
    block = spells(session, horizon)
    sums = np.bincount(block, weights=gradient)
    sums = sums[np.bincount(block) > 0]
    if slope <= 0 or len(sums) < FEWEST_BLOCKS or curvature < _CLOSE:
        return 0.0
    variance = float(sums @ sums) / curvature**2 * len(sums) / (len(sums) - 1)
    return slope * max(0.0, 1 - variance / slope**2)


def spells(session: _Rows, horizon: int) -> _Rows:
    """Return each row's spell of two horizons: labels of different ones hardly overlap."""
    return np.asarray((session - session.min()) // (2 * horizon))
