"""The whole fit on a small network: what it learns, that it repeats itself to the byte, and what stops it."""

import numpy as np
import pytest

from trader_pipeline.errors import TrainingError
from trader_pipeline.models.panel_former import PanelFormerConfig
from trader_pipeline.models.panel_former_member import PanelFormerMember
from trader_pipeline.training import preflight
from trader_pipeline.training.fit_panel_former import fit_panel_former
from trader_pipeline.training.module import Optimisation
from trader_pipeline.training.recipes import FitContext
from trader_pipeline.training.splits import FINAL
from trader_pipeline_tests.training.planted import SECTORS, examples, planted

SIZE = PanelFormerConfig(columns=0, width=32, heads=2, key_value_heads=1, blocks=2, dropout=0.0, window_sessions=16)
SETTINGS = Optimisation(epochs=4, learning_rate=3e-3, rows_per_step=200)


def fitted(folder, *, fold=1, seed=0, epochs=None):
    events = []
    context = FitContext(seed=seed, fold=fold, report=events.append, scratch=folder, epochs_of_folds=epochs if epochs is not None else {})
    return fit_panel_former(examples(planted(sessions=600), 450), context, SIZE, SETTINGS), events


@pytest.fixture(scope="module")
def member(tmp_path_factory):
    return fitted(tmp_path_factory.mktemp("fit"))


def test_it_finds_the_planted_signal(member):
    data = planted(sessions=600, seed=9)
    score = member[0].predict(data.x_NTF, data.grid, SECTORS).score_TNH[:, :, 0].T
    known = np.isfinite(score)
    assert np.corrcoef(score[known], data.x_NTF[:, :, 0][known])[0, 1] > 0.7
    assert np.array_equal(known, np.isfinite(data.x_NTF).any(axis=2))


def test_every_epoch_is_told_with_both_losses(member):
    epochs = [event for event in member[1] if event["event"] == "epoch"]
    assert [event["epoch"] for event in epochs] == list(range(len(epochs)))
    assert all(1 < event["train_loss"] < 6 and 1 < event["validation_loss"] < 6 and event["skipped_steps"] == 0 for event in epochs)
    assert epochs[-1]["train_loss"] < epochs[0]["train_loss"]


def test_the_fit_tells_its_throughput(member):
    (told,) = [event for event in member[1] if event["event"] == "throughput"]
    assert (told["model"], told["fold"], told["warning"], told["gpu_utilisation"]) == ("panel_former", 1, None, None)
    assert told["tokens_per_s"] == pytest.approx(told["samples_per_s"] * 6 * SIZE.window_sessions)
    seconds = sum(event["seconds"] for event in member[1] if event["event"] == "epoch")
    seen = sum(e["event"] == "epoch" for e in member[1]) * (450 - 5 - 1) // SIZE.window_sessions
    assert told["samples_per_s"] > seen / seconds  # an epoch's seconds hold validation, too
    assert 0 < told["mfu"] < 1


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(member, tmp_path):
    assert fitted(tmp_path / "a")[0].files() == member[0].files()
    other = fitted(tmp_path / "b", seed=1)[0].files()
    assert other["weights.safetensors"] != member[0].files()["weights.safetensors"]


def test_a_loaded_member_says_the_same(member):
    data = planted(sessions=80)
    loaded = PanelFormerMember.of_files(member[0].files())
    a, b = (m.predict(data.x_NTF, data.grid, SECTORS) for m in (member[0], loaded))
    assert np.array_equal(a.scaled_quantiles_TNHQ, b.scaled_quantiles_TNHQ, equal_nan=True)
    assert np.array_equal(a.score_TNH, b.score_TNH, equal_nan=True)


def test_the_final_fit_runs_as_long_as_the_folds_found_best_and_has_no_validation(tmp_path):
    _, events = fitted(tmp_path, fold=FINAL, epochs={"panel_former": [1, 2, 2]})
    epochs = [event for event in events if event["event"] == "epoch"]
    assert len(epochs) == 2
    assert {event["validation_loss"] for event in epochs} == {None}


def test_preflight_names_what_says_nothing(member, tmp_path):
    (event,) = [event for event in member[1] if event["event"] == "preflight"]
    assert (event["never_known"], event["constant"], event["extreme"]) == (["never"], [], [])
    context = FitContext(seed=0, fold=0, report=lambda event: seen.append(event), scratch=tmp_path)  # noqa: PLW0108 - `seen` comes after
    seen = []
    fit_panel_former(examples(planted(sessions=300), 200), context, SIZE, Optimisation(epochs=1))
    assert next(event for event in seen if event["event"] == "preflight")["overfit_ten_left"] < 0.1


def test_a_network_that_cannot_learn_ten_labels_is_not_trained(tmp_path, monkeypatch):
    monkeypatch.setattr(preflight, "_LEARNING_RATE", 0.0)
    context = FitContext(seed=0, fold=0, report=lambda _: None, scratch=tmp_path)
    with pytest.raises(TrainingError, match="cannot learn ten labels by heart"):
        fit_panel_former(examples(planted(sessions=300), 200), context, SIZE, SETTINGS)
