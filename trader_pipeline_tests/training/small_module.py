"""A tiny PanelFormer under the trainer, for tests of single steps."""

import math

import numpy as np
import pytorch_lightning as lightning
import torch

from trader_pipeline.models.examples import Labels
from trader_pipeline.models.panel_former import PanelFormer, PanelFormerConfig
from trader_pipeline.training.module import NetworkModule, PanelNames
from trader_pipeline.training.optimisation import Optimisation
from trader_pipeline.training.ranks import ALONE
from trader_pipeline.training.targets import targets_of
from trader_pipeline.training.windows import PanelTensors

TICKERS, SESSIONS, COLUMNS, LENGTH = 4, 64, 3, 8
BATCHES = [torch.tensor([0, 16, 40, 52]), torch.tensor([8, 24, 32, 48]), torch.tensor([4, 20, 36, 44])]


def tensors():
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(TICKERS, SESSIONS, COLUMNS, generator=generator)
    labels = x[..., :1] + torch.randn(TICKERS, SESSIONS, 4, generator=generator)
    labels[torch.rand(labels.shape, generator=generator) < 0.3] = math.nan
    targets = targets_of(Labels(labels.numpy(), labels.numpy() * 1.5), x[..., 0].numpy())
    present, same = torch.ones(TICKERS, SESSIONS, dtype=torch.bool), torch.eye(TICKERS, dtype=torch.bool)
    return PanelTensors(x, present, torch.zeros(SESSIONS, 0), same, targets)


def module(data, *, ranks=ALONE, dtype=torch.float32, **settings):
    torch.manual_seed(0)
    network = PanelFormer(
        PanelFormerConfig(columns=COLUMNS, width=16, heads=2, key_value_heads=1, blocks=2, dropout=0.0, window_sessions=LENGTH)
    ).to(dtype)
    days = np.arange("2020-01-01", "2020-03-05", dtype="datetime64[D]")
    names = PanelNames("net", 0, ("A", "B", "C", "D"), days, ("momentum", "value", "size"))
    return NetworkModule(network, data, names, Optimisation(**settings), total_steps=30, micro_windows=4, ranks=ranks)


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
