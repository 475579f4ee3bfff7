"""What is done when memory runs out, mildest first: empty the cache, halve the micro-batch by windows, compute activations twice."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, TypeVar

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from trader_pipeline.errors import TrainingError

_CPU_ALLOCATOR = "DefaultCPUAllocator: "


def is_out_of_memory(error: BaseException) -> bool:
    """Say whether `error` is memory that ran out, on a device or on the host."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or (isinstance(error, RuntimeError) and _CPU_ALLOCATOR in str(error))


class Short(NamedTuple):
    """What was said when memory ran out, and the allocator's own account of a GPU's, None without one."""

    said: str
    summary: str | None


Result = TypeVar("Result")


def attempted(work: Callable[[], Result]) -> Result | Short:
    """Return what `work` gives, or that memory ran out in it; what it had allocated is free again by then."""
    try:
        return work()
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        return Short(str(error), _summary())


def _summary() -> str | None:
    if not torch.cuda.is_available():
        return None
    said: Any = torch.cuda.memory_summary()
    return str(said)


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
