"""A panel that does not fit the device: its tensors lie in files, the kernel keeps the pages that are read, workers gather ahead.

The fallback, not the hot path: a gather on the device is several times faster (`trader bench gather`).
"""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from operator import itemgetter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves
from torch.utils.data import DataLoader, Dataset

from trader_pipeline import durable
from trader_pipeline.models.network import Inputs
from trader_pipeline.training.gather import Buffers
from trader_pipeline.training.targets import Targets
from trader_pipeline.training.windows import PanelTensors


@dataclass(frozen=True, slots=True, kw_only=True)
class Loading:
    """How windows are brought from files when the panel would take more than `resident_share` of the free memory.

    `batch_size` windows at a time, by `num_workers` processes that gather ahead (0: by this one), each `prefetch_factor` batches, into
    page-locked memory with `pin_memory`. What is left of the memory is for weights, moments and activations.
    """

    batch_size: int = 8
    num_workers: int = 2
    pin_memory: bool = True
    prefetch_factor: int = 2
    resident_share: float = 0.5


@dataclass(frozen=True, eq=False)
class Mapped(PanelTensors):
    """A panel in files, gathered ahead of the steps and handed over on the device `onto`: the same windows to the bit.

    What `ahead` did not announce (validation, features shifted in time) is gathered when it is asked for.
    """

    filed: PanelTensors
    onto: torch.device
    loading: Loading
    held: dict[tuple[int, int], tuple[Inputs, Targets]] = field(default_factory=dict)
    """A step's windows in host memory, one by one, by beginning and length."""

    @property
    def device(self) -> torch.device:
        """Where gathered windows are."""
        return self.onto

    def ahead(self, batches: Sequence[Tensor], length: int, own: Callable[[Tensor], Tensor]) -> Iterator[Tensor]:
        """Yield the global batches, with this rank's windows of each in memory by then, however often the step is tried."""
        shares = [own(starts_B).cpu() for starts_B in batches]
        brought = loaded(self.filed, shares, length, self.loading)
        for starts_B, share_B in zip(batches, shares, strict=True):
            self.held.clear()
            for part_B in torch.split(share_B, self.loading.batch_size):
                inputs, targets = next(brought)
                for k, start in enumerate(part_B.tolist()):
                    alone = Inputs(inputs.x_BNLP[k], inputs.present_BNL[k], inputs.market_BLM[k], inputs.same_sector_NN)
                    self.held[start, length] = alone, targets.map(itemgetter(k))
            yield starts_B

    def gather(
        self,
        starts_B: Tensor,
        length: int,
        buffers: Buffers | None = None,  # noqa: ARG002 - windows that are held have memory of their own
        older_B: Tensor | None = None,
    ) -> tuple[Inputs, Targets]:
        """Return what a resident panel would."""
        windows = [self.held.get((start, length)) for start in starts_B.tolist()]
        held = [window for window in windows if window is not None]
        if older_B is not None or len(held) < len(windows) or not windows:
            inputs, targets = self.filed.gather(starts_B, length, None, older_B)
            return Inputs(*map(self._moved, inputs)), targets.map(self._moved)
        x, present, market, _ = (self._together(parts) for parts in zip(*(inputs for inputs, _ in held), strict=True))
        taught = (self._together(parts) for parts in zip(*(targets for _, targets in held), strict=True))
        return Inputs(x, present, market, self._moved(self.same_NN)), Targets(*taught)

    def labels(self, starts_B: Tensor, length: int) -> Targets:
        """Return the targets alone."""
        return self.filed.labels(starts_B, length).map(self._moved)

    def _moved(self, tensor: Tensor) -> Tensor:
        return tensor.to(self.onto, non_blocking=True)

    def _together(self, windows: Sequence[Tensor]) -> Tensor:
        """Return the windows as one batch: each is copied once, straight from where the loader put it."""
        batch = torch.empty((len(windows), *windows[0].shape), dtype=windows[0].dtype, device=self.onto)
        for place, window in zip(batch, windows, strict=True):
            place.copy_(window, non_blocking=True)
        return batch


def placed(panel: PanelTensors, device: torch.device, loading: Loading, folder: Path) -> PanelTensors:
    """Return the panel on the device, or where it does not fit mapped from files below `folder`, which go with the process."""
    if fits(panel, device, loading.resident_share):
        return panel.to(device)
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="mapped-", dir=folder) as files:  # a mapping outlives the name of its file
        filed = mapped(panel, Path(files))
    return Mapped(**_parts(filed), filed=filed, onto=device, loading=loading)


def fits(panel: PanelTensors, device: torch.device, share: float) -> bool:
    """Say whether the panel takes at most this share of the device's free memory; on the host it lies already, which counts as free."""
    tensors: list[Tensor] = tree_leaves(list(_parts(panel).values()))
    size = sum(tensor.numel() * tensor.element_size() for tensor in tensors)
    free = torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else _available_bytes() + size
    return size <= share * free


def _available_bytes() -> int:
    """Return what the host could give without swapping; half of all memory where the kernel does not say."""
    meminfo = Path("/proc/meminfo")
    if meminfo.exists():
        line = next(line for line in meminfo.read_text().splitlines() if line.startswith("MemAvailable:"))
        return int(line.split()[1]) * 1024
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2


def _parts(panel: PanelTensors) -> dict[str, Any]:
    return {part.name: getattr(panel, part.name) for part in fields(PanelTensors)}


def mapped(panel: PanelTensors, folder: Path) -> PanelTensors:
    """Return the same panel with every tensor mapped from a file in `folder`. Raises `DiskFullError` before it writes too much."""

    def moved(name: str, value: Any) -> Any:
        if isinstance(value, Tensor):
            return _mapped(value, folder / f"{name}.bin")
        return type(value)(*(moved(f"{name}-{k}", part) for k, part in enumerate(value)))  # tensors that stand together, by name

    return PanelTensors(**{name: moved(name, value) for name, value in _parts(panel).items()})


def loaded(panel: PanelTensors, starts: Sequence[Tensor], length: int, loading: Loading) -> Iterator[Any]:
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
