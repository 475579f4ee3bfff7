# ruff: noqa: N802 - fields carry their shape, as tensors do
"""Calibrated out-of-fold forecasts beside what came. Fold f is calibrated on folds < f, so the first fold only calibrates.

Legend: N tickers, T sessions, Q quantile levels. One object a model and horizon.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from trader_pipeline import measures
from trader_pipeline.evaluation.calibrated import out_of_fold
from trader_pipeline.evaluation.judged import Flags, Floats, Judged
from trader_pipeline.schema.quantiles import QUANTILES

HALF = 0.5


@dataclass(frozen=True, kw_only=True, eq=False)
class Outcome:
    """NaN where earlier folds could not calibrate. `climate_QNT` are the quantiles of the labels that earlier folds knew."""

    judged: Judged
    p_up_NT: Floats
    confidence_NT: Floats
    quantiles_QNT: Floats
    climate_QNT: Floats

    @property
    def horizon(self) -> int:
        """Sessions ahead."""
        return self.judged.labels.horizon

    @cached_property
    def rows_NT(self) -> Flags:
        """Where a calibrated forecast and its label are known."""
        rows: Flags = np.isfinite(self.p_up_NT) & self.judged.rows_NT
        return rows

    @cached_property
    def judgeable_NT(self) -> Flags:
        """Known labels of forecasts after the first fold: what coverage counts."""
        rows: Flags = self.judged.rows_NT & (self.judged.fold_T > min(self.judged.folds))
        return rows

    @cached_property
    def hit_NT(self) -> Flags:
        """Whether the direction was right."""
        hit: Flags = (self.p_up_NT > HALF) == (self.judged.labels.up_NT > HALF)
        return hit

    @cached_property
    def base_hit_NT(self) -> Flags:
        """Whether the ticker's own base rate was on the right side."""
        hit: Flags = (self.judged.labels.base_rate_NT > HALF) == (self.judged.labels.up_NT > HALF)
        return hit

    @cached_property
    def rank_ic_T(self) -> Floats:
        """Rank IC of each session of all folds: it needs no calibration."""
        return measures.rank_ic(self.judged.score_NT.T, self.judged.labels.residual_rank_NT.T)

    def base_rate(self, rows_NT: Flags) -> float:
        """Return the better of always-up and the ticker's own base rate on the rows."""
        always_up = mean_by_session(self.judged.labels.up_NT > HALF, rows_NT)
        own = mean_by_session(self.base_hit_NT, rows_NT)
        return max(float(np.nanmean(always_up)), float(np.nanmean(own)))


def outcome_of(judged: Judged) -> Outcome:
    """Return the forecasts as they would have been published, and the quantiles that need no model."""
    said = out_of_fold(judged)
    climate = np.full_like(said.scaled_quantiles_QNT, np.nan)
    for fold in said.calibrations:
        known = judged.labels.scaled_return_NT[judged.before_NT(fold)]
        climate[:, :, judged.fold_T == fold] = np.quantile(known, QUANTILES)[:, None, None]
    return Outcome(
        judged=judged,
        p_up_NT=said.p_up_NT,
        confidence_NT=said.confidence_NT,
        quantiles_QNT=said.scaled_quantiles_QNT,
        climate_QNT=climate,
    )


def mean_by_session(values_NT: Floats | Flags, rows_NT: Flags) -> Floats:
    """Return the mean over the rows of each session, [T]; NaN without one."""
    count = rows_NT.sum(axis=0)
    total = np.where(rows_NT, values_NT, 0).sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
