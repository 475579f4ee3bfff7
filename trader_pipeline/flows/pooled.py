"""A published model's ensemble from what is stored: weights and calibrations, of a day's forecasts as of out-of-fold ones."""

import datetime as dt
from typing import Any

import pyarrow as pa

from trader_pipeline import panel
from trader_pipeline.ensembles.combine import combine, row_weights, with_weights
from trader_pipeline.ensembles.regimes import median_ticker, regimes
from trader_pipeline.ensembles.weighted import weighted
from trader_pipeline.ensembles.weights import equal_weights
from trader_pipeline.flows.ensemble import named_regimes
from trader_pipeline.lake import Snapshot
from trader_pipeline.models.calibrate import Calibration
from trader_pipeline.schema.serving import ENSEMBLE_WEIGHTS


def pooled_out_of_fold(snapshot: Snapshot, model_id: str) -> pa.Table:
    """Return `combine`'s columns: one row a fold, session, ticker and horizon."""
    forecasts = snapshot.sql("select * from predictions.out_of_fold where model_id = ? and model <> 'ensemble'", [model_id])
    return _pooled(snapshot, forecasts, None, model_id)


def pooled_of_session(snapshot: Snapshot, forecasts: pa.Table, session: dt.date, model_id: str) -> pa.Table:
    """Return the members' forecasts of one session as one, by the weights and calibrations of fold -1, which were judged out of fold."""
    return _pooled(snapshot, forecasts, session, model_id)


def row_weights_of_session(snapshot: Snapshot, forecasts: pa.Table, session: dt.date, model_id: str) -> pa.Table:
    """Return what each member counts in `pooled_of_session`: columns ticker, session, horizon_sessions, model, weight."""
    rows, how = _weighted(snapshot, forecasts, session, model_id)
    return row_weights(rows, **how)


def _pooled(snapshot: Snapshot, forecasts: pa.Table, last: dt.date | None, model_id: str) -> pa.Table:
    rows, how = _weighted(snapshot, forecasts, last, model_id)
    return combine(rows, **how)


def _weighted(snapshot: Snapshot, forecasts: pa.Table, last: dt.date | None, model_id: str) -> tuple[pa.Table, dict[str, Any]]:
    """Return the rows with their column `weight`, and how `combine` takes them; equal weights of a model that was judged without."""
    members = sorted(set(forecasts["model"].unique().to_pylist()))
    weights = _weights(snapshot, model_id)
    if len(members) == 1 or not weights.num_rows:
        return with_weights(forecasts, equal_weights(members)), {}
    rows = snapshot.sql("select * from training.calibration where model_id = ? and model <> 'ensemble'", [model_id]).to_pylist()
    calibrations = {(row["fold"], row["model"], row["horizon_sessions"]): Calibration.from_row(row) for row in rows}
    by_confidence = weights["average"][0].as_py() == "confidence"
    return weighted(forecasts, weights, _regime_of(snapshot, last)), {"calibrations": calibrations, "by_confidence": by_confidence}


def _weights(snapshot: Snapshot, model_id: str) -> pa.Table:
    return ENSEMBLE_WEIGHTS.conform(snapshot.sql("select * from training.ensemble_weights where model_id = ?", [model_id]))


def _regime_of(snapshot: Snapshot, last: dt.date | None) -> dict[dt.date, str]:
    """Return the regime of every session up to `last`."""
    rows = snapshot.sql(
        "select ticker, session, volatility_daily from features.targets where $last is null or session <= $last order by ticker, session",
        {"last": last},
    )
    grid = panel.Grid.of(rows)
    median_T = median_ticker(panel.dense(rows, grid, "volatility_daily"))
    return named_regimes(grid.sessions.astype(object).tolist(), regimes(median_T))
