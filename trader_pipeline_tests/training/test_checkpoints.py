import pytest
import torch

from trader_pipeline.errors import CorruptPartError, TrainingError
from trader_pipeline.training.checkpoints import CheckpointStore


def network(value):
    layer = torch.nn.Linear(2, 1, bias=False)
    torch.nn.init.constant_(layer.weight, value)
    return layer


def filled(folder):
    store = CheckpointStore(folder)
    for epoch, loss in enumerate([0.9, 0.5, 0.7, 0.4, 0.8, float("nan"), 0.6]):
        store.save(network(float(epoch)), epoch=epoch, validation_loss=loss)
    return store


def test_the_best_three_and_the_last_stay(tmp_path):
    store = filled(tmp_path)
    assert [entry["epoch"] for entry in store.entries()] == [1, 3, 6]
    store.save(network(7.0), epoch=7, validation_loss=float("nan"))
    assert [entry["epoch"] for entry in store.entries()] == [1, 3, 6, 7]
    assert sorted(path.name for path in tmp_path.glob("*.safetensors")) == [f"epoch-000{e}.safetensors" for e in (1, 3, 6, 7)]


def test_the_best_is_loaded_and_a_nan_is_never_the_best(tmp_path):
    loaded = network(-1.0)
    assert filled(tmp_path).load_best(loaded) == 3
    assert loaded.weight.tolist() == [[3.0, 3.0]]


def test_without_any_validation_loss_the_last_is_loaded(tmp_path):
    store = CheckpointStore(tmp_path)
    for epoch in range(3):
        store.save(network(float(epoch)), epoch=epoch, validation_loss=float("nan"))
    assert store.load_best(network(0.0)) == 2


def test_a_damaged_checkpoint_is_refused(tmp_path):
    store = filled(tmp_path)
    path = tmp_path / "epoch-0003.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(CorruptPartError, match=r"epoch-0003.safetensors does not match its hash"):
        store.load_best(network(0.0))


def test_an_empty_folder_is_an_error(tmp_path):
    with pytest.raises(TrainingError, match="holds no checkpoint"):
        CheckpointStore(tmp_path).load_best(network(0.0))
