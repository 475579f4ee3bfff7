"""A published model's ensemble out of fold, made again from what is stored: forecasts, weights, calibrations."""

import pyarrow as pa

from trader_pipeline import panel
from trader_pipeline.ensembles.combine import combine
from trader_pipeline.ensembles.regimes import regimes
from trader_pipeline.ensembles.weighted import weighted
from trader_pipeline.ensembles.weights import equal_weights
from trader_pipeline.flows.ensemble import regimes_by_session
from trader_pipeline.lake import Snapshot
from trader_pipeline.models.calibrate import Calibration
from trader_pipeline.schema.outputs import ENSEMBLE_WEIGHTS


def pooled_out_of_fold(snapshot: Snapshot, model_id: str) -> pa.Table:
    """Return `combine`'s columns: one row a fold, session, ticker and horizon."""
    forecasts = snapshot.sql("select * from predictions.out_of_fold where model_id = ? and model <> 'ensemble'", [model_id])
    members = sorted(set(forecasts["model"].unique().to_pylist()))
    weights = ENSEMBLE_WEIGHTS.conform(snapshot.sql("select * from training.ensemble_weights where model_id = ?", [model_id]))
    if len(members) == 1 or not weights.num_rows:
        return combine(forecasts, equal_weights(members))
    volatility = snapshot.sql("select ticker, session, volatility_daily from features.targets")
    grid = panel.Grid.of(volatility)
    regime_of = regimes_by_session(grid, regimes(panel.dense(volatility, grid, "volatility_daily")))
    rows = snapshot.sql("select * from training.calibration where model_id = ? and model <> 'ensemble'", [model_id]).to_pylist()
    calibrations = {(row["fold"], row["model"], row["horizon_sessions"]): Calibration.from_row(row) for row in rows}
    by_confidence = weights["average"][0].as_py() == "confidence"
    return combine(weighted(forecasts, weights, regime_of), calibrations=calibrations, by_confidence=by_confidence)
