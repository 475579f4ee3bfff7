"""Raw forecasts into probabilities and intervals that mean what they say. Pure arrays: evaluation and inference both apply it.

The parameters are rows of training.calibration, fitted by evaluation on out-of-fold rows. Arrays of one horizon, any shape.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

PRIOR_SESSIONS = 1000
"""Weight of the universe's base rate in a ticker's own, in sessions of labels: about four years."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Parameters of one horizon; the columns of training.calibration say what each means."""

    up_shrink: float
    up_score_slope: float
    outperform_shrink: float
    mean_shrink: float
    mean_score_slope: float
    mean_center: float
    drift: float
    interval_scale: float
    median_offset: float
    base_rate: float
    attainable: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Calibrated:
    """Probabilities, confidence in 0-1, and the return distribution in sigmas; `scaled_quantiles` has one more first axis, Q."""

    p_up: Floats
    p_outperform: Floats
    confidence: Floats
    scaled_mean: Floats
    scaled_quantiles: Floats


def apply(
    calibration: Calibration,
    *,
    score: npt.ArrayLike,
    scaled_mean: npt.ArrayLike,
    scaled_quantiles_Q: npt.ArrayLike,
    base_rate: npt.ArrayLike,
) -> Calibrated:
    """Return calibrated forecasts; NaN in, NaN out.

    logit p_up = logit base_rate + up_score_slope * score + up_shrink * (scaled_mean - mean_center), and the mean likewise from
    the drift: the score tells the tickers of a session apart, scaled_mean tells sessions apart, and each is trusted as far as
    it proved itself. Quantiles lie around mean + median_offset at their own distances from the median, the middle level,
    times interval_scale. Where nothing is attainable, confidence is 0.
    """
    raw, base = np.asarray(scaled_mean, dtype=np.float64), np.asarray(base_rate, dtype=np.float64)
    z, quantiles_Q = np.asarray(score, dtype=np.float64), np.asarray(scaled_quantiles_Q, dtype=np.float64)
    signal = raw - calibration.mean_center
    p_up = expit(logit(base) + calibration.up_score_slope * z + calibration.up_shrink * signal)
    mean = calibration.drift + calibration.mean_score_slope * z + calibration.mean_shrink * signal
    distance = np.abs(p_up - base)
    confidence = np.clip(distance / calibration.attainable, 0, 1) if calibration.attainable > 0 else distance * 0
    return Calibrated(
        p_up=p_up,
        p_outperform=expit(calibration.outperform_shrink * z),
        confidence=confidence,
        scaled_mean=mean,
        scaled_quantiles=mean + calibration.median_offset + calibration.interval_scale * (quantiles_Q - quantiles_Q[len(quantiles_Q) // 2]),
    )


def trailing_base_rate(up_NT: Floats, horizon: int) -> Floats:
    """Return [N, T]: the share of labels > 0 of each ticker among those known at t, shrunk to the universe's.

    `up_NT` is 1, 0, or NaN where there is no label; the label of session s is known at t >= s + horizon. Beta-binomial
    posterior mean with a prior of `PRIOR_SESSIONS` labels at the pooled rate; the pooled rate starts from one up and one
    down. Casella & Berger 2002, example 7.2.14.
    """
    ups = _known_at(np.cumsum(np.nan_to_num(up_NT), axis=1), horizon)
    labels = _known_at(np.cumsum(np.isfinite(up_NT), axis=1).astype(np.float64), horizon)
    return shrunk_rate(ups, labels)


def shrunk_rate(ups: Floats, labels: Floats) -> Floats:
    """Return each ticker's rate [N, ...] from its counts, shrunk to the pooled one."""
    pooled = (ups.sum(axis=0) + 1) / (labels.sum(axis=0) + 2)
    rate: Floats = (ups + PRIOR_SESSIONS * pooled) / (labels + PRIOR_SESSIONS)
    return rate


def _known_at(total_NT: Floats, horizon: int) -> Floats:
    shifted = np.zeros_like(total_NT)
    shifted[:, horizon:] = total_NT[:, :-horizon]
    return shifted


def logit(p: npt.ArrayLike) -> Floats:
    """Return log(p / (1 - p)); p is kept a hair away from 0 and 1."""
    inside = np.clip(np.asarray(p, dtype=np.float64), 1e-9, 1 - 1e-9)
    return np.asarray(np.log(inside / (1 - inside)))


def expit(x: npt.ArrayLike) -> Floats:
    """Return 1 / (1 + exp(-x)) without overflow."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * np.asarray(x, dtype=np.float64))))
