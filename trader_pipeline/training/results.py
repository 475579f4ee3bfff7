"""Forecasts, trials, curves and importance as rows of the published tables."""

from typing import Any

import numpy as np
import pyarrow as pa

from trader_pipeline.measures import rank_ic
from trader_pipeline.panel import Grid
from trader_pipeline.schema import Table, outputs
from trader_pipeline.schema.columns import HORIZONS_SESSIONS
from trader_pipeline.schema.quantiles import QUANTILE_NAMES
from trader_pipeline.schema.training import CURVES, IMPORTANCE, TRIALS
from trader_pipeline.training.data import TrainingData
from trader_pipeline.training.request import TrainingRequest
from trader_pipeline.training.splits import EMBARGO_SESSIONS
from trader_pipeline.training.walk_forward import OutOfFold, direction_accuracy


def out_of_fold_table(answers: list[OutOfFold], grid: Grid, model_id: str) -> pa.Table:
    """Return predictions.out_of_fold: a row for each answer, ticker, session and horizon that was forecast."""
    return pa.concat_tables([_rows(answer, grid, model_id) for answer in answers])


def _rows(answer: OutOfFold, grid: Grid, model_id: str) -> pa.Table:
    forecast, fold = answer.forecast, answer.fold
    t, n = np.nonzero(np.isfinite(forecast.score_TNH).all(axis=2))
    horizons = len(HORIZONS_SESSIONS)
    count = len(t) * horizons
    columns = {
        "model_id": pa.repeat(model_id, count),
        "fold": pa.repeat(pa.scalar(fold.number, pa.int16()), count),
        "model": pa.repeat(answer.model, count),
        "ticker": pa.array(np.repeat(np.array(grid.tickers)[n], horizons), pa.string()),
        "session": pa.array(np.repeat(grid.sessions[fold.test_first + t], horizons)),
        "horizon_sessions": pa.array(np.tile(np.array(HORIZONS_SESSIONS, np.int16), len(t))),
        "score": pa.array(forecast.score_TNH[t, n].reshape(-1).astype(np.float64)),
        "scaled_mean": pa.array(forecast.scaled_mean_TNH[t, n].reshape(-1).astype(np.float64)),
    }
    for q, name in enumerate(QUANTILE_NAMES):
        columns[f"scaled_{name}"] = pa.array(forecast.scaled_quantiles_TNHQ[t, n, :, q].reshape(-1).astype(np.float64))
    return outputs.OUT_OF_FOLD.conform(pa.table(columns))


def trials_table(answers: list[OutOfFold], data: TrainingData, request: TrainingRequest) -> pa.Table:
    """Return training.trials: one row a fit and horizon, with its mean daily rank IC out of fold."""
    return rows_table(TRIALS, [_trial(answer, h, data, request) for answer in answers for h in range(len(HORIZONS_SESSIONS))])


def _trial(answer: OutOfFold, h: int, data: TrainingData, request: TrainingRequest) -> dict[str, object]:
    fold, sessions = answer.fold, data.grid.sessions
    score_TN = answer.forecast.score_TNH[:, :, h]
    label_TN = data.labels.score_NTH[:, fold.test_first : fold.test_end, h].T
    daily = rank_ic(score_TN, label_TN)
    return {
        "model_id": request.model_id,
        "model": answer.model,
        "fold": fold.number,
        "horizon_sessions": HORIZONS_SESSIONS[h],
        "train_first": sessions[0].item(),
        "train_last": sessions[fold.test_first - 1 - EMBARGO_SESSIONS - HORIZONS_SESSIONS[h]].item(),
        "test_first": sessions[fold.test_first].item(),
        "test_last": sessions[fold.test_end - 1].item(),
        "rank_ic": float(np.nanmean(daily)) if np.isfinite(daily).any() else None,
        "balanced_accuracy": direction_accuracy(answer, data, h),
        "rows": int((np.isfinite(score_TN) & np.isfinite(label_TN)).sum()),
        "run_id": request.run_id,
    }


def curves_table(events: list[dict[str, object]], model_id: str) -> pa.Table:
    """Return training.curves from the epoch events."""
    names = [column.name for column in CURVES.columns if column.name != "model_id"]
    return rows_table(CURVES, [{"model_id": model_id} | {name: event.get(name) for name in names} for event in events])


def importance_table(events: list[dict[str, object]], model_id: str) -> pa.Table:
    """Return training.importance from the importance events."""
    rows = []
    for event in events:
        found: Any = event["rows"]
        for one in found:
            facts = {"model_id": model_id, "model": event["model"], "fold": event["fold"], "features": ",".join(one["features"])}
            rows.append(facts | {name: one[name] for name in ("name", "increase", "noise", "may_go")})
    return rows_table(IMPORTANCE, rows)


def rows_table(table: Table, rows: list[dict[str, object]]) -> pa.Table:
    """Return `rows` in the table's columns and types."""
    return table.conform(pa.Table.from_pylist(rows, schema=table.arrow_schema))
