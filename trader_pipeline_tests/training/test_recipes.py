"""Recipes as lists of members, and members of several seeds."""

import numpy as np
import pyarrow.parquet as pq
import pytest

from trader_pipeline.models import checkpoint
from trader_pipeline.models.rules import fit_rule
from trader_pipeline.schema import outputs
from trader_pipeline.schema.training import CURVES
from trader_pipeline.training import job
from trader_pipeline.training.recipes import RECIPES, SEED_STEP, FitContext, MemberRecipe, Recipe, classic, seeded
from trader_pipeline_tests.training.planted import examples, planted, request


def test_the_ensemble_has_three_seeds_of_what_a_seed_changes():
    names = [member.name for member in RECIPES["ensemble"]().members]
    assert names == ["ridge", *(f"{kind}{k}" for kind in ("lightgbm", "panel_former") for k in ("", "@1", "@2"))]


@pytest.fixture
def asked(tmp_path):
    """A recipe whose member keeps what it was asked with."""
    contexts, told = [], []

    def fit(learnt, context):
        contexts.append(context)
        context.report({"event": "epoch", "model": "zero", "epoch": 0})
        context.report({"event": "other"})
        return fit_rule("zero", learnt)

    recipe = seeded(Recipe(name="r", members=(MemberRecipe(name="zero", fit=fit),)), "several", 3)
    context = FitContext(seed=7, fold=0, report=told.append, scratch=tmp_path / "scratch", profile=tmp_path / "profile")
    members = [member.fit(examples(planted()), context) for member in recipe.members]
    return members, contexts, told


def test_each_seed_has_its_own_scratch_and_tells_its_own_name(asked):
    members, contexts, told = asked
    assert [member.name for member in members] == ["zero", "zero@1", "zero@2"]
    assert [context.seed for context in contexts] == [7, 7 + SEED_STEP, 7 + 2 * SEED_STEP]
    assert len({context.scratch for context in contexts}) == len({context.profile for context in contexts}) == 3
    assert [event.get("model") for event in told] == ["zero", None, "zero@1", None, "zero@2", None]


def test_members_of_several_seeds_are_saved_and_loaded_under_their_names(asked, tmp_path):
    members, _, _ = asked
    checkpoint.save_members(tmp_path, members)
    checkpoint.write_manifest(tmp_path, checkpoint.member_paths(tmp_path))
    loaded = checkpoint.load_members(tmp_path)
    assert [member.name for member in loaded] == ["zero", "zero@1", "zero@2"]
    data = planted()
    for before, after in zip(members, loaded, strict=True):
        assert (after.features, after.context_sessions) == (before.features, before.context_sessions)
        said = after.predict(data.x_NTF, data.grid, {}).scaled_mean_TNH
        assert np.array_equal(said, before.predict(data.x_NTF, data.grid, {}).scaled_mean_TNH, equal_nan=True)


def test_a_run_of_several_seeds_is_trained_and_published_whole(tmp_path, monkeypatch):
    monkeypatch.setitem(RECIPES, "seeds", lambda: seeded(classic(), "seeds", 2))
    asked = request(tmp_path / "model", planted(), recipe="seeds")
    job.run(asked, lambda _: None)
    names = ["lightgbm", "lightgbm@1", "ridge"]
    assert [member.name for member in checkpoint.load_members(asked.folder)] == names
    rows = outputs.OUT_OF_FOLD.sorted(pq.read_table(asked.folder / job.OUT_OF_FOLD_FILE)).to_pandas()
    score = rows.pivot_table(index=["ticker", "session", "horizon_sessions"], columns="model", values="score")
    assert list(score) == names
    assert 0.5 < score["lightgbm"].corr(score["lightgbm@1"]) < 0.9999
    CURVES.sorted(pq.read_table(asked.folder / job.CURVES_FILE))
