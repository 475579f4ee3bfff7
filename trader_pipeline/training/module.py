"""One optimiser step, safe: micro-batches that add up, memory that runs out, losses and gradients that are not finite or far too large.

Manual optimisation: one Lightning batch is the index vector of one global batch. A bad step never reaches the weights, because the
fused optimiser is told so on the device (`found_inf`) and leaves weights and moments as they are; the step is counted.
What a step draws depends on the seed and the step's number alone, so a run that goes on draws what it would have drawn.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pytorch_lightning as lightning
import torch
from torch import Tensor

from trader_pipeline.models.network import Inputs, Network
from trader_pipeline.training import faults, stopping
from trader_pipeline.training.averaging import Averaged
from trader_pipeline.training.guard import RING, Guard
from trader_pipeline.training.losses import weighted_loss
from trader_pipeline.training.memory import MemoryPlan, is_out_of_memory
from trader_pipeline.training.optimisation import Optimisation, warm_up_cosine
from trader_pipeline.training.windows import PanelTensors

Report = Callable[[Mapping[str, object]], None]


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
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.network, self.data, self.names, self.settings, self.seed, self.report = network, data, names, settings, seed, report
        self.window = network.config.window_sessions
        self.memory = MemoryPlan(network, micro_windows)
        self.guard = Guard(settings.spike_factor, data.x_NTP.device)
        self.average = Averaged(network, settings.ema_decay) if settings.ema_decay else None
        self.rate = warm_up_cosine(settings, total_steps)
        self.step, self.rate_scale = 0, 1.0
        if settings.learning_rate is None:
            raise ValueError("the learning rate is picked before the module is made")
        self.top_rate = settings.learning_rate
        self.recent: dict[int, Tensor] = {}
        self.train_sum = torch.zeros(2, device=data.x_NTP.device)
        self.optimiser = self._new_optimiser()

    def _new_optimiser(self) -> torch.optim.Optimizer:
        """Return AdamW without decay on biases and gains."""
        matrices = [p for p in self.network.parameters() if p.ndim > 1]
        vectors = [p for p in self.network.parameters() if p.ndim <= 1]
        groups = [{"params": matrices, "weight_decay": self.settings.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
        return torch.optim.AdamW(groups, self.top_rate, betas=(0.9, 0.95), eps=1e-8, fused=True)

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

    def tail_loss(self, tail: Sequence[Tensor]) -> float:
        """Return the mean loss of the given windows, each weighted by its labels; NaN without any window."""
        total, weight = 0.0, 0
        self.network.eval()
        with torch.no_grad(), self.average.in_place() if self.average else nullcontext():
            for starts_B in tail:
                inputs, targets = self.data.gather(starts_B, self.window)
                counts = targets.counts()
                loss = weighted_loss(self.network(inputs), targets, counts)
                labels = int(counts.sum())
                total, weight = total + float(loss) * labels, weight + labels
        self.network.train()
        return total / weight if weight else math.nan

    def _with_memory(self, starts_B: Tensor, *, dry: bool = False) -> tuple[Tensor, Tensor, Tensor]:
        """Attempt the step until it fits; what was done for it is told."""
        emptied = False
        while True:
            try:
                return self._attempt(starts_B, dry=dry)
            except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
                said, summary = str(error), self.memory.summary()
            self.zero_grad(set_to_none=True)  # here, where the traceback no longer holds the activations
            done = self.memory.shrink(emptied=emptied)
            emptied = True
            self.tell("out_of_memory", step=self.step, done=done, said=said, **({"memory_summary": summary} if summary else {}))

    def _attempt(self, starts_B: Tensor, *, dry: bool) -> tuple[Tensor, Tensor, Tensor]:
        """Return the loss, whether the step was left out, and what the guard saw."""
        torch.manual_seed(self.seed * 1_000_003 + self.step)
        self.zero_grad(set_to_none=True)
        loss = self._accumulate(starts_B)
        faults.reach("gradient", self)
        norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.settings.gradient_norm)
        bad, seen = self.guard.judge(loss, norm)
        wrapped: Any = self.optimizers()  # Lightning's wrapper of the one optimiser
        wrapped.optimizer.grad_scale = None
        wrapped.optimizer.found_inf = torch.ones_like(norm) if dry else bad.float()
        faults.reach("step", self)
        wrapped.step()
        return loss, bad, seen

    def _accumulate(self, starts_B: Tensor) -> Tensor:
        """Leave the gradient of the global batch, and return its loss."""
        counts = self.data.gather(starts_B, self.window)[1].counts()
        total = torch.zeros((), device=starts_B.device)
        for part_B in torch.split(starts_B, self.memory.micro_windows):
            stopping.pause()
            faults.reach("forward", self)
            inputs, targets = self.data.gather(part_B, self.window)
            loss = weighted_loss(self.network(self._noisy(inputs)), targets, counts)
            faults.reach("backward", self)
            self.manual_backward(loss)
            total += loss.detach()
        return total

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
