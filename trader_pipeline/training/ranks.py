"""Processes that train one network together: who takes which windows, and what they add up or decide together.

Every rank holds the whole network and adds up the gradients of its own windows without a word to the others; then, once a
step, all agree whether the step counts and sum what they found. A rank that runs out of memory half-way therefore leaves no
other rank waiting inside a collective. Losses are sums over labels divided by the counts of all ranks, so gradients are
summed, not averaged, and one rank or eight give the same step.
"""

import math
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

_TIMEOUT = timedelta(minutes=10)
"""A collective that no one answers for this long ends the process."""
_BUCKET_BYTES = 128 * 2**20


@dataclass(frozen=True, slots=True)
class Ranks:
    """This process's place among `world`; alone by default, and then every method is the identity."""

    rank: int = 0
    world: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this rank is the one that reports and writes files."""
        return self.rank == 0

    def own(self, starts_B: Tensor) -> Tensor:
        """Return this rank's windows of a global batch."""
        return starts_B[self.rank :: self.world]

    def micro_batches(self, starts_B: Tensor, size: int) -> list[tuple[Tensor, float]]:
        """Return this rank's windows of a global batch in micro-batches of at most `size`, each with its weight in the loss.

        Every rank gets as many, for a sharded network speaks to the others in each; one that has run out gets a window of weight 0.
        """
        own_B = self.own(starts_B)
        parts = [(part_B, 1.0) for part_B in torch.split(own_B, size)] if len(own_B) else []
        most = math.ceil(math.ceil(len(starts_B) / self.world) / size)
        return parts + [(starts_B[:1], 0.0)] * (most - len(parts))

    def total(self, values: Tensor) -> Tensor:
        """Return the sum over ranks, the same on all."""
        if self.world == 1:
            return values
        summed = values.clone()
        dist.all_reduce(summed)
        return summed

    def any(self, flag: bool) -> bool:  # noqa: FBT001 - a flag is what it asks about
        """Return whether any rank raises the flag: what all decide together. Told between hosts' memories; no GPU is waited for."""
        if self.world == 1:
            return flag
        raised = torch.tensor(float(flag))
        dist.all_reduce(raised, dist.ReduceOp.MAX)
        return bool(raised)

    def add_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace every gradient by the sum over ranks, in buckets of 128 MB; those of a sharded network are summed already."""
        if self.world == 1:
            return
        bucket: list[Tensor] = []
        for parameter in parameters:
            if parameter.grad is None or isinstance(parameter.grad, DTensor):
                continue
            if bucket and (bucket[0].dtype != parameter.grad.dtype or _bytes(bucket) + _bytes([parameter.grad]) > _BUCKET_BYTES):
                _sum_in_place(bucket)
                bucket = []
            bucket.append(parameter.grad)
        if bucket:
            _sum_in_place(bucket)

    def same_weights(self, network: nn.Module) -> None:
        """Give every rank the first rank's weights and buffers."""
        if self.world > 1:
            for tensor in (*network.parameters(), *network.buffers()):
                dist.broadcast(tensor.data, 0)


ALONE = Ranks()


def current() -> Ranks:
    """Return this process's place: that of `joined`, alone outside it."""
    return Ranks(dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else ALONE


@contextmanager
def joined() -> Iterator[Ranks]:
    """Join the processes that the launcher started (RANK, WORLD_SIZE, LOCAL_RANK); alone where it started one."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1:
        yield ALONE
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo", timeout=_TIMEOUT)
    try:
        yield current()
    finally:
        dist.destroy_process_group()


def _sum_in_place(gradients: list[Tensor]) -> None:
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    dist.all_reduce(flat)
    for gradient, summed in zip(gradients, torch.split(flat, [g.numel() for g in gradients]), strict=True):
        gradient.copy_(summed.view_as(gradient))


def _bytes(tensors: list[Tensor]) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)
