# ruff: noqa: N802 - fields carry their shape, as tensors do
"""Forecasts beside their labels, dense: what calibration and scorecard compute on.

Legend: N tickers, T sessions, Q quantile levels. One object a model and horizon.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from trader_pipeline import panel
from trader_pipeline.models import calibrate
from trader_pipeline.schema.quantiles import QUANTILE_NAMES

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

NO_FOLD = -1
UP_SIGNAL = "up_signal"
"""Column of a pool's rows."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Labels:
    """Labels of one horizon, NaN where not known, and the base rate that was known at each session."""

    horizon: int
    scaled_return_NT: Floats
    residual_rank_NT: Floats
    up_NT: Floats
    base_rate_NT: Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judged:
    """Out-of-fold forecasts of one model at one horizon. `fold_T` is -1 where no fold predicted the session."""

    labels: Labels
    score_NT: Floats
    scaled_mean_NT: Floats
    scaled_quantiles_QNT: Floats
    fold_T: npt.NDArray[np.int64]
    up_signal_NT: Floats | None = None
    """Of a pool: what its members, each calibrated on earlier folds, add to the base rate's logit; NaN in the first fold."""
    attainable: Mapping[int, float] = field(default_factory=dict)
    """Of a pool, by fold: its members' mean attainable distance from the base rate, for where no earlier row of the pool has one."""
    method: Literal["shrink", "isotonic"] = "shrink"
    """How it is calibrated."""

    @property
    def rows_NT(self) -> Flags:
        """Where both a forecast and its label are known."""
        known: Flags = np.isfinite(self.scaled_mean_NT) & np.isfinite(self.labels.scaled_return_NT)
        return known

    @property
    def folds(self) -> list[int]:
        """Folds that predicted something, ascending."""
        return [int(fold) for fold in np.unique(self.fold_T) if fold != NO_FOLD]

    def before_NT(self, fold: int) -> Flags:
        """Rows of earlier folds whose label had ended when `fold` made its first forecast: the purge."""
        first = int(np.flatnonzero(self.fold_T == fold)[0])
        sessions = np.arange(len(self.fold_T))
        earlier_T: Flags = (self.fold_T != NO_FOLD) & (self.fold_T < fold) & (sessions + self.labels.horizon <= first)
        return self.rows_NT & earlier_T


def labels_of(targets: pa.Table, grid: panel.Grid, horizon: int) -> Labels:
    """Return the labels of one horizon that had ended by the grid's last session; later ones are NaN, whatever the table says."""
    columns = panel.dense_columns(targets, grid, [f"scaled_return_{horizon}d", f"residual_rank_{horizon}d", f"forward_return_{horizon}d"])
    scaled, rank, forward = columns.values()
    for array in (scaled, rank, forward):
        array[:, max(len(grid.sessions) - horizon, 0) :] = np.nan
    up = np.where(np.isfinite(forward), forward > 0, np.nan)
    return Labels(
        horizon=horizon,
        scaled_return_NT=scaled,
        residual_rank_NT=rank,
        up_NT=up,
        base_rate_NT=calibrate.trailing_base_rate(up, horizon),
    )


def judged_of(forecasts: pa.Table, labels: Labels, grid: panel.Grid) -> Judged:
    """Return one model's forecasts (columns of predictions.out_of_fold) at the labels' horizon on the labels' grid."""
    rows = forecasts.filter(pc.equal(forecasts["horizon_sessions"], labels.horizon))
    quantiles = [f"scaled_{name}" for name in QUANTILE_NAMES]
    columns = panel.dense_columns(rows, grid, ["fold", "score", "scaled_mean", *quantiles])
    fold_NT = np.where(np.isfinite(columns["fold"]), columns["fold"], NO_FOLD)
    return Judged(
        labels=labels,
        score_NT=columns["score"],
        scaled_mean_NT=columns["scaled_mean"],
        scaled_quantiles_QNT=np.stack([columns[name] for name in quantiles]),
        fold_T=fold_NT.max(axis=0, initial=NO_FOLD).astype(np.int64),
        up_signal_NT=panel.dense(rows, grid, UP_SIGNAL) if UP_SIGNAL in rows.column_names else None,
    )
