import math

import pytest
import torch

from trader_pipeline.errors import CorruptPartError, DiskFullError, TrainingError
from trader_pipeline.training.checkpoints import CheckpointStore, State


def state(value):
    return State({"weight": torch.full((2,), value)}, {"step": int(value)})


def filled(folder):
    store = CheckpointStore(folder)
    for epoch, loss in enumerate([0.9, 0.5, 0.7, 0.4, 0.8, math.nan, 0.6]):
        store.save(state(float(epoch)), step=epoch, epoch=epoch, validation_loss=loss)
    return store


def steps(store):
    return [entry["step"] for entry in store.entries()]


def test_the_best_three_and_the_last_two_stay(tmp_path):
    store = filled(tmp_path)
    assert steps(store) == [1, 3, 5, 6]
    store.save(state(7.0), step=7, epoch=7)
    assert steps(store) == [1, 3, 6, 7]
    assert {path.name for path in tmp_path.glob("*.safetensors")} == {entry["file"] for entry in store.entries()}


def test_the_best_is_loaded_and_a_nan_is_never_the_best(tmp_path):
    best, epoch = filled(tmp_path).best()
    assert (best.tensors["weight"].tolist(), best.facts, epoch) == ([3.0, 3.0], {"step": 3}, 3)


def test_without_any_validation_loss_the_last_is_loaded(tmp_path):
    store = CheckpointStore(tmp_path)
    for epoch in range(3):
        store.save(state(float(epoch)), step=epoch, epoch=epoch)
    assert store.best()[1] == 2


@pytest.mark.parametrize("damage", [lambda data: data[:-1], lambda data: data[:-1] + b"x", lambda _: b""], ids=["cut", "changed", "empty"])
def test_a_damaged_newest_is_passed_over(tmp_path, damage):
    store = filled(tmp_path)
    file = store.entries()[-1]["file"]
    (tmp_path / file).write_bytes(damage((tmp_path / file).read_bytes()))
    found, damaged = store.newest()
    assert (found.facts["step"], damaged) == (5, [file])
    for entry in store.entries():
        (tmp_path / entry["file"]).write_bytes(b"")
    assert store.newest()[0] is None
    with pytest.raises(CorruptPartError, match="does not match its hash"):
        store.best()


def test_a_manifest_that_cannot_be_read_holds_nothing(tmp_path):
    store = filled(tmp_path)
    (tmp_path / "checkpoints.json").write_bytes(b"{")
    assert store.newest() == (None, [])


def test_a_full_disk_is_told_before_anything_is_written(tmp_path, monkeypatch):
    store = filled(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 100})())
    with pytest.raises(DiskFullError, match="100 bytes free"):
        store.save(state(8.0), step=8, epoch=8)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_an_empty_folder_is_an_error(tmp_path):
    with pytest.raises(TrainingError, match="holds no checkpoint"):
        CheckpointStore(tmp_path).best()
