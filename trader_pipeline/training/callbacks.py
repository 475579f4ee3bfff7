"""What happens after each epoch: it is reported, its weights are kept, and training ends when the tail stops improving."""

import math
import time
from collections.abc import Callable, Mapping, Sequence

import pytorch_lightning as lightning
from torch import Tensor

from trader_pipeline.models.network_member import kind_of
from trader_pipeline.training.checkpoints import CheckpointStore
from trader_pipeline.training.module import PanelFormerModule


class EpochEnd(lightning.Callback):
    """Reports an epoch, saves its weights and stops after `patience` epochs without a better validation loss."""

    def __init__(
        self, store: CheckpointStore, tail: Sequence[Tensor], report: Callable[[Mapping[str, object]], None], *, fold: int, patience: int
    ) -> None:
        self.store, self.tail, self.report, self.fold, self.patience = store, tail, report, fold, patience
        self.best_epoch = 0
        self._best = math.inf
        self._began = time.perf_counter()

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:  # noqa: ARG002 - Lightning's signature
        """Start the clock."""
        self._began = time.perf_counter()

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Judge the epoch on the validation tail; without one only the last epoch counts."""
        if not isinstance(pl_module, PanelFormerModule):
            raise TypeError(f"EpochEnd watches a PanelFormerModule, not a {type(pl_module).__name__}")
        epoch = trainer.current_epoch
        train, validation = pl_module.train_loss(), pl_module.tail_loss(self.tail)
        self.store.save(pl_module.network, epoch=epoch, validation_loss=validation)
        if validation < self._best:
            self._best, self.best_epoch = validation, epoch
        if math.isfinite(validation) and epoch - self.best_epoch >= self.patience:
            trainer.should_stop = True
        self.report(
            {
                "event": "epoch",
                "model": kind_of(pl_module.network.config),
                "fold": self.fold,
                "epoch": epoch,
                "train_loss": _or_none(train),
                "validation_loss": _or_none(validation),
                "learning_rate": trainer.optimizers[0].param_groups[0]["lr"],
                "skipped_steps": pl_module.skipped_steps,
                "seconds": round(time.perf_counter() - self._began, 3),
            }
        )


def _or_none(value: float) -> float | None:
    return value if math.isfinite(value) else None
