"""One optimiser step, safe: micro-batches that add up, memory that runs out, gradients that are not finite.

Manual optimisation: one Lightning batch is the index vector of one global batch. A non-finite gradient never reaches the
weights, because the fused optimiser is told so (`found_inf`) and leaves weights and moments as they are; the step is counted.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pytorch_lightning as lightning
import torch
from torch import Tensor

from trader_pipeline.errors import TrainingError
from trader_pipeline.models.panel_former import PanelFormer
from trader_pipeline.training.losses import weighted_loss
from trader_pipeline.training.optimisers import Kind, optimiser
from trader_pipeline.training.ranks import ALONE, Ranks
from trader_pipeline.training.sharding import whole
from trader_pipeline.training.windows import PanelTensors


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimisation:
    """How a network is trained. `skip_budget` steps with a non-finite gradient are left out before training stops.

    A step sees as many windows as hold about `rows_per_step` ticker-sessions. One thread: matrices this small gain little from
    two, and on a busy machine two wait for each other (measured 4.2 s instead of 0.2 s a step).
    """

    epochs: int = 6
    patience: int = 2
    learning_rate: float = 5e-4
    final_share: float = 0.05
    warm_up_share: float = 0.1
    weight_decay: float = 0.05
    gradient_norm: float = 1.0
    rows_per_step: int = 1536
    skip_budget: int = 5
    threads: int = 1
    optimiser: Kind = "adamw"


@dataclass(frozen=True, eq=False)
class PanelNames:
    """What the axes of the tensors are called, for errors: sessions [T], prepared columns [P]."""

    sessions: npt.NDArray[np.datetime64]
    columns: tuple[str, ...]


class PanelFormerModule(lightning.LightningModule):
    """A PanelFormer on tensors that stay on the device."""

    def __init__(
        self,
        network: PanelFormer,
        data: PanelTensors,
        names: PanelNames,
        settings: Optimisation,
        *,
        total_steps: int,
        micro_windows: int,
        ranks: Ranks = ALONE,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.network, self.data, self.names, self.settings, self.total_steps = network, data, names, settings, total_steps
        self.micro_windows, self.ranks = micro_windows, ranks
        self.skipped_steps = 0
        self._train_sum = torch.zeros(2)

    def configure_optimizers(self) -> tuple[list[torch.optim.Optimizer], list[torch.optim.lr_scheduler.LRScheduler]]:
        """Return the recipe's optimiser, and warm-up followed by a cosine."""
        settings = self.settings
        chosen = optimiser(self.network, settings.optimiser, learning_rate=settings.learning_rate, weight_decay=settings.weight_decay)
        return [chosen], [torch.optim.lr_scheduler.LambdaLR(chosen, warm_up_cosine(settings, self.total_steps))]

    def training_step(self, starts_B: Tensor, _: int) -> None:
        """Take one step on a global batch of windows, in micro-batches that fit."""
        loss = self._backward(starts_B)
        norm = whole(torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.settings.gradient_norm))
        wrapped: Any = self.optimizers()  # Lightning's wrapper of the one optimiser
        wrapped.optimizer.grad_scale = None
        wrapped.optimizer.found_inf = (~torch.isfinite(norm)).float()
        wrapped.step()
        schedule: Any = self.lr_schedulers()
        schedule.step()
        if torch.isfinite(norm):
            self._train_sum += torch.stack([loss.cpu(), torch.ones(())])
        else:
            self._skip(starts_B)

    def train_loss(self) -> float:
        """Return the mean loss of the steps taken since the last call, NaN without any."""
        total, steps = self._train_sum.tolist()
        self._train_sum = torch.zeros(2)
        return total / steps if steps else math.nan

    def tail_loss(self, tail: Sequence[Tensor]) -> float:
        """Return the mean loss of the given windows, each weighted by its labels; NaN without any window."""
        total, weight = 0.0, 0
        self.network.eval()
        with torch.no_grad():
            for starts_B in tail:
                x, present, targets = self.data.gather(starts_B, self.network.config.window_sessions)
                counts = targets.counts()
                score, logits = self.network(x, present, self.data.same_NN)
                loss = weighted_loss(score, logits, targets, counts)
                labels = int(counts.sum())
                total, weight = total + float(loss) * labels, weight + labels
        self.network.train()
        return total / weight if weight else math.nan

    def _backward(self, starts_B: Tensor) -> Tensor:
        """Accumulate the gradient of the global batch and return its loss; when any rank's memory runs out all halve, by dates."""
        while True:
            self.zero_grad(set_to_none=True)
            loss, is_short = torch.zeros(()), False
            try:
                loss = self._accumulate(starts_B)
            except torch.OutOfMemoryError:
                is_short = True
            if not self.ranks.any(is_short):
                self.ranks.add_gradients(self.network.parameters())
                return self.ranks.total(loss)
            if self.micro_windows == 1:
                raise TrainingError("one window of sessions does not fit in memory; shorten window_sessions or take a smaller recipe")
            self.micro_windows = max(1, self.micro_windows // 2)
            if torch.cuda.is_available():
                torch.cuda.empty_cache()

    def _accumulate(self, starts_B: Tensor) -> Tensor:
        length = self.network.config.window_sessions
        counts = self.data.gather(starts_B, length)[2].counts()  # of all ranks: the data are resident on each
        total = torch.zeros((), device=starts_B.device)
        for part_B, weight in self.ranks.micro_batches(starts_B, self.micro_windows):
            x, present, targets = self.data.gather(part_B, length)
            score, logits = self.network(x, present, self.data.same_NN)
            loss = weighted_loss(score, logits, targets, counts) * weight
            self.manual_backward(loss)
            total += loss.detach()
        return total

    def _skip(self, starts_B: Tensor) -> None:
        self.skipped_steps += 1
        if self.skipped_steps <= self.settings.skip_budget:
            return
        x, _, _ = self.data.gather(starts_B, self.network.config.window_sessions)
        bad = (~torch.isfinite(x)).flatten(0, 2).any(0).tolist()
        features = [name for name, is_bad in zip(self.names.columns, bad, strict=True) if is_bad]
        dates = [str(self.names.sessions[start]) for start in starts_B.tolist()]
        cause = f"features {features} hold non-finite values there" if features else "the inputs are finite: lower the learning rate"
        raise TrainingError(
            f"panel_former: {self.skipped_steps} steps had a gradient that is not finite, the budget is {self.settings.skip_budget}; "
            f"the last saw the {self.network.config.window_sessions} sessions from {', '.join(dates)}; {cause}"
        )


def warm_up_cosine(settings: Optimisation, total_steps: int) -> Callable[[int], float]:
    """Return the factor on the learning rate at a step: linear up, then a half cosine down to `final_share`."""
    warm_up = max(1, round(settings.warm_up_share * total_steps))

    def factor(step: int) -> float:
        if step < warm_up:
            return (step + 1) / warm_up
        done = min(1.0, (step - warm_up) / max(1, total_steps - warm_up))
        return settings.final_share + (1 - settings.final_share) * 0.5 * (1 + math.cos(math.pi * done))

    return factor
