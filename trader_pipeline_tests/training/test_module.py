"""Steps that survive what goes wrong: gradients that are not finite, memory that runs out."""

import math

import numpy as np
import pytest
import pytorch_lightning as lightning
import torch

from trader_pipeline.errors import TrainingError
from trader_pipeline.models.panel_former import PanelFormer, PanelFormerConfig
from trader_pipeline.training.module import Optimisation, PanelFormerModule, PanelNames, warm_up_cosine
from trader_pipeline.training.ranks import ALONE
from trader_pipeline.training.windows import PanelTensors

TICKERS, SESSIONS, COLUMNS, LENGTH = 4, 64, 3, 8
BATCHES = [torch.tensor([0, 16, 40, 52]), torch.tensor([8, 24, 32, 48]), torch.tensor([4, 20, 36, 44])]


def tensors():
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(TICKERS, SESSIONS, COLUMNS, generator=generator)
    labels = x[..., :1] + torch.randn(TICKERS, SESSIONS, 4, generator=generator)
    labels[torch.rand(labels.shape, generator=generator) < 0.3] = math.nan
    return PanelTensors(x, torch.ones(TICKERS, SESSIONS, dtype=torch.bool), labels, labels * 1.5, torch.eye(TICKERS, dtype=torch.bool))


def module(data, *, ranks=ALONE, **settings):
    torch.manual_seed(0)
    network = PanelFormer(
        PanelFormerConfig(columns=COLUMNS, width=16, heads=2, key_value_heads=1, blocks=2, dropout=0.0, window_sessions=LENGTH)
    )
    names = PanelNames(np.arange("2020-01-01", "2020-03-05", dtype="datetime64[D]"), ("momentum", "value", "size"))
    return PanelFormerModule(network, data, names, Optimisation(**settings), total_steps=30, micro_windows=4, ranks=ranks)


class Batches:
    """Global batches in order; Lightning would zip a plain list."""

    def __init__(self, batches):
        self.batches = batches

    def __len__(self):
        return len(self.batches)

    def __iter__(self):
        return iter(self.batches)


def train(trained, batches):
    trainer = lightning.Trainer(
        max_epochs=1,
        accelerator="cpu",
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
    )
    trainer.fit(trained, Batches(batches))
    return trained


def weights(trained):
    return torch.cat([parameter.detach().flatten() for parameter in trained.network.parameters()])


def test_a_gradient_that_is_not_finite_never_reaches_the_weights():
    poisoned = tensors()
    poisoned.x_NTP[2, 20, 1] = math.inf
    only = [torch.tensor([16, 40])]  # sees session 20
    before = weights(module(poisoned))
    trained = train(module(poisoned), only * 3)
    assert trained.skipped_steps == 3
    assert torch.equal(weights(trained), before)
    moments = trained.optimizers().optimizer.state
    assert all(torch.isfinite(value).all() for state in moments.values() for value in state.values())


def test_training_goes_on_after_a_skipped_step():
    poisoned = tensors()
    poisoned.x_NTP[2, 20, 1] = math.nan
    before = weights(module(poisoned))
    trained = train(module(poisoned), [torch.tensor([40]), torch.tensor([16]), torch.tensor([30])])
    assert trained.skipped_steps == 1
    assert torch.isfinite(weights(trained)).all()
    assert not torch.equal(weights(trained), before)


def test_past_the_budget_the_error_names_dates_and_features():
    poisoned = tensors()
    poisoned.x_NTP[2, 20, 1] = math.nan
    with pytest.raises(TrainingError, match=r"3 steps .* budget is 2; .*8 sessions from 2020-01-17; features \['value'\]"):
        train(module(poisoned, skip_budget=2), [torch.tensor([16])] * 5)


def gradients(taught, batch):
    taught.manual_backward = lambda loss: loss.backward()
    taught._backward(batch)
    return torch.cat([parameter.grad.flatten() for parameter in taught.network.parameters() if parameter.grad is not None])


def test_out_of_memory_halves_the_windows_and_changes_no_gradient(monkeypatch):
    clean = gradients(module(tensors()), BATCHES[0])
    short = module(tensors())
    forward, seen = short.network.forward, []

    def small_memory(x, present, same):
        seen.append(len(x))
        if len(x) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(x, present, same)

    monkeypatch.setattr(short.network, "forward", small_memory)
    recovered = gradients(short, BATCHES[0])
    assert seen == [4, 2, 1, 1, 1, 1]
    assert short.micro_windows == 1
    assert clean.abs().max() > 1e-2
    assert (recovered - clean).abs().max() < 1e-6


def test_one_window_that_does_not_fit_is_an_error(monkeypatch):
    def no_memory(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    short = module(tensors())
    monkeypatch.setattr(short.network, "forward", no_memory)
    with pytest.raises(TrainingError, match="one window of sessions does not fit"):
        train(short, BATCHES)


def test_the_learning_rate_warms_up_for_a_tenth_and_then_falls():
    factor = warm_up_cosine(Optimisation(final_share=0.1), 100)
    assert [factor(s) for s in (0, 4, 9)] == pytest.approx([0.1, 0.5, 1.0])
    assert factor(10) == pytest.approx(1.0)
    assert factor(55) == pytest.approx(0.55)
    assert factor(100) == factor(500) == pytest.approx(0.1)
