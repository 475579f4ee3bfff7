"""What would have been published out of fold: fold f calibrated by folds < f, intervals adapted to what had ended by each session."""

from dataclasses import dataclass, replace

import numpy as np

from trader_pipeline.evaluation import calibration
from trader_pipeline.evaluation.judged import Flags, Floats, Judged
from trader_pipeline.models import conformal
from trader_pipeline.models.calibrate import Calibrated, Calibration, apply
from trader_pipeline.schema.quantiles import LEVELS


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OutOfFold:
    """Calibrated forecasts of one model and horizon; NaN where earlier folds could not calibrate. N tickers, T sessions, Q levels."""

    p_up_NT: Floats
    p_outperform_NT: Floats
    confidence_NT: Floats
    scaled_quantiles_QNT: Floats
    inside_NT: Flags
    """Whether the label lay inside q05..q95; false where it is not known."""
    calibrations: dict[int, Calibration]
    """By fold; `interval_miss` is what the fold's first session asks for."""
    interval_miss: float
    """Miss rate that intervals ask for after all labels."""


def out_of_fold(judged: Judged) -> OutOfFold:
    """Return every fold but the first as its predecessors calibrate it."""
    fits = {
        fold: calibration.fit(judged, judged.before_NT(fold), otherwise_attainable=judged.attainable.get(fold, 0.0))
        for fold in judged.folds[1:]
    }
    fitted = {fold: one for fold, one in fits.items() if one is not None}
    asked_T, miss = _intervals(judged, fitted)
    shape, levels = judged.score_NT.shape, len(judged.scaled_quantiles_QNT)
    p_up, p_outperform, confidence = (np.full(shape, np.nan) for _ in range(3))
    quantiles = np.full((levels, *shape), np.nan)
    for fold, one in fitted.items():
        T = judged.fold_T == fold
        said = _said(one, judged, T, asked_T[T])
        p_up[:, T], p_outperform[:, T], confidence[:, T] = said.p_up, said.p_outperform, said.confidence
        quantiles[:, :, T] = said.scaled_quantiles
    label = judged.labels.scaled_return_NT
    return OutOfFold(
        p_up_NT=p_up,
        p_outperform_NT=p_outperform,
        confidence_NT=confidence,
        scaled_quantiles_QNT=quantiles,
        inside_NT=(label >= quantiles[0]) & (label <= quantiles[-1]),
        calibrations={f: replace(one, interval_miss=float(asked_T[judged.fold_T == f][0])) for f, one in fitted.items()},
        interval_miss=miss,
    )


def _intervals(judged: Judged, fitted: dict[int, Calibration]) -> tuple[Floats, float]:
    """Return the miss rate [T] that each session's intervals ask for, and that after all labels."""
    conformities = np.full(judged.score_NT.shape, np.nan)
    scales_LT = np.ones((len(LEVELS), judged.score_NT.shape[1]))
    for fold, one in fitted.items():
        T = judged.fold_T == fold
        said = _said(one, judged, T)
        median = said.scaled_mean + one.median_offset
        raw = judged.scaled_quantiles_QNT[:, :, T]
        conformities[:, T] = conformal.conformity(judged.labels.scaled_return_NT[:, T] - median, raw - raw[len(raw) // 2])
        scales_LT[:, T] = np.array(one.interval_scales)[:, None]
    return conformal.adapted(conformities, scales_LT, judged.labels.horizon)


def _said(one: Calibration, judged: Judged, T: Flags, interval_miss: Floats | None = None) -> Calibrated:
    return apply(
        one,
        score=judged.score_NT[:, T],
        scaled_mean=judged.scaled_mean_NT[:, T],
        scaled_quantiles_Q=judged.scaled_quantiles_QNT[:, :, T],
        base_rate=judged.labels.base_rate_NT[:, T],
        up_signal=None if judged.up_signal_NT is None else judged.up_signal_NT[:, T],
        interval_miss=interval_miss,
    )
