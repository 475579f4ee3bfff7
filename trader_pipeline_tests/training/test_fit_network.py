"""The whole fit on a small network: what it learns, that it repeats itself to the byte, and what stops it."""

import json
import re
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch

from trader_pipeline.errors import NoModelError, TrainingError
from trader_pipeline.models.network_member import NetworkMember
from trader_pipeline.models.panel_former import PanelFormerConfig
from trader_pipeline.training import faults, preflight
from trader_pipeline.training import fit_network as fit
from trader_pipeline.training.curriculum import calm_first
from trader_pipeline.training.fit_network import fit_network
from trader_pipeline.training.optimisation import Optimisation
from trader_pipeline.training.recipes import FitContext
from trader_pipeline.training.splits import FINAL
from trader_pipeline.training.targets import Targets
from trader_pipeline.training.windows import PanelTensors
from trader_pipeline_tests.training.planted import SECTORS, examples, planted

SIZE = PanelFormerConfig(columns=0, width=32, heads=2, key_value_heads=1, blocks=2, dropout=0.0, window_sessions=16)
SETTINGS = Optimisation(epochs=4, learning_rate=3e-3, rows_per_step=200)


def fitted(folder, *, fold=1, seed=0, epochs=None):
    events = []
    context = FitContext(seed=seed, fold=fold, report=events.append, scratch=folder, epochs_of_folds=epochs if epochs is not None else {})
    return fit_network(examples(planted(sessions=600), 450), context, SIZE, SETTINGS), events


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
    loaded = NetworkMember.of_files(member[0].files())
    a, b = (m.predict(data.x_NTF, data.grid, SECTORS) for m in (member[0], loaded))
    assert np.array_equal(a.scaled_quantiles_TNHQ, b.scaled_quantiles_TNHQ, equal_nan=True)
    assert np.array_equal(a.score_TNH, b.score_TNH, equal_nan=True)


def test_files_of_an_earlier_version_are_refused(member):
    files = member[0].files()
    facts = json.loads(files["member.json"])
    del facts["market_features"]
    with pytest.raises(NoModelError, match=r"the saved panel_former is of an earlier version.* train again"):
        NetworkMember.of_files(files | {"member.json": json.dumps(facts).encode()})


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
    fit_network(examples(planted(sessions=300), 200), context, SIZE, Optimisation(epochs=1))
    assert next(event for event in seen if event["event"] == "preflight")["overfit_ten_left"] < 0.1


def test_a_network_that_cannot_learn_ten_labels_is_not_trained(tmp_path, monkeypatch):
    monkeypatch.setattr(preflight, "_LEARNING_RATE", 0.0)
    context = FitContext(seed=0, fold=0, report=lambda _: None, scratch=tmp_path)
    with pytest.raises(TrainingError, match="cannot learn ten labels by heart"):
        fit_network(examples(planted(sessions=300), 200), context, SIZE, SETTINGS)


def test_a_network_that_cannot_learn_ten_labels_is_trained_when_told_to_and_that_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(preflight, "_LEARNING_RATE", 0.0)
    told = []
    context = FitContext(seed=0, fold=0, report=told.append, scratch=tmp_path, skip_preflight=True)
    fit_network(examples(planted(sessions=300), 200), context, SIZE, replace(SETTINGS, epochs=1))
    (overridden,) = [e for e in told if e["event"] == "preflight_overridden"]
    assert (overridden["model"], overridden["check"]) == ("panel_former", "overfit_ten")
    assert "capacity or a bug" in overridden["said"]
    assert [e["overfit_ten_left"] for e in told if e["event"] == "preflight"] == [None]


def fit_once(folder, settings, **changes):
    events = []
    context = FitContext(seed=0, fold=1, report=events.append, scratch=folder, **changes)
    member = fit_network(examples(planted(sessions=300), 200), context, SIZE, settings)
    return member.files()["weights.safetensors"], events


def test_a_fit_that_is_done_is_not_done_again_and_tells_its_epochs(tmp_path):
    settings = replace(SETTINGS, epochs=2)
    first, told = fit_once(tmp_path, settings)
    again, told_again = fit_once(tmp_path, settings)
    assert again == first
    assert [e for e in told_again if e["event"] == "epoch"] == [e for e in told if e["event"] == "epoch"]


def test_a_fit_that_starts_again_takes_none_of_what_was_there_for_its_best(tmp_path):
    good, worse = replace(SETTINGS, epochs=2), replace(SETTINGS, epochs=1, learning_rate=1e-7)
    fit_once(tmp_path / "a", good)
    kept, events = fit_once(tmp_path / "a", worse)
    assert [e["why"] for e in events if e["event"] == "starts_again"] == ["the checkpoints are of other settings, data or weights"]
    assert kept == fit_once(tmp_path / "b", worse)[0]


def test_without_patience_every_epoch_is_trained_and_the_last_is_kept(tmp_path):
    settings = replace(SETTINGS, learning_rate=0.02)  # too high: validation gets worse
    kept, events = fit_once(tmp_path / "a", replace(settings, patience=None))
    losses = [e["validation_loss"] for e in events if e["event"] == "epoch"]
    assert len(losses) == 4
    assert losses.index(min(losses)) < 3
    assert kept != fit_once(tmp_path / "b", replace(settings, patience=3))[0]


def test_bad_data_in_the_middle_is_passed_after_a_rollback(tmp_path):
    def spoil(phase, module):
        if phase == "gradient" and 4 <= module.step < 9:
            for parameter in module.network.parameters():
                parameter.grad[...] = torch.nan

    settings = replace(SETTINGS, skip_budget=1, check_steps=1, checkpoint_steps=2)
    with faults.injected(spoil):
        _, events = fit_once(tmp_path, settings)
    acted = [(e["event"], e.get("to_step")) for e in events if e["event"] in {"backed_off", "rolled_back"}]
    assert acted == [("backed_off", None), ("rolled_back", 6)]
    assert [e["epoch"] for e in events if e["event"] == "epoch"] == [0, 1, 2, 3]


def test_the_learning_rate_can_be_picked_and_a_fit_be_profiled(tmp_path):
    _, events = fit_once(tmp_path / "fit", replace(SETTINGS, learning_rate=None), profile=tmp_path / "profile")
    (tried,) = [e for e in events if e["event"] == "rate_range"]
    rates = [e["learning_rate"] for e in events if e["event"] == "epoch"]
    assert 0 < max(rates) <= tried["pick"]
    (profiled,) = [e for e in events if e["event"] == "profile"]
    assert json.loads((tmp_path / "profile/panel_former-fold1.json").read_text())["traceEvents"]
    assert re.fullmatch(r"\S+ takes [1-9]\d?% of the time on the CPU", profiled["bottleneck"])
    assert profiled["outside_kernels"] is None


def first_fold(folder, **settings):
    told = []
    context = FitContext(seed=0, fold=0, report=told.append, scratch=folder)
    fit_network(examples(planted(sessions=300), 200), context, SIZE, replace(SETTINGS, epochs=1, **settings))
    (tried,) = [e for e in told if e["event"] == "rate_range"]
    (used,) = [e["optimisation"]["learning_rate"] for e in told if e["event"] == "settings"]
    assert tried["used"] == used
    return tried


def test_the_range_test_of_the_first_fold_judges_the_recipes_rate_and_leaves_it(tmp_path):
    sound = first_fold(tmp_path / "sound", learning_rate=1e-5)
    assert (sound["used"], sound["warning"], sound["rates"][0]) == (1e-5, None, 1e-5)
    high = first_fold(tmp_path / "high", learning_rate=0.5)
    assert high["used"] == 0.5
    assert high["warning"].startswith("the learning rate 0.5 is over ")
    assert high["pick"] == sound["pick"]


def test_a_range_test_that_cannot_be_made_stops_no_fit_that_has_a_rate(tmp_path, monkeypatch):
    def no_memory(*_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(fit, "rate_range", no_memory)
    tried = first_fold(tmp_path / "a")
    assert (tried["pick"], tried["warning"]) == (None, "no range test: CUDA out of memory")
    with pytest.raises(torch.OutOfMemoryError):
        first_fold(tmp_path / "b", learning_rate=None)


def test_settings_are_told_whole_with_what_decides_the_last_bits(member):
    (told,) = [e for e in member[1] if e["event"] == "settings"]
    assert told["optimisation"] == json.loads(json.dumps(asdict(SETTINGS)))
    assert (told["size"]["width"], told["size"]["columns"]) == (SIZE.width, 6)
    assert (told["threads"], told["dynamic"], told["ranks"], told["device"], told["torch"]) == (1, False, 1, "cpu", torch.__version__)


def test_the_gap_begins_at_zero_and_grows_where_training_gains_what_validation_does_not(tmp_path):
    big = replace(SETTINGS, epochs=12, patience=12, weight_decay=0.0)
    _, events = fit_once(tmp_path, big)
    epochs = [e for e in events if e["event"] == "epoch"]
    apart = [e["validation_loss"] - e["train_loss"] for e in epochs]
    assert [e["gap"] for e in epochs] == pytest.approx([now - apart[0] for now in apart])
    assert epochs[0]["gap"] == 0
    (told,) = [e for e in events if e["event"] == "gap"]
    over = [e for e in epochs if e["gap"] > 0.05 * e["train_loss"]]
    assert (told["epoch"], told["gap"]) == (over[0]["epoch"], over[0]["gap"])
    calm = [e for e in fit_once(tmp_path / "calm", replace(big, gap_warning=10.0))[1] if e["event"] == "gap"]
    assert calm == []


def test_class_weights_of_a_recipe_reach_the_loss(tmp_path):
    settings = replace(SETTINGS, epochs=1)
    plain, _ = fit_once(tmp_path / "plain", settings)
    weighed, told = fit_once(tmp_path / "weighed", replace(settings, class_weights=True))
    assert weighed != plain
    assert next(e for e in told if e["event"] == "settings")["optimisation"]["class_weights"]


def test_a_slow_epoch_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr("trader_pipeline.training.callbacks._DAY_S", 1e-3)
    monkeypatch.setattr("trader_pipeline.training.callbacks._ETA_AFTER_STEPS", 2)
    _, events = fit_once(tmp_path, replace(SETTINGS, epochs=1))
    (slow,) = [e for e in events if e["event"] == "slow"]
    assert slow["days_per_epoch"] > 1


def test_a_curriculum_begins_with_the_calm_windows():
    scaled = torch.ones(2, 40, 4)
    scaled[:, 10:20] = 3.0
    scaled[:, 30:] = 2.0
    scaled[0, 25] = torch.nan
    nothing = torch.zeros(2, 40, 1)
    targets = Targets(scaled, scaled - 1.0, torch.ones(40, 4), torch.zeros(2, 40, 8))
    data = PanelTensors(nothing, nothing[..., 0].bool(), torch.zeros(40, 0), torch.eye(2).bool(), targets)
    ordered = calm_first([torch.tensor([10, 0, 30]), torch.tensor([20])], data, 10)
    assert [batch.tolist() for batch in ordered] == [[0, 20, 30], [10]]
