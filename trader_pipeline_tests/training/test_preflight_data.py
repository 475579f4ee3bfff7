"""What stands before a training, and what becomes of a training when it fails."""

import json
from dataclasses import replace

import numpy as np
import pytest

from trader_pipeline.errors import PreflightError
from trader_pipeline.models.examples import Labels
from trader_pipeline.models.forecast import present
from trader_pipeline.models.linear import fit_ridge
from trader_pipeline.training import job
from trader_pipeline.training.preflight_data import class_balance, drift, drifted, require_finite, require_finite_forecast
from trader_pipeline.training.recipes import RECIPES, FitContext, MemberRecipe, Recipe
from trader_pipeline_tests.training.planted import examples, planted, request


def one_way(data):
    """Every label is up."""
    return replace(data, labels=Labels(data.labels.score_NTH, np.abs(data.labels.scaled_NTH)))


def test_features_with_infinities_are_named():
    given = examples(planted())
    require_finite(given)
    given.x_NTF[2, 500, 1] = np.inf
    with pytest.raises(PreflightError, match=r"preflight finite: features \['noise'\] hold infinities; mend .* rebuild features.panel$"):
        require_finite(given)


def test_a_feature_that_shifts_in_validation_is_the_worst():
    data = planted()
    calm = drift(examples(data))
    assert set(calm) == {"signal", "noise", "holes", "never"}
    assert max(calm.values()) < 0.05
    assert drifted(calm) == []
    data.x_NTF[:, 800:, 1] += 1.0
    shifted = drift(examples(data))
    assert next(iter(shifted)) == "noise"
    # of two normals with means one sigma apart: twice the divergence of 1/2; ten bins see less of it
    assert 0.7 < shifted["noise"] < 1.1
    assert drifted(shifted) == ["noise"]


def test_a_feature_that_is_no_longer_known_has_drifted():
    data = planted()
    data.x_NTF[:, 800:, 1] = np.nan
    assert drifted(drift(examples(data))) == ["noise"]


def test_classes_are_counted_by_horizon_and_weighed():
    data = planted()
    up = np.random.default_rng(3).random(data.labels.scaled_NTH.shape) < 0.7
    magnitude = np.abs(data.labels.scaled_NTH)
    rows = class_balance(examples(replace(data, labels=Labels(data.labels.score_NTH, np.where(up, magnitude, -magnitude)))))
    assert [row["horizon_sessions"] for row in rows] == [1, 5, 20, 60]
    for row in rows:
        assert row["up_share"] == pytest.approx(0.7, abs=0.03)
        assert row["up_share_validation"] == pytest.approx(0.7, abs=0.06)
        ups = row["up_share"] * row["labels"]
        assert row["weight_up"] * ups == pytest.approx(row["labels"] / 2)
        assert row["weight_down"] * (row["labels"] - ups) == pytest.approx(row["labels"] / 2)


def test_labels_that_all_go_one_way_are_refused():
    with pytest.raises(PreflightError, match=r"class_balance: all \d+ training labels at 1 sessions are up"):
        class_balance(examples(one_way(planted())))


def test_a_fit_whose_forecast_is_not_finite_is_refused():
    given = examples(planted())
    member = fit_ridge(given)
    here_TN = present(given.x_NTF).T
    require_finite_forecast("ridge", member.predict(given.x_NTF, given.grid, {}), here_TN)
    member.scaled_PH[0, 2] = np.nan
    with pytest.raises(PreflightError, match="finite_fit: ridge was fitted, and its mean is not finite"):
        require_finite_forecast("ridge", member.predict(given.x_NTF, given.grid, {}), here_TN)


def test_a_member_whose_fit_went_wrong_is_not_published(tmp_path, monkeypatch):
    def broken(examples, _):
        member = fit_ridge(examples)
        member.score_H[0] = np.inf
        return member

    recipe = Recipe(name="ridge", members=(MemberRecipe(name="ridge", fit=broken),))
    monkeypatch.setitem(RECIPES, "ridge", lambda: recipe)
    with pytest.raises(PreflightError, match="finite_fit: ridge was fitted, and its score is not finite"):
        job.run(request(tmp_path / "model", planted()), lambda _: None)


def test_a_failed_check_blocks_or_is_told_by_name():
    def fails():
        raise PreflightError("finite", "nothing is")

    infinite = examples(planted(sessions=900))
    infinite.x_NTF[0, 0, 0] = np.inf  # no member could go on with these
    told = []
    context = FitContext(seed=0, fold=1, report=told.append, scratch=None)
    with pytest.raises(PreflightError, match="preflight finite: nothing is"):
        context.preflight("ridge", fails)
    assert replace(context, skip_preflight=True).preflight("ridge", fails) is None
    assert replace(context, skip_preflight=True).preflight("ridge", lambda: 7) == 7
    with pytest.raises(PreflightError):
        replace(context, skip_preflight=True).preflight("ridge", lambda: require_finite(infinite))
    assert [(e["event"], e["model"], e["fold"], e["check"]) for e in told] == [("preflight_overridden", "ridge", 1, "finite")]


def test_a_training_is_blocked_and_goes_on_when_told_to_and_the_record_says_so(tmp_path):
    asked = request(tmp_path / "model", one_way(planted()))
    with pytest.raises(PreflightError, match="class_balance"):
        job.run(asked, lambda _: None)
    assert not (asked.folder / "manifest.json").exists()
    job.run(replace(asked, skip_preflight=True), lambda _: None)
    record = json.loads((asked.folder / job.RUN_FILE).read_bytes())
    assert record["asked"]["skip_preflight"]
    overridden = [(e["model"], e["fold"], e["check"]) for e in record["incidents"]]
    assert overridden == [("data", fold, "class_balance") for fold in (0, 1, 2, -1)]
    assert {row["class_balance"] for row in record["preflight"]} == {None}
