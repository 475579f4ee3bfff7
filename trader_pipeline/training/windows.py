"""Which sessions one optimiser step sees: windows of consecutive sessions, all tickers, every label of the window at once."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from trader_pipeline.training.gather import Buffers, gather
from trader_pipeline.training.losses import Targets


@dataclass(frozen=True, eq=False)
class PanelTensors:
    """Inputs x [N, T, P], presence [N, T], labels [N, T, H] twice, who shares a sector [N, N]; resident on one device."""

    x_NTP: Tensor
    present_NT: Tensor
    score_NTH: Tensor
    scaled_NTH: Tensor
    same_NN: Tensor

    def gather(self, starts_B: Tensor, length: int, buffers: Buffers | None = None) -> tuple[Tensor, Tensor, Targets]:
        """Return x [B, N, L, P], presence [B, N, L] and labels of the windows that begin at `starts_B`.

        With `buffers` x lies in memory that the next gather overwrites: backward must be done by then.
        """
        x_BNLP = gather(self.x_NTP, starts_B, length, (buffers, "x") if buffers else None)
        targets = Targets(gather(self.score_NTH, starts_B, length), gather(self.scaled_NTH, starts_B, length))
        return x_BNLP, gather(self.present_NT, starts_B, length), targets


class ShuffledWindows:
    """An epoch's global batches: window starts [B] that cover the sessions once, cut at a random place, in random order.

    The draw depends on `seed` and the epoch alone. One item is one global batch.
    """

    def __init__(self, first: int, end: int, *, length: int, batch: int, seed: int) -> None:
        self.first, self.end, self.length, self.batch, self.seed = first, end, length, batch, seed
        self.epoch = 0

    def __len__(self) -> int:
        """Return the number of global batches of an epoch."""
        windows = max(1, (self.end - self.first) // self.length)
        return (windows + self.batch - 1) // self.batch

    def __iter__(self) -> Iterator[Tensor]:
        generator = torch.Generator().manual_seed(self.seed * 1009 + self.epoch)
        self.epoch += 1
        slack = (self.end - self.first) % self.length
        offset = int(torch.randint(0, slack + 1, (), generator=generator))
        starts = torch.arange(self.first + offset, self.end - self.length + 1, self.length)
        yield from torch.split(starts[torch.randperm(len(starts), generator=generator)], self.batch)


def every_window(first: int, end: int, *, length: int) -> list[Tensor]:
    """Return window starts in order, one a batch, the last window ending at `end`: for the validation tail."""
    starts = list(range(first, end - length + 1, length))
    if not starts or starts[-1] + length < end:
        starts.append(max(0, end - length))
    return [torch.tensor([start]) for start in starts]
