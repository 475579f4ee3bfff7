"""What is done when memory runs out, mildest first: empty the cache, halve the micro-batch by windows, compute activations twice."""

from functools import partial
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from trader_pipeline.errors import TrainingError

_CPU_ALLOCATOR = "DefaultCPUAllocator: "


def is_out_of_memory(error: BaseException) -> bool:
    """Say whether `error` is memory that ran out, on a device or on the host."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or (isinstance(error, RuntimeError) and _CPU_ALLOCATOR in str(error))


class MemoryPlan:
    """How many windows go through the network at once, and whether activations are kept."""

    def __init__(self, network: nn.Module, micro_windows: int) -> None:
        self.network, self.micro_windows, self.recompute = network, micro_windows, False

    def shrink(self, *, emptied: bool) -> str:
        """Do the next thing and return what it was. Raises `TrainingError` when nothing is left to do."""
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        if not emptied:
            return "cache emptied"
        if self.micro_windows > 1:
            self.micro_windows //= 2
            return f"micro-batch of {self.micro_windows} windows"
        if not self.recompute and self.recompute_activations():
            return "activations are computed twice"
        raise TrainingError("one window of sessions does not fit in memory; shorten window_sessions or take a smaller recipe")

    def recompute_activations(self) -> bool:
        """Keep no activations inside the network's `blocks`; False where it has none. Gradients stay the same to the bit."""
        blocks = getattr(self.network, "blocks", None)
        if not isinstance(blocks, nn.ModuleList):
            return False
        for block in blocks:
            block.forward = partial(checkpoint, block.forward, use_reentrant=False)
        self.recompute = True
        return True

    @staticmethod
    def summary() -> str | None:
        """Return the allocator's own account of a GPU's memory, None without one."""
        if not torch.cuda.is_available():
            return None
        said: Any = torch.cuda.memory_summary()
        return str(said)
