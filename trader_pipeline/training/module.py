"""One optimiser step, safe: micro-batches that add up, memory that runs out, losses and gradients that are not finite or far too large.

Manual optimisation: one Lightning batch is the index vector of one global batch. A bad step never reaches the weights, because the
fused optimiser is told so on the device (`found_inf`) and leaves weights and moments as they are; the step is counted.
What a step draws depends on the seed, the step's number and the rank alone, so a run that goes on draws what it would have drawn.
Several ranks take their share of the windows, agree whether memory sufficed, and sum; from there on all do the same.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pytorch_lightning as lightning
import torch
from torch import Tensor

from trader_pipeline.models.network import Inputs, Network
from trader_pipeline.training import faults, stopping
from trader_pipeline.training.averaging import Averaged
from trader_pipeline.training.compute import Computed, machine
from trader_pipeline.training.gather import Buffers
from trader_pipeline.training.guard import RING, Guard
from trader_pipeline.training.memory import MemoryPlan, Short, attempted
from trader_pipeline.training.optimisation import Optimisation, rate_factor
from trader_pipeline.training.optimisers import optimiser
from trader_pipeline.training.ranks import ALONE, Ranks
from trader_pipeline.training.sharding import shard, whole
from trader_pipeline.training.windows import Judged, PanelTensors

Report = Callable[[Mapping[str, object]], None]


class Moved(NamedTuple):
    """An attempt that fitted: the loss of the global batch, whether the step was left out, and what the guard wants to know."""

    loss: Tensor
    bad: Tensor
    seen: Tensor


@dataclass(frozen=True, eq=False)
class PanelNames:
    """What the axes of the tensors are called: tickers [N], sessions [T], prepared columns [P]; and whose fit it is."""

    model: str
    fold: int
    tickers: tuple[str, ...]
    sessions: npt.NDArray[np.datetime64]
    columns: tuple[str, ...]


class NetworkModule(lightning.LightningModule):
    """A network on tensors that stay on the device. `step` counts global batches, bad ones too."""

    def __init__(
        self,
        network: Network,
        data: PanelTensors,
        names: PanelNames,
        settings: Optimisation,
        *,
        total_steps: int,
        micro_windows: int,
        seed: int = 0,
        report: Report = lambda _: None,
        ranks: Ranks = ALONE,
        class_weights: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.network, self.data, self.names, self.settings, self.seed, self.report = network, data, names, settings, seed, report
        self.ranks, self.window, self.gathered = ranks, network.config.window_sessions, Buffers()
        self.class_weights = None if class_weights is None else class_weights.to(data.x_NTP.device)
        if settings.compute.shard:
            shard(network, ranks)
        self.computed = Computed(network, machine(replace(settings.compute, device=data.device.type)))
        self.memory = MemoryPlan(network, micro_windows)
        self.guard = Guard(settings.spike_factor, data.device)
        self.average = Averaged(network, settings.ema_decay) if settings.ema_decay else None
        self.rate = rate_factor(settings, total_steps)
        self.step, self.rate_scale = 0, 1.0
        if settings.learning_rate is None:
            raise ValueError("the learning rate is picked before the module is made")
        self.top_rate = settings.learning_rate
        self.recent: dict[int, Tensor] = {}
        self.train_sum = torch.zeros(2, device=data.device)
        self.optimiser = optimiser(network, settings.optimiser, learning_rate=self.top_rate, weight_decay=settings.weight_decay)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return the one optimiser; the learning rate is set at each step."""
        return self.optimiser

    @property
    def learning_rate(self) -> float:
        """The rate of the step that comes."""
        return self.top_rate * self.rate(self.step) * self.rate_scale

    def training_step(self, starts_B: Tensor, _: int) -> None:
        """Take one step on a global batch of windows, in micro-batches that fit."""
        for group in self.optimiser.param_groups:
            group["lr"] = self.learning_rate
        self._remember(starts_B)
        loss, bad, seen = self._with_memory(starts_B)
        self.guard.note(bad, seen, self.step)
        self.train_sum += torch.where(bad, 0.0, torch.stack([loss, torch.ones_like(loss)]))
        if self.average:
            self.average.update(self.step)
        self.step += 1

    def reserve(self, starts_B: Tensor) -> None:
        """Run the largest shape once and change nothing, so that memory runs out before training does, and moments have their place."""
        self._with_memory(starts_B, dry=True)

    def train_loss(self) -> float:
        """Return the mean loss of the steps taken since the last call, NaN without any."""
        total, steps = self.train_sum.tolist()
        self.train_sum.zero_()
        return total / steps if steps else math.nan

    def tail_loss(self, tail: Sequence[Judged]) -> float:
        """Return the mean loss of the given windows, each weighted by the labels that it judges; NaN without any window."""
        total, weight = 0.0, 0
        self.network.eval()
        with torch.no_grad(), self.average.in_place() if self.average else nullcontext():
            for starts_B, skip in tail:
                inputs, every = self.data.gather(starts_B, self.window)
                targets = every.since(skip)
                counts = targets.counts()
                loss = self.computed.loss(inputs, targets, counts, self.class_weights)
                labels = int(counts.sum())
                total, weight = total + float(loss) * labels, weight + labels
        self.network.train()
        return total / weight if weight else math.nan

    def _with_memory(self, starts_B: Tensor, *, dry: bool = False) -> Moved:
        """Attempt the step until it fits; what was done for it is told."""
        emptied = False
        while isinstance(attempt := self._attempt(starts_B, dry=dry), Short):
            self.zero_grad(set_to_none=True)
            if not self.step:
                self.optimiser.state.clear()  # moments may be half made; they are zeros yet
            done = self.memory.shrink(emptied=emptied)
            emptied = True
            summary = {"memory_summary": attempt.summary} if attempt.summary else {}
            self.tell("out_of_memory", step=self.step, done=done, said=attempt.said, **summary)
        return attempt

    def _attempt(self, starts_B: Tensor, *, dry: bool) -> Moved | Short:
        """Take the step, or return that memory ran out at one of the ranks.

        Once they have agreed to take it none can go back alone: memory that runs out then ends the process, and the launcher starts
        all of them again from the last checkpoint.
        """
        loss = attempted(partial(self._share, starts_B))
        is_short = self.ranks.any(isinstance(loss, Short))
        if isinstance(loss, Short):
            return loss
        if is_short:
            return Short("memory ran out at another rank", None)
        moved = attempted(partial(self._move, loss, dry=dry))
        if isinstance(moved, Short) and self.ranks.world > 1:
            raise torch.OutOfMemoryError(moved.said)
        return moved

    def _share(self, starts_B: Tensor) -> Tensor:
        """Leave the gradient of this rank's windows, and return their share of the loss."""
        torch.manual_seed((self.seed * 1_000_003 + self.step) * self.ranks.world + self.ranks.rank)
        self.zero_grad(set_to_none=True)
        loss = self._accumulate(starts_B)
        faults.reach("gradient", self)
        return loss

    def _move(self, loss: Tensor, *, dry: bool) -> Moved:
        """Sum over ranks, judge, and take the step."""
        self.ranks.add_gradients(self.network.parameters())
        loss = self.ranks.total(loss)
        norm = whole(torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.settings.gradient_norm))
        bad, seen = self.guard.judge(loss, norm)
        wrapped: Any = self.optimizers()  # Lightning's wrapper of the one optimiser
        wrapped.optimizer.grad_scale = None
        wrapped.optimizer.found_inf = torch.ones_like(norm) if dry else bad.float()
        faults.reach("step", self)
        wrapped.step()
        return Moved(loss, bad, seen)

    def _accumulate(self, starts_B: Tensor) -> Tensor:
        """Add up the gradient of this rank's windows of a global batch, and return their share of its loss."""
        counts = self.data.labels(starts_B, self.window).counts()  # of all ranks: the data are resident on each
        total = torch.zeros((), device=self.data.device)
        for part_B, weight in self.ranks.micro_batches(starts_B, self.memory.micro_windows):
            if self.ranks.world == 1:
                stopping.pause()
            faults.reach("forward", self)
            inputs, targets = self.data.gather(part_B, self.window, self.gathered, self._older(part_B))
            loss = self.computed.loss(self._noisy(inputs), targets, counts, self.class_weights) * weight
            faults.reach("backward", self)
            self.manual_backward(loss)
            total += loss.detach()
        return total

    def _older(self, starts_B: Tensor) -> Tensor | None:
        """Draw how many sessions older each window's features are, when the recipe says so; a window at the panel's start has no older."""
        if not self.settings.shift_sessions:
            return None
        back_B = torch.randint_like(starts_B, 1, self.settings.shift_sessions + 1)
        is_moved_B = torch.rand(starts_B.shape, device=starts_B.device) < self.settings.shift_share
        return torch.minimum(back_B * is_moved_B, starts_B)

    def _noisy(self, inputs: Inputs) -> Inputs:
        """Add noise to the features of who is there, when the recipe says so."""
        if not self.settings.feature_noise:
            return inputs
        noise = torch.randn_like(inputs.x_BNLP) * self.settings.feature_noise
        return inputs._replace(x_BNLP=inputs.x_BNLP + noise * inputs.present_BNL.unsqueeze(-1))

    def _remember(self, starts_B: Tensor) -> None:
        """Keep which windows the newest steps saw, so that a bad one can be named later."""
        self.recent[self.step] = starts_B
        self.recent.pop(self.step - RING, None)

    def tell(self, event: str, **facts: object) -> None:
        """Report an event of this fit."""
        self.report({"event": event, "model": self.names.model, "fold": self.names.fold, **facts})
