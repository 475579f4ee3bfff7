"""Members' attributions on the scale of predictions.daily, the ensemble's as their weighted sum, and the largest as rows.

A member's score is standardized over the session's tickers, z = (score - mean) / deviation, and the ensemble's is the weighted mean of
the z. Both are affine, so contributions are carried through them exactly.
Legend: N tickers, H horizons, F features, K rows kept of each (ticker, horizon).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from trader_pipeline.ensembles.combine import FLAT
from trader_pipeline.models.attribution import Attribution
from trader_pipeline.schema.columns import HORIZONS_SESSIONS
from trader_pipeline.schema.predicted import ALL_OTHERS, BASE_VALUE

Floats = npt.NDArray[np.float64]

KEPT = 5
ENSEMBLE = "ensemble"


@dataclass(frozen=True, eq=False, kw_only=True)
class Explained:
    """score = base + sum of parts + error, on the scale of predictions.daily; NaN where not explained."""

    method: str
    score_NH: Floats
    base_NH: Floats
    parts_NHF: Floats

    @property
    def error_NH(self) -> Floats:  # noqa: N802 - the name carries the shape
        """What the sum leaves of the score."""
        return np.asarray(self.score_NH - self.base_NH - self.parts_NHF.sum(axis=-1))


def standardized(score_NH: Floats, why: Attribution) -> Explained:
    """Return a member's attribution on the scale of its z over the tickers that have a score.

    Where contributions of all of them are known, each is told from the session's mean of it: what all tickers share, a market-wide
    feature or the base, tells none apart and adds nothing.
    """
    mean_H, spread_H = np.nanmean(score_NH, axis=0), np.nanstd(score_NH, axis=0)
    scale_H = np.where(spread_H > FLAT, 1 / np.where(spread_H > FLAT, spread_H, 1.0), 0.0)
    parts_NHF, base_NH = why.parts_NHF, why.base_NH - mean_H
    if why.centred:
        here_NH = np.isfinite(score_NH)
        parts_NHF = parts_NHF - _mean(parts_NHF, here_NH)
        base_NH = why.base_NH - _mean(why.base_NH, here_NH)
    return Explained(
        method=why.method,
        score_NH=(score_NH - mean_H) * scale_H,
        base_NH=np.where(np.isfinite(score_NH), base_NH, np.nan) * scale_H,
        parts_NHF=parts_NHF * scale_H[:, None],
    )


def weighted_sum(
    members: Mapping[str, Explained], weights: Mapping[str, float | Floats], places: Mapping[str, Sequence[int]], features: int
) -> Explained:
    """Return the ensemble's: the weighted sum over the members that have a score, NaN where one of those is not explained.

    `weights` are what `combine` counts each with: numbers, or [H] or [N, H], NaN or 0 where not at all. `places` says where each
    member's features stand among all `features`.
    """
    shape = next(iter(members.values())).score_NH.shape
    total_NH, score_NH, base_NH, parts_NHF = np.zeros(shape), np.zeros(shape), np.zeros(shape), np.zeros((*shape, features))
    for name, member in members.items():
        weight_NH = np.where(np.isfinite(member.score_NH), np.nan_to_num(weights[name]), 0.0)
        here_NH = weight_NH > 0
        total_NH += weight_NH
        score_NH += np.where(here_NH, weight_NH * member.score_NH, 0.0)
        base_NH += np.where(here_NH, weight_NH * member.base_NH, 0.0)
        parts_NHF[:, :, list(places[name])] += np.where(here_NH[..., None], weight_NH[..., None] * member.parts_NHF, 0.0)
    total_NH = np.where(total_NH > 0, total_NH, np.nan)
    return Explained(
        method="weighted_sum", score_NH=score_NH / total_NH, base_NH=base_NH / total_NH, parts_NHF=parts_NHF / total_NH[..., None]
    )


def rows_of(model: str, why: Explained, tickers: Sequence[str], features: Sequence[str], value_NF: npt.NDArray[np.float32]) -> pa.Table:
    """Return the base value, the `KEPT` largest contributions by amount and the sum of the others, of each ticker and horizon explained."""
    n, h = np.nonzero(np.isfinite(why.error_NH))
    parts_RF = why.parts_NHF[n, h]
    kept = min(KEPT, parts_RF.shape[1])
    top_RK = np.argsort(-np.abs(parts_RF), axis=1, kind="stable")[:, :kept]
    top_part_RK = np.take_along_axis(parts_RF, top_RK, axis=1)
    columns_RK = np.concatenate(
        [why.base_NH[n, h][:, None], top_part_RK, (parts_RF.sum(axis=1) - top_part_RK.sum(axis=1))[:, None]], axis=1
    )
    missing_R1 = np.full((len(n), 1), np.nan)
    value_RK = np.concatenate([missing_R1, np.take_along_axis(value_NF[n].astype(np.float64), top_RK, axis=1), missing_R1], axis=1)
    names = np.array([BASE_VALUE, ALL_OTHERS, *features], dtype=object)
    ends_R1 = np.zeros((len(n), 1), np.int64)
    name_RK = names[np.concatenate([ends_R1, top_RK + 2, ends_R1 + 1], axis=1)]
    each = kept + 2
    ranks = [0, *range(1, kept + 1), KEPT + 1]
    return pa.table(
        {
            "ticker": np.repeat(np.array(tickers, dtype=object)[n], each),
            "horizon_sessions": np.repeat(np.array(HORIZONS_SESSIONS, np.int16)[h], each),
            "model": pa.array([model] * (each * len(n)), pa.string()),
            "rank": np.tile(np.array(ranks, np.int64), len(n)),
            "feature": pa.array(name_RK.reshape(-1), pa.string()),
            "contribution": columns_RK.reshape(-1),
            "value": value_RK.reshape(-1),
            "method": pa.array([why.method] * (each * len(n)), pa.string()),
            "score": np.repeat(why.score_NH[n, h], each),
            "completeness_error": np.repeat(why.error_NH[n, h], each),
        }
    )


def _mean(values: Floats, here_NH: npt.NDArray[np.bool_]) -> Floats:
    """Return the mean over the tickers that have a score, [H, ...]."""
    weight = here_NH.reshape(*here_NH.shape, *(1,) * (values.ndim - 2))
    total = np.where(weight, values, 0.0).sum(axis=0)
    return np.asarray(total / np.maximum(weight.sum(axis=0), 1))
