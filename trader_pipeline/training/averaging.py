"""Exponential moving average of the weights (Polyak averaging): what validation and the kept model use when it is on."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from trader_pipeline.training.sharding import like


class Averaged:
    """The average of the network's parameters. Early averages are short: the decay is at most (1 + step) / (10 + step)."""

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network, self.decay = network, decay
        self.weights = {name: p.detach().clone() for name, p in network.named_parameters()}

    def update(self, step: int) -> None:
        """Move towards the weights after `step`."""
        decay = min(self.decay, (1 + step) / (10 + step))
        with torch.no_grad():
            for name, p in self.network.named_parameters():
                self.weights[name].lerp_(p, 1 - decay)

    def load(self, weights: dict[str, Tensor]) -> None:
        """Take up a saved average."""
        for name, tensor in weights.items():
            self.weights[name].copy_(like(tensor, self.weights[name]))

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Let the network compute with the average while the context lasts."""
        now = {name: p.detach().clone() for name, p in self.network.named_parameters()}
        self._put(self.weights)
        try:
            yield
        finally:
            self._put(now)

    def _put(self, weights: dict[str, Tensor]) -> None:
        with torch.no_grad():
            for name, p in self.network.named_parameters():
                p.copy_(weights[name])
