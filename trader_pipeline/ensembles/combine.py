"""Members' forecasts into one: scores on one scale, means averaged, quantiles averaged level by level."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from trader_pipeline.schema.outputs import QUANTILE_NAMES

FORECAST_COLUMNS = ("score", "scaled_mean", *(f"scaled_{name}" for name in QUANTILE_NAMES))
FLAT = 1e-9
"""A cross-section whose standard deviation is below this says nothing about order: its standardized scores are 0."""

_Codes = npt.NDArray[np.int64]
_Floats = npt.NDArray[np.float64]


def combine(forecasts: pa.Table, weights: Mapping[str, float]) -> pa.Table:
    """Return one forecast a (fold, session, ticker, horizon) from rows of predictions.out_of_fold's columns.

    `score` is the weighted mean of the members' scores after each was standardized across the tickers of its session, so
    that no member counts more for being louder. `scaled_mean` is averaged as it is; quantiles are averaged level by level
    (Vincentization: Ratcliff 1979), which keeps their order and the members' mean width. `disagreement` is the weighted
    standard deviation of the standardized scores. A member row with a null is left out; the others' weights are rescaled.
    A member without a weight does not count. Sorted by fold, horizon, session, ticker.
    """
    rows = _usable(forecasts, weights)
    fold, horizon, session, ticker, model = _codes(rows)
    names = rows["model"].combine_chunks().dictionary_encode().dictionary.to_pylist()
    weight = np.array([weights[name] for name in names])[model] if names else np.empty(0)
    values = {name: rows[name].to_numpy() for name in FORECAST_COLUMNS}
    z = _standardized(values["score"], _group(fold, horizon, session, model))
    cells, first, cell = np.unique(_group(fold, horizon, session, ticker), return_index=True, return_inverse=True)
    total = np.bincount(cell, weights=weight, minlength=len(cells))

    def averaged(x: _Floats) -> _Floats:
        return np.asarray(np.bincount(cell, weights=weight * x, minlength=len(cells)) / total)

    score = averaged(z)
    combined = {"score": score} | {name: averaged(values[name]) for name in FORECAST_COLUMNS[1:]}
    combined["disagreement"] = np.sqrt(np.maximum(averaged((z - score[cell]) ** 2), 0))
    keys = rows.select(["fold", "ticker", "session", "horizon_sessions"]).take(pa.array(first))
    for name, column in combined.items():
        keys = keys.append_column(name, pa.array(column))
    return keys.append_column("members", pa.array(np.bincount(cell, minlength=len(cells))))


def _usable(forecasts: pa.Table, weights: Mapping[str, float]) -> pa.Table:
    keep = pc.is_in(forecasts["model"], value_set=pa.array(sorted(weights), pa.string()))
    for name in FORECAST_COLUMNS:
        keep = pc.and_(keep, pc.fill_null(pc.is_finite(forecasts[name]), fill_value=False))
    return forecasts.filter(keep).sort_by([("ticker", "ascending"), ("model", "ascending")])


def _codes(rows: pa.Table) -> tuple[_Codes, ...]:
    text = [rows[name].combine_chunks().dictionary_encode().indices for name in ("ticker", "model")]
    numbers = [rows["fold"], rows["horizon_sessions"], rows["session"].cast(pa.int32()), *text]
    return tuple(np.asarray(column.to_numpy()).astype(np.int64) for column in numbers)


def _group(*codes: _Codes) -> _Codes:
    """Return one number for each combination, in the order of the codes from left to right."""
    group = np.zeros(len(codes[0]), np.int64)
    for code in codes:
        if len(code):
            group = group * (code.max() - code.min() + 1) + (code - code.min())
    return group


def _standardized(values: _Floats, group: _Codes) -> _Floats:
    _, index = np.unique(group, return_inverse=True)
    count = np.bincount(index)
    deviation = values - (np.bincount(index, weights=values) / count)[index]
    spread = np.sqrt(np.bincount(index, weights=deviation**2) / count)[index]
    return np.where(spread > FLAT, deviation / np.where(spread > FLAT, spread, 1.0), 0.0)
