"""Raw forecasts into probabilities and intervals that mean what they say. Pure arrays: evaluation and inference both apply it.

The parameters are rows of training.calibration, fitted by evaluation on out-of-fold rows. Arrays of one horizon, any shape.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from trader_pipeline.models import conformal
from trader_pipeline.schema.quantiles import SCALE_COLUMNS

Floats = npt.NDArray[np.float64]

PRIOR_LABELS = 1000
"""Weight of the universe's base rate in a ticker's own, in labels that do not overlap: about four years of single sessions."""
MEMORY_LABELS = 1000
"""Labels that do not overlap by which a base rate is judged: four years of single sessions, over which older ones tell of another market.

At 5, 20 and 60 sessions it is 20, 79 and 238 years: no history is so long at the last two, and nothing is forgotten there. Memories of
2 to 16 years were not told from it on 22 years before the test part (docs/LOG.md).
"""


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
    interval_scales: tuple[float, ...]
    """Of the coverages `LEVELS`."""
    median_offset: float
    base_rate: float
    attainable: float
    interval_miss: float = conformal.TARGET_MISS
    isotonic: tuple[tuple[float, ...], tuple[float, ...]] | None = None
    """Knots of a monotone map from p_up to p_up; none is the identity."""
    pooled: bool = False
    """Whether p_up comes from members that were calibrated one by one (`apply`'s `up_signal`); the two slopes of p_up are 0 then."""

    @property
    def interval_scale(self) -> float:
        """Factor on the quantiles' distances from their median."""
        return float(conformal.scale_at(self.interval_miss, self.interval_scales))

    def asking(self, interval_miss: float) -> "Calibration":
        """Return the same with intervals that miss this share."""
        return replace(self, interval_miss=interval_miss)

    def to_row(self) -> dict[str, Any]:
        """Return the columns of training.calibration."""
        plain = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in {"interval_scales", "isotonic"}}
        knots = None if self.isotonic is None else json.dumps(self.isotonic)
        return (
            plain | dict(zip(SCALE_COLUMNS, self.interval_scales, strict=True)) | {"interval_scale": self.interval_scale, "isotonic": knots}
        )

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "Calibration":
        """Read what `to_row` wrote; a row of before version 2 has one factor, which serves every level."""
        known = {f.name: row[f.name] for f in fields(cls) if f.name in row}
        scales = tuple(row["interval_scale"] if row[name] is None else row[name] for name in SCALE_COLUMNS)
        miss = conformal.TARGET_MISS if row["interval_miss"] is None else row["interval_miss"]
        knots = None if row["isotonic"] is None else tuple(tuple(axis) for axis in json.loads(row["isotonic"]))
        return cls(**(known | {"interval_scales": scales, "interval_miss": miss, "isotonic": knots, "pooled": bool(row["pooled"])}))


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
    up_signal: npt.ArrayLike | None = None,
    interval_miss: npt.ArrayLike | None = None,
) -> Calibrated:
    """Return calibrated forecasts; NaN in, NaN out.

    logit p_up = logit base_rate + up_score_slope * score + up_shrink * (scaled_mean - mean_center), and the mean likewise from
    the drift: the score tells the tickers of a session apart, scaled_mean tells sessions apart, and each is trusted as far as
    it proved itself. Of a `pooled` calibration it is logit base_rate + `up_signal`, the members' weighted mean of what
    `signal_up` says of each: a logarithmic pool of calibrated probabilities (Genest & Zidek 1986). `isotonic` maps what comes out.
    Quantiles lie around mean + median_offset at their own distances from the median, the middle level, times the factor of
    `interval_miss`, which broadcasts and is the calibration's own where it is None. Where nothing is attainable, confidence is 0.
    """
    raw, base = np.asarray(scaled_mean, dtype=np.float64), np.asarray(base_rate, dtype=np.float64)
    z, quantiles_Q = np.asarray(score, dtype=np.float64), np.asarray(scaled_quantiles_Q, dtype=np.float64)
    signal = raw - calibration.mean_center
    if calibration.pooled != (up_signal is not None):
        raise ValueError("a pooled calibration, and no other, takes up_signal")
    moved = signal_up(calibration, score=z, scaled_mean=raw) if up_signal is None else np.asarray(up_signal, dtype=np.float64)
    p_up = expit(logit(base) + moved)
    if calibration.isotonic is not None:
        p_up = np.where(np.isfinite(p_up), np.interp(p_up, *calibration.isotonic), p_up)
    miss = calibration.interval_miss if interval_miss is None else interval_miss
    scale = conformal.scale_at(miss, calibration.interval_scales)
    mean = calibration.drift + calibration.mean_score_slope * z + calibration.mean_shrink * signal
    return Calibrated(
        p_up=p_up,
        p_outperform=expit(calibration.outperform_shrink * z),
        confidence=confidence_of(p_up, base, calibration.attainable),
        scaled_mean=mean,
        scaled_quantiles=mean + calibration.median_offset + scale * (quantiles_Q - quantiles_Q[len(quantiles_Q) // 2]),
    )


def signal_up(calibration: Calibration, *, score: npt.ArrayLike, scaled_mean: npt.ArrayLike) -> Floats:
    """Return by how many logits a member moves p_up from the base rate."""
    signal = np.asarray(scaled_mean, dtype=np.float64) - calibration.mean_center
    return np.asarray(calibration.up_score_slope * np.asarray(score, dtype=np.float64) + calibration.up_shrink * signal)


def confidence_of(p_up: npt.ArrayLike, base_rate: npt.ArrayLike, attainable: float) -> Floats:
    """Return |p_up - base_rate| as a share of what is attainable, 0-1; 0 where nothing is."""
    distance = np.abs(np.asarray(p_up, dtype=np.float64) - np.asarray(base_rate, dtype=np.float64))
    return np.asarray(np.clip(distance / attainable, 0, 1) if attainable > 0 else distance * 0)


def trailing_base_rate(up_NT: Floats, horizon: int) -> Floats:
    """Return [N, T]: the share of labels > 0 of each ticker among the last known at t, shrunk to the universe's.

    `up_NT` is 1, 0, or NaN where there is no label; the label of session s is known at t >= s + horizon, and forgotten
    `memory_sessions` later, which is never at 20 and 60 sessions: in the nineties a tenth of the closes of three decimals stood still,
    which is not up. Beta-binomial posterior mean with a prior of `PRIOR_LABELS` labels at the pooled rate, each of which stands for
    `horizon` that overlap: counted one by one, overlapping labels would make a rate of its own out of noise. The pooled rate starts from
    one up and one down. Casella & Berger 2002, example 7.2.14.
    """
    known = (np.nan_to_num(up_NT), np.isfinite(up_NT).astype(np.float64))
    ups, labels = (_remembered(np.cumsum(each, axis=1), horizon) for each in known)
    return shrunk_rate(ups, labels, horizon)


def memory_sessions(horizon: int) -> int:
    """Return how many sessions' labels a base rate remembers: 1,000, 5,000, 20,000, 60,000 at 1, 5, 20, 60."""
    return MEMORY_LABELS * horizon


def shrunk_rate(ups: Floats, labels: Floats, horizon: int) -> Floats:
    """Return each ticker's rate [N, ...] from its counts of labels over `horizon` sessions, shrunk to the pooled one."""
    prior = PRIOR_LABELS * horizon
    pooled = (ups.sum(axis=0) + 1) / (labels.sum(axis=0) + 2)
    rate: Floats = (ups + prior * pooled) / (labels + prior)
    return rate


def _remembered(total_NT: Floats, horizon: int) -> Floats:
    return _earlier(total_NT, horizon) - _earlier(total_NT, horizon + memory_sessions(horizon))


def _earlier(total_NT: Floats, sessions: int) -> Floats:
    shifted = np.zeros_like(total_NT)
    shifted[:, sessions:] = total_NT[:, :-sessions]
    return shifted


def logit(p: npt.ArrayLike) -> Floats:
    """Return log(p / (1 - p)); p is kept a hair away from 0 and 1."""
    inside = np.clip(np.asarray(p, dtype=np.float64), 1e-9, 1 - 1e-9)
    return np.asarray(np.log(inside / (1 - inside)))


def expit(x: npt.ArrayLike) -> Floats:
    """Return 1 / (1 + exp(-x)) without overflow."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * np.asarray(x, dtype=np.float64))))
