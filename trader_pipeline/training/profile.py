"""Where the time of a step goes: a trace of a few steps for a viewer, and the costliest operator by name."""

from pathlib import Path
from typing import Any

import pytorch_lightning as lightning
import torch

from trader_pipeline.training.module import NetworkModule

_WARM, _ACTIVE = 3, 5
_BETWEEN = "Python between operators"


class Profile(lightning.Callback):
    """Traces `_ACTIVE` steps of one fit into `path` (Chrome's trace format) and tells the bottleneck."""

    def __init__(self, module: NetworkModule, path: Path) -> None:
        self.module, self.path = module, path
        self._profiler: Any = torch.profiler.profile(
            schedule=torch.profiler.schedule(wait=0, warmup=_WARM, active=_ACTIVE, repeat=1), on_trace_ready=self._tell
        )

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:  # noqa: ARG002 - Lightning's signature
        """Begin."""
        self._profiler.start()

    def on_train_batch_end(self, trainer: lightning.Trainer, *_: object) -> None:  # noqa: ARG002 - the same
        """Count a step."""
        self._profiler.step()

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:  # noqa: ARG002 - the same
        """End."""
        self._profiler.stop()

    def _tell(self, profiler: Any) -> None:
        rows = profiler.key_averages()
        costs = {row.key: row.self_device_time_total for row in rows if row.self_device_time_total}
        if not costs:
            costs = {row.key: row.self_cpu_time_total for row in rows}
        top = max(costs, key=lambda key: costs[key])
        self.path.parent.mkdir(parents=True, exist_ok=True)
        profiler.export_chrome_trace(str(self.path))
        self.module.tell(
            "profile",
            path=str(self.path),
            bottleneck=_BETWEEN if top.startswith("ProfilerStep") else top,
            share=round(costs[top] / max(1e-9, sum(costs.values())), 3),
        )
