"""A panel that does not fit the device: its tensors lie in files, the kernel keeps the pages that are read, workers gather ahead.

The fallback, not the hot path: a gather on the device is several times faster (`trader bench gather`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves
from torch.utils.data import DataLoader, Dataset

from trader_pipeline import durable
from trader_pipeline.training.windows import PanelTensors

_SHARE_FOR_DATA = 0.5
"""Of the free memory of a device: the rest is for weights, moments and activations."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loading:
    """How windows are brought from files: windows at a time, processes that gather ahead, how many batches ahead each."""

    batch_size: int = 8
    num_workers: int = 2
    pin_memory: bool = True
    prefetch_factor: int = 2


def fits(panel: PanelTensors, device: torch.device) -> bool:
    """Say whether the panel may live on the device; in host memory it does already."""
    if device.type != "cuda":
        return True
    free, _ = torch.cuda.mem_get_info(device)
    tensors: list[Tensor] = tree_leaves([getattr(panel, field.name) for field in fields(panel)])
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors) <= _SHARE_FOR_DATA * free


def mapped(panel: PanelTensors, folder: Path) -> PanelTensors:
    """Return the same panel with every tensor mapped from a file in `folder`. Raises `DiskFullError` before it writes too much."""

    def moved(name: str, value: Any) -> Any:
        if isinstance(value, Tensor):
            return _mapped(value, folder / f"{name}.bin")
        return type(value)(*(moved(f"{name}-{k}", part) for k, part in enumerate(value)))  # tensors that stand together, by name

    return replace(panel, **{field.name: moved(field.name, getattr(panel, field.name)) for field in fields(panel)})


def batches(panel: PanelTensors, starts: Sequence[Tensor], length: int, loading: Loading) -> Iterator[Any]:
    """Yield what `panel.gather` returns for the global batches `starts`, split into at most `batch_size` windows, in order."""
    parts = [part_B for starts_B in starts for part_B in torch.split(starts_B, loading.batch_size)]
    loader: DataLoader[Any] = DataLoader(
        _Gathered(panel, parts, length),
        batch_size=None,
        num_workers=loading.num_workers,
        pin_memory=loading.pin_memory and torch.cuda.is_available(),
        prefetch_factor=loading.prefetch_factor if loading.num_workers else None,
        multiprocessing_context="fork" if loading.num_workers else None,
    )
    yield from loader


class _Gathered(Dataset[Any]):
    """Item k is the k-th part, gathered."""

    def __init__(self, panel: PanelTensors, parts: list[Tensor], length: int) -> None:
        self.panel, self.parts, self.length = panel, parts, length

    def __len__(self) -> int:
        return len(self.parts)

    def __getitem__(self, k: int) -> Any:
        inputs, targets = self.panel.gather(self.parts[k], self.length)
        return inputs._replace(same_sector_NN=inputs.same_sector_NN.clone()), targets  # a worker cannot hand over a mapped file


def _mapped(tensor: Tensor, path: Path) -> Tensor:
    data = np.ascontiguousarray(tensor.cpu().numpy())
    with durable.atomic_path(path, data.nbytes) as writing:
        data.tofile(writing)
    return torch.from_file(str(path), shared=False, size=tensor.numel(), dtype=tensor.dtype).view(tensor.shape)
