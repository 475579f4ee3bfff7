"""Throughput of a fit for its run record: one event when the fit ends, whose warning names a GPU that waits."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import pytorch_lightning as lightning
import torch
from torch import Tensor, nn

from trader_pipeline.training.flops import training_flops
from trader_pipeline.training.record import peak_resident_mb
from trader_pipeline.training.throughput import Gpu, Meter, matmul_ceiling, warning

_ceiling = cache(matmul_ceiling)


def meter_of(network: nn.Module, *inputs: Any, tickers: int, sessions: int, dtype: torch.dtype = torch.float32) -> Meter:
    """Return a meter for a network that takes these inputs, of one window; ask before the network is compiled or split."""
    device = next(network.parameters()).device
    return Meter(
        device=device,
        flops_per_window=training_flops(network, *inputs),
        ceiling=_ceiling(device, dtype),
        tickers=tickers,
        sessions=sessions,
        gpu=Gpu.of(device),
    )


class Metering(lightning.Callback):
    """Runs the meter while steps are taken. Goes before the callback that validates, whose time is none of a step's."""

    def __init__(self, meter: Meter, report: Callable[[Mapping[str, object]], None], *, model: str, fold: int) -> None:
        self.meter, self.report, self.model, self.fold = meter, report, model, fold

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:  # noqa: ARG002 - Lightning's signature
        """Let the peak of device memory be that of this fit."""
        if self.meter.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.meter.device)

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:  # noqa: ARG002 - Lightning's signature
        """Start the clock."""
        self.meter.start()

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,  # noqa: ARG002 - Lightning's signature
        pl_module: lightning.LightningModule,  # noqa: ARG002 - the same
        outputs: Any,  # noqa: ARG002 - the same
        batch: Tensor,
        batch_idx: int,  # noqa: ARG002 - the same
    ) -> None:
        """Count the windows of the step."""
        self.meter.step(len(batch))

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:  # noqa: ARG002 - the same
        """Stop the clock."""
        self.meter.stop()

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:  # noqa: ARG002 - the same
        """Tell."""
        facts, device = self.meter.facts(), self.meter.device
        memory = {
            "peak_host_mb": round(peak_resident_mb(), 1),
            "peak_device_mb": round(torch.cuda.max_memory_allocated(device) / 1e6, 1) if device.type == "cuda" else None,
        }
        self.report({"event": "throughput", "model": self.model, "fold": self.fold, **facts, **memory, "warning": warning(facts)})
