"""Where the time of a fit's steps goes: a trace of a few for a viewer, and the bottleneck in one line (`trader train --profile`)."""

import time
from pathlib import Path

import pytorch_lightning as lightning
from torch.profiler import profile

from trader_pipeline.training.module import NetworkModule
from trader_pipeline.training.profiling import profile_of, profiler_of
from trader_pipeline.training.throughput import wait

_STEPS = 5


class Tracing(lightning.Callback):
    """After one step to warm up, times `_STEPS` steps, traces as many into `path` (Chrome's trace format), and tells the bottleneck."""

    def __init__(self, module: NetworkModule, path: Path) -> None:
        self.module, self.path, self.device = module, path, module.data.device
        self._profiler: profile | None = None
        self._steps, self._began, self._took = 0, 0.0, 0.0

    def on_train_batch_start(self, trainer: lightning.Trainer, *_: object) -> None:  # noqa: ARG002 - Lightning's signature
        """Start the clock, or the profiler."""
        if 1 <= self._steps <= _STEPS:
            wait(self.device)
            self._began = time.perf_counter()
        if self._steps == _STEPS + 1:
            self._profiler = profiler_of(self.device)
            self._profiler.start()

    def on_train_batch_end(self, trainer: lightning.Trainer, *_: object) -> None:  # noqa: ARG002 - the same
        """Count a step; tell after the last."""
        if 1 <= self._steps <= _STEPS:
            wait(self.device)
            self._took += time.perf_counter() - self._began
        self._steps += 1
        if self._steps == 2 * _STEPS + 1 and self._profiler:
            wait(self.device)
            self._profiler.stop()
            found = profile_of(self._profiler, self.device, self._took, self.path)
            self.module.tell("profile", path=str(self.path), bottleneck=found.bottleneck, outside_kernels=found.outside_kernels)

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:  # noqa: ARG002 - the same
        """Stop a profiler that saw too few steps."""
        if self._profiler and self._steps <= 2 * _STEPS:
            self._profiler.stop()
