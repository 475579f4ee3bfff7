"""Members' out-of-fold forecasts -> their calibrations, their weights, and the ensemble that both make.

Whatever serves fold f was fitted on folds < f, purged; fold -1 on all folds, and serves.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from trader_pipeline import panel
from trader_pipeline.ensembles import weights as weighing
from trader_pipeline.ensembles.combine import combine
from trader_pipeline.ensembles.regimes import REGIMES, median_ticker, regimes
from trader_pipeline.ensembles.weighted import weighted
from trader_pipeline.evaluation import calibration
from trader_pipeline.evaluation.calibrated import out_of_fold
from trader_pipeline.evaluation.judged import Judged, Labels, judged_of
from trader_pipeline.measures import Interval
from trader_pipeline.models.calibrate import Calibration
from trader_pipeline.schema.columns import HORIZONS_SESSIONS
from trader_pipeline.schema.serving import DIVERSITY, ENSEMBLE_WEIGHTS
from trader_pipeline.settings import EnsembleSettings

SERVING_FOLD = -1

_NO_GAIN = Interval(mean=float("nan"), half_width=float("nan"), windows=0)


@dataclass(frozen=True, kw_only=True, eq=False)
class Ensemble:
    """One model's members and their pool. `alone` and `pooled` have the columns of `combine`."""

    alone: dict[str, pa.Table]
    pooled: pa.Table
    weights: pa.Table
    diversity: pa.Table
    calibrations: dict[tuple[int, str, int], Calibration]
    """Of members, by fold, member and horizon."""

    @property
    def single(self) -> bool:
        """Whether there is one member, which is the ensemble then."""
        return len(self.alone) == 1

    def attainable(self, horizon: int) -> dict[int, float]:
        """Return by fold the members' mean attainable distance from the base rate."""
        found: dict[int, list[float]] = {}
        for (fold, _, of_horizon), one in self.calibrations.items():
            if of_horizon == horizon:
                found.setdefault(fold, []).append(one.attainable)
        return {fold: float(np.mean(values)) for fold, values in found.items()}


def ensemble_of(
    *,
    forecasts: pa.Table,
    targets: pa.Table,
    labels: Mapping[int, Labels],
    grid: panel.Grid,
    settings: EnsembleSettings,
    stamp: dict[str, object],
) -> Ensemble:
    """Return the ensemble of one model's rows of predictions.out_of_fold. `stamp` has model_id and known_at of the tables' rows."""
    members = sorted(set(forecasts["model"].unique().to_pylist()))
    alone = {name: combine(forecasts, {name: 1.0}) for name in members}
    regime_T = regimes(median_ticker(panel.dense(targets, grid, "volatility_daily")))
    calibrations: dict[tuple[int, str, int], Calibration] = {}
    rows: list[dict[str, object]] = []
    pairs: list[dict[str, object]] = []
    for horizon in HORIZONS_SESSIONS:
        judged = {name: replace(judged_of(alone[name], labels[horizon], grid), method=settings.calibration) for name in members}
        for name, one in judged.items():
            calibrations |= {(fold, name, horizon): fitted for fold, fitted in calibrations_of(one).items()}
        rows += [stamp | row for row in _weights(judged, regime_T, settings)]
        pairs += [stamp | row for row in _diversity(judged)]
    table = ENSEMBLE_WEIGHTS.conform(pa.Table.from_pylist(rows, schema=ENSEMBLE_WEIGHTS.arrow_schema))
    ready = weighted(forecasts, table, named_regimes(grid.sessions.astype(object).tolist(), regime_T))
    pooled = combine(ready, calibrations=calibrations, by_confidence=settings.average == "confidence")
    return Ensemble(
        alone=alone,
        pooled=alone[members[0]] if len(members) == 1 else pooled,
        weights=table,
        diversity=pa.Table.from_pylist(pairs, schema=DIVERSITY.arrow_schema),
        calibrations=calibrations,
    )


def calibrations_of(judged: Judged) -> dict[int, Calibration]:
    """Return the calibration of each fold that earlier ones can calibrate, and the serving one where any label is known."""
    said = out_of_fold(judged)
    serving = calibration.fit(judged, judged.rows_NT, otherwise_attainable=judged.attainable.get(SERVING_FOLD, 0.0))
    return said.calibrations | ({} if serving is None else {SERVING_FOLD: serving.asking(said.interval_miss)})


def named_regimes(sessions: Sequence[dt.date], regime_T: npt.NDArray[np.int64]) -> dict[dt.date, str]:
    """Return the name of each session's regime."""
    return {session: REGIMES[regime] for session, regime in zip(sessions, regime_T, strict=True)}


def _weights(judged: Mapping[str, Judged], regime_T: npt.NDArray[np.int64], settings: EnsembleSettings) -> list[dict[str, object]]:
    """Return rows of training.ensemble_weights of one horizon: fitted ones where earlier folds found them better than equal ones."""
    first = next(iter(judged.values()))
    score_MNT = np.stack([one.score_NT for one in judged.values()])
    rank_NT, fold_T = first.labels.residual_rank_NT, first.fold_T
    horizon, sessions = first.labels.horizon, np.arange(len(fold_T))
    tried_MT = np.full((len(judged), len(fold_T)), np.nan)
    rows: list[dict[str, object]] = []
    for fold in (*first.folds, SERVING_FOLD):
        known = first.rows_NT if fold == SERVING_FOLD else first.before_NT(fold)
        fitted_RM = _fitted(score_MNT, rank_NT, known, regime_T, settings)
        here = fold_T == fold if fold != SERVING_FOLD else np.zeros_like(fold_T, dtype=bool)
        ended = sessions + horizon <= (len(fold_T) if fold == SERVING_FOLD else int(np.flatnonzero(here)[0]))
        judgeable = ended & np.isfinite(tried_MT).all(axis=0) & (fold_T > min(first.folds))
        gained = weighing.gain(score_MNT, rank_NT, tried_MT, horizon, judgeable) if judgeable.any() else _NO_GAIN
        adopted = settings.weights != "equal" and weighing.is_better(gained)
        for (r, regime), (m, name) in ((a, b) for a in enumerate(REGIMES) for b in enumerate(judged)):
            rows.append(
                {
                    "fold": fold,
                    "horizon_sessions": horizon,
                    "regime": regime,
                    "model": name,
                    "weight": float(fitted_RM[r, m]) if adopted else 1 / len(judged),
                    "fitted_weight": float(fitted_RM[r, m]),
                    "adopted": adopted,
                    "gain": gained.mean,
                    "gain_half_width": gained.half_width,
                    "sessions": int((known & (regime_T == r)).any(axis=0).sum()),
                    "method": settings.weights,
                    "average": settings.average,
                }
            )
        tried_MT[:, here] = fitted_RM[regime_T[here]].T
    return rows


def _fitted(
    score_MNT: weighing.Floats,
    rank_NT: weighing.Floats,
    known_NT: weighing.Flags,
    regime_T: npt.NDArray[np.int64],
    settings: EnsembleSettings,
) -> weighing.Floats:
    if settings.weights == "equal":
        return np.full((len(REGIMES), len(score_MNT)), 1 / len(score_MNT))
    if settings.weights == "regime":
        return weighing.by_regime(score_MNT, rank_NT, known_NT, regime_T, len(REGIMES))
    return np.tile(weighing.stacked(score_MNT, rank_NT, known_NT), (len(REGIMES), 1))


def _diversity(judged: Mapping[str, Judged]) -> list[dict[str, object]]:
    """Return rows of training.diversity of one horizon: each pair of members once, and each with itself."""
    rows: list[dict[str, object]] = []
    names = list(judged)
    for i, name in enumerate(names):
        for other in names[i:]:
            a, b = judged[name], judged[other]
            label = a.labels.residual_rank_NT
            both = np.isfinite(a.score_NT) & np.isfinite(b.score_NT) & np.isfinite(label)
            rows.append(
                {
                    "horizon_sessions": a.labels.horizon,
                    "model": name,
                    "other": other,
                    "error_correlation": weighing.correlation(label[both] - a.score_NT[both], label[both] - b.score_NT[both]),
                    "score_correlation": weighing.correlation(a.score_NT[both], b.score_NT[both]),
                    "rows": int(both.sum()),
                }
            )
    return rows
