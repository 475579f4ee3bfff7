"""Members' forecasts into one: scores on one scale, means averaged, quantiles averaged level by level."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from trader_pipeline.models.calibrate import Calibration, confidence_of, expit, signal_up
from trader_pipeline.schema.quantiles import QUANTILE_NAMES

FORECAST_COLUMNS = ("score", "scaled_mean", *(f"scaled_{name}" for name in QUANTILE_NAMES))
CONFIDENCE_FLOOR = 0.25
"""What a member without any confidence counts beside one with all of it, 1.25."""
Calibrations = Mapping[tuple[int, str, int], Calibration]
"""By fold, member and horizon."""
FLAT = 1e-9
"""A cross-section whose standard deviation is below this says nothing about order: its standardized scores are 0."""

_Codes = npt.NDArray[np.int64]
_Floats = npt.NDArray[np.float64]


def combine(
    forecasts: pa.Table,
    weights: Mapping[str, float] | None = None,
    *,
    calibrations: Calibrations | None = None,
    by_confidence: bool = False,
) -> pa.Table:
    """Return one forecast a (fold, session, ticker, horizon) from rows of predictions.out_of_fold's columns.

    `score` is the weighted mean of the members' scores after each was standardized across the tickers of its session, so
    that no member counts more for being louder. `scaled_mean` is averaged as it is; quantiles are averaged level by level
    (Vincentization: Ratcliff 1979), which keeps their order and the members' mean width. `disagreement` is the weighted
    standard deviation of the standardized scores. A member row with a null is left out; the others' weights are rescaled.
    A member without a weight does not count. Sorted by fold, horizon, session, ticker.

    `weights` are by member; without them each row brings its own in the column `weight`. With `calibrations`, one a fold, member and
    horizon, `up_signal` is the weighted mean of what each calibrated member adds to the logit of p_up, NaN where one has none;
    `by_confidence` then multiplies weights by `CONFIDENCE_FLOOR` + the member's confidence over even odds.
    """
    rows = _usable(forecasts, weights)
    fold, horizon, session, ticker, _ = _codes(rows)
    values = {name: rows[name].to_numpy() for name in FORECAST_COLUMNS}
    z, signal, weight = _weighed(rows, calibrations, by_confidence=by_confidence)
    cells, first, cell = np.unique(_group(fold, horizon, session, ticker), return_index=True, return_inverse=True)
    total = np.bincount(cell, weights=weight, minlength=len(cells))

    def averaged(x: _Floats) -> _Floats:
        return np.asarray(np.bincount(cell, weights=weight * x, minlength=len(cells)) / total)

    score = averaged(z)
    combined = {"score": score} | {name: averaged(values[name]) for name in FORECAST_COLUMNS[1:]}
    if calibrations is not None:
        combined["up_signal"] = averaged(signal)
    combined["disagreement"] = np.sqrt(np.maximum(averaged((z - score[cell]) ** 2), 0))
    keys = rows.select(["fold", "ticker", "session", "horizon_sessions"]).take(pa.array(first))
    for name, column in combined.items():
        keys = keys.append_column(name, pa.array(column))
    return keys.append_column("members", pa.array(np.bincount(cell, minlength=len(cells))))


def with_weights(forecasts: pa.Table, weights: Mapping[str, float]) -> pa.Table:
    """Return the rows with a column `weight` by member; those of members without one are left out."""
    by_member = pa.table({"model": pa.array(weights, pa.string()), "weight": pa.array(weights.values(), pa.float64())})
    return forecasts.join(by_member, "model", join_type="inner")


def row_weights(forecasts: pa.Table, *, calibrations: Calibrations | None = None, by_confidence: bool = False) -> pa.Table:
    """Return what each row counts in `combine` beside the others: columns ticker, session, horizon_sessions, model, weight."""
    rows = _usable(forecasts, None)
    weight = _weighed(rows, calibrations, by_confidence=by_confidence)[2]
    return rows.select(["ticker", "session", "horizon_sessions", "model"]).append_column("weight", pa.array(weight))


def _weighed(rows: pa.Table, calibrations: Calibrations | None, *, by_confidence: bool) -> tuple[_Floats, _Floats, _Floats]:
    """Return each row's score standardized over its session, what it adds to the logit of p_up, and what it counts."""
    fold, horizon, session, _, model = _codes(rows)
    z = _standardized(rows["score"].to_numpy(), _group(fold, horizon, session, model))
    signal, confidence = _signals(rows, z, calibrations or {})
    weight = rows["weight"].to_numpy()
    return z, signal, weight * (CONFIDENCE_FLOOR + confidence) if by_confidence else weight


def _signals(rows: pa.Table, z: _Floats, calibrations: Calibrations) -> tuple[_Floats, _Floats]:
    """Return what each row adds to the logit of p_up, NaN without a calibration, and its member's confidence, 0 without."""
    signal, confidence = np.full(len(z), np.nan), np.zeros(len(z))
    fold, horizon, model = (rows[name].to_numpy(zero_copy_only=False) for name in ("fold", "horizon_sessions", "model"))
    for (of_fold, name, of_horizon), one in calibrations.items():
        here = (fold == of_fold) & (horizon == of_horizon) & (model == name)
        signal[here] = signal_up(one, score=z[here], scaled_mean=rows["scaled_mean"].to_numpy()[here])
        confidence[here] = confidence_of(expit(signal[here]), 0.5, one.attainable)
    return signal, confidence


def _usable(forecasts: pa.Table, weights: Mapping[str, float] | None) -> pa.Table:
    if weights is not None:
        forecasts = with_weights(forecasts, weights)
    keep = pc.greater(forecasts["weight"], 0)
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
