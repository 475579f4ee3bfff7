"""What happens between steps: the guard is read, the state is kept, an epoch is judged, and training ends when the tail stops improving."""

import math
import time
from collections.abc import Iterator, Sequence
from typing import Any

import pytorch_lightning as lightning
from torch import Tensor

from trader_pipeline.training import state, stopping
from trader_pipeline.training.checkpoints import CheckpointStore, State
from trader_pipeline.training.curriculum import calm_first
from trader_pipeline.training.escalation import Escalation
from trader_pipeline.training.module import NetworkModule
from trader_pipeline.training.windows import Judged, ShuffledWindows

_DAY_S = 86_400.0
_ETA_AFTER_STEPS = 20


class Keeper(lightning.Callback):
    """Holds how far a fit is. What it saves is enough to go on to the same bytes; `identity` says what a state must have come from."""

    def __init__(
        self, module: NetworkModule, store: CheckpointStore, batches: ShuffledWindows, tail: Sequence[Judged], identity: str
    ) -> None:
        self.module, self.store, self.batches, self.tail, self.identity = module, store, batches, tail, identity
        self.escalation = Escalation(module, self._roll_back)
        self.best, self.best_epoch, self.epochs = math.inf, 0, list[dict[str, Any]]()
        self._began, self._steps_here = time.perf_counter(), 0

    @property
    def stale(self) -> bool:
        """Whether `patience` epochs went by without a better validation loss."""
        patience = self.module.settings.patience
        return patience is not None and math.isfinite(self.best) and len(self.epochs) - 1 - self.best_epoch >= patience

    def resume(self) -> None:
        """Go on from the newest whole checkpoint; say so, and say it when one was damaged, or is of another recipe.

        A fit that starts again forgets them all: one of them would be taken for its own best.
        """
        found, damaged = self.store.newest()
        for file in damaged:
            self.module.tell("checkpoint_damaged", file=file)
        if damaged and found is None:
            self._start_again("no checkpoint is whole")
        if found is None:
            return
        if found.facts["identity"] != self.identity:
            self._start_again("the checkpoints are of other settings, data or weights")
            return
        state.restore(self.module, found)
        facts = found.facts
        self.escalation.load(facts["escalation"])
        self.best, self.best_epoch, self.epochs = facts["best"] or math.inf, facts["best_epoch"], facts["epochs"]
        self.module.tell("resumed", step=self.module.step, epoch=len(self.epochs))
        for event in self.epochs:
            self.module.report(event)

    def _start_again(self, why: str) -> None:
        self.module.tell("starts_again", why=why)
        if self.module.ranks.is_first:
            self.store.clear()

    def save(self, validation_loss: float = math.nan) -> None:
        """Keep the state as it is now; of several ranks the first writes. Raises `DiskFullError`, `NotWritableError`."""
        facts = {
            "identity": self.identity,
            "escalation": self.escalation.facts(),
            "best": self.best if math.isfinite(self.best) else None,
            "best_epoch": self.best_epoch,
            "epochs": self.epochs,
        }
        now = state.of(self.module)
        epoch = max(0, len(self.epochs) - 1)
        if self.module.ranks.is_first:
            self.store.save(State(now.tensors, now.facts | facts), step=self.module.step, epoch=epoch, validation_loss=validation_loss)

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Tensor]:
        """Yield the global batches that are left of the epoch at hand."""
        epoch = len(self.epochs)
        self.batches.epoch = epoch
        every = list(self.batches)
        if epoch < self.module.settings.curriculum_epochs:
            every = calm_first(every, self.module.data, self.module.window)
        left = every[self.module.step - epoch * len(self) :]
        yield from self.module.data.ahead(left, self.module.window, self.module.ranks.own)

    def on_fit_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:  # noqa: ARG002 - Lightning's signature
        """Reserve what the largest shape wants."""
        if self.module.step == 0:
            self.batches.epoch = 0
            self.module.reserve(max(self.batches, key=len).to(self.module.data.device))

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:  # noqa: ARG002 - the same
        """Start the clock."""
        self._began, self._steps_here = time.perf_counter(), 0

    def on_train_batch_end(self, trainer: lightning.Trainer, *_: object) -> None:  # noqa: ARG002 - the same
        """Read the guard, save, and stop when asked to."""
        module, settings = self.module, self.module.settings
        self._steps_here += 1
        if module.step % settings.check_steps == 0:
            self.escalation.look()
        if settings.checkpoint_steps and module.step % settings.checkpoint_steps == 0:
            self.save()
        if self._steps_here == _ETA_AFTER_STEPS:
            self._warn_of_days()
        stopping.pause(module.ranks.any)

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:  # noqa: ARG002 - the same
        """Judge the epoch on the validation tail; without one only the last epoch counts."""
        module, epoch = self.module, len(self.epochs)
        train, validation = module.train_loss(), module.tail_loss(self.tail)
        self.escalation.close_epoch(any_step=math.isfinite(train))
        if validation < self.best:
            self.best, self.best_epoch = validation, epoch
        event = {
            "event": "epoch",
            "model": module.names.model,
            "fold": module.names.fold,
            "epoch": epoch,
            "train_loss": _or_none(train),
            "validation_loss": _or_none(validation),
            "gap": self._gap(train, validation),
            "learning_rate": trainer.optimizers[0].param_groups[0]["lr"],
            "skipped_steps": module.guard.skips(),
            "seconds": round(time.perf_counter() - self._began, 3),
        }
        self.epochs.append(event)
        self.save(validation)
        module.report(event)
        self._warn_of_gap(event)
        if self.stale:
            trainer.should_stop = True
        stopping.pause(module.ranks.any)

    def _gap(self, train: float, validation: float) -> float | None:
        """Return how far validation lies above training beyond what it did after the first epoch: the levels are of other sessions."""
        now = validation - train
        start = next((event for event in self.epochs if event["gap"] is not None), None)
        return _or_none(now - (start["validation_loss"] - start["train_loss"] if start else now))

    def _warn_of_gap(self, event: dict[str, Any]) -> None:
        """Say once that training gains what validation does not."""
        share = self.module.settings.gap_warning
        wide = [e for e in self.epochs if e["gap"] is not None and e["gap"] > share * abs(e["train_loss"])]
        if wide and wide[0] is event:
            mend = "more dropout, decay or data, a smaller network, or fewer epochs"
            self.module.tell("gap", epoch=event["epoch"], gap=event["gap"], mend=mend)

    def _roll_back(self) -> int | None:
        found, _ = self.store.newest()
        if found is None or found.facts["identity"] != self.identity:
            return None
        state.restore_weights(self.module, found)
        return int(found.facts["step"])

    def _warn_of_days(self) -> None:
        seconds = (time.perf_counter() - self._began) / self._steps_here * len(self)
        if seconds > _DAY_S:
            self.module.tell("slow", days_per_epoch=round(seconds / _DAY_S, 1), mend="take a smaller recipe, fewer tickers, or a GPU")


def _or_none(value: float) -> float | None:
    return value if math.isfinite(value) else None
