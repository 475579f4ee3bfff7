"""Contributions are carried through standardization and weighting exactly."""

import numpy as np
import pyarrow as pa
import pytest

from trader_pipeline.ensembles.combine import FORECAST_COLUMNS, combine
from trader_pipeline.ensembles.explain import KEPT, rows_of, standardized, weighted_sum
from trader_pipeline.models.attribution import attribution
from trader_pipeline.schema.columns import HORIZONS_SESSIONS

N, H, F = 7, 4, 9
NAMES = [f"T{n}" for n in range(N)]


def member(seed, *, centred=True, features=F):
    rng = np.random.default_rng(seed)
    parts, base = rng.normal(size=(N, H, features)), rng.normal(size=(1, H)) + np.zeros((N, H))
    score = base + parts.sum(axis=2)
    return score, attribution("linear", score, base, parts, centred=centred)


def forecasts(scores):
    """Rows of predictions.out_of_fold as `combine` takes them."""
    rows = []
    for name, score_NH in scores.items():
        for n, ticker in enumerate(NAMES):
            for h, horizon in enumerate(HORIZONS_SESSIONS):
                value = None if np.isnan(score_NH[n, h]) else float(score_NH[n, h])
                rows.append({"fold": -1, "model": name, "ticker": ticker, "session": 18299, "horizon_sessions": horizon})
                rows[-1] |= dict.fromkeys(FORECAST_COLUMNS, 0.0) | {"score": value}
    table = pa.Table.from_pylist(rows)
    return table.set_column(3, "session", table["session"].cast(pa.int32()).cast(pa.date32()))


def published(scores, weights):
    rows = combine(forecasts(scores), weights).to_pylist()
    found = {(row["ticker"], row["horizon_sessions"]): row["score"] for row in rows}
    return np.array([[found.get((ticker, h), np.nan) for h in HORIZONS_SESSIONS] for ticker in NAMES])


@pytest.mark.parametrize("centred", [True, False])
def test_a_member_sums_to_its_z(centred):
    score, why = member(0, centred=centred)
    told = standardized(score, why)
    z = (score - score.mean(axis=0)) / score.std(axis=0)
    assert told.base_NH + told.parts_NHF.sum(axis=2) == pytest.approx(z)
    assert told.score_NH == pytest.approx(z)
    assert np.abs(told.error_NH).max() < 1e-12
    if centred:
        assert told.base_NH == pytest.approx(np.zeros((N, H)), abs=1e-12)
        assert told.parts_NHF.mean(axis=0) == pytest.approx(np.zeros((H, F)), abs=1e-12)


def everywhere(weights):
    """The same weight for each ticker and horizon."""
    return {name: np.full((N, H), weight) for name, weight in weights.items()}


def test_weights_may_differ_by_ticker_and_horizon():
    (one, why_one), (other, why_other) = member(1), member(2)
    share = np.linspace(0, 1, N * H).reshape(N, H)
    members = {"a": standardized(one, why_one), "b": standardized(other, why_other)}
    told = weighted_sum(members, {"a": share, "b": 1 - share}, {"a": range(F), "b": range(F)}, F)
    said = share * members["a"].score_NH + (1 - share) * members["b"].score_NH
    assert told.base_NH + told.parts_NHF.sum(axis=2) == pytest.approx(said)


def test_what_all_tickers_share_tells_none_apart():
    score, why = member(0)
    shared = np.zeros((N, H, F))
    shared[:, :, 2] = 5.0
    moved = attribution("linear", score + 5.0, why.base_NH, why.parts_NHF + shared)
    assert standardized(score + 5.0, moved).parts_NHF == pytest.approx(standardized(score, why).parts_NHF)


def test_scores_that_are_all_the_same_have_no_contributions():
    score = np.full((N, H), 0.25)
    told = standardized(score, attribution("tree_shap", score, score, np.zeros((N, H, F))))
    assert (told.parts_NHF == 0).all()
    assert (told.base_NH == 0).all()
    assert (told.error_NH == 0).all()


def test_the_ensemble_sums_to_the_published_score_with_any_weights():
    (one, why_one), (other, why_other) = member(1), member(2, centred=False, features=3)
    weights = {"a": 0.7, "b": 0.3}
    members = {"a": standardized(one, why_one), "b": standardized(other, why_other)}
    told = weighted_sum(members, everywhere(weights), {"a": range(F), "b": [0, 4, 9]}, F + 1)
    said = published({"a": one, "b": other}, weights)
    assert told.score_NH == pytest.approx(said)
    assert told.base_NH + told.parts_NHF.sum(axis=2) == pytest.approx(said)
    assert told.parts_NHF[:, :, 4] == pytest.approx(0.7 * members["a"].parts_NHF[:, :, 4] + 0.3 * members["b"].parts_NHF[:, :, 1])
    assert told.parts_NHF[:, :, 9] == pytest.approx(0.3 * members["b"].parts_NHF[:, :, 2])


def test_weights_may_differ_by_horizon():
    (one, why_one), (other, why_other) = member(1), member(2)
    by_horizon = {"a": np.array([0.9, 0.5, 0.2, 0.0]), "b": np.array([0.1, 0.5, 0.8, 1.0])}
    told = weighted_sum(
        {"a": standardized(one, why_one), "b": standardized(other, why_other)}, by_horizon, {"a": range(F), "b": range(F)}, F
    )
    for h in range(H):
        said = published({"a": one, "b": other}, {name: weight[h] for name, weight in by_horizon.items()})
        assert (told.base_NH + told.parts_NHF.sum(axis=2))[:, h] == pytest.approx(said[:, h])


def test_a_member_without_a_score_leaves_its_weight_to_the_others():
    (one, why_one), (other, _) = member(1), member(2)
    other[3] = np.nan
    why_other = attribution(
        "linear", other, np.zeros((N, H)), np.where(np.isnan(other)[..., None], np.nan, other[..., None] / F) + np.zeros(F)
    )
    weights = {"a": 0.5, "b": 0.5}
    members = {"a": standardized(one, why_one), "b": standardized(other, why_other)}
    told = weighted_sum(members, everywhere(weights), {"a": range(F), "b": range(F)}, F)
    said = published({"a": one, "b": other}, weights)
    assert told.base_NH + told.parts_NHF.sum(axis=2) == pytest.approx(said)


def test_a_member_that_is_not_explained_leaves_the_ensemble_unexplained():
    (one, why_one), (other, why_other) = member(1), member(2, centred=False)
    parts = why_other.parts_NHF.copy()
    parts[2:] = np.nan
    partly = attribution("integrated_gradients", other, why_other.base_NH, parts, centred=False)
    both = {"a": range(F), "b": range(F)}
    told = weighted_sum({"a": standardized(one, why_one), "b": standardized(other, partly)}, everywhere({"a": 0.5, "b": 0.5}), both, F)
    rows = rows_of("ensemble", told, NAMES, [f"f{f}" for f in range(F)], np.zeros((N, F), np.float32))
    assert set(rows["ticker"].to_pylist()) == {"T0", "T1"}


def test_rows_are_base_the_largest_five_and_the_rest():
    score, why = member(3)
    told = standardized(score, why)
    values = np.arange(N * F, dtype=np.float32).reshape(N, F)
    values[0] = np.nan
    rows = rows_of("ridge", told, NAMES, [f"f{f}" for f in range(F)], values).to_pylist()
    assert len(rows) == N * H * (KEPT + 2)
    mine = [row for row in rows if (row["ticker"], row["horizon_sessions"]) == ("T2", 5)]
    assert [row["rank"] for row in mine] == [0, 1, 2, 3, 4, 5, 6]
    assert (mine[0]["feature"], mine[-1]["feature"]) == ("base value", "all others")
    order = np.argsort(-np.abs(told.parts_NHF[2, 1]))[:KEPT]
    assert [row["feature"] for row in mine[1:-1]] == [f"f{f}" for f in order]
    assert [row["value"] for row in mine[1:-1]] == [values[2, f] for f in order]
    assert sum(row["contribution"] for row in mine) == pytest.approx(mine[0]["score"], abs=1e-12)
    assert np.isnan([row["value"] for row in rows if row["ticker"] == "T0"]).all()
