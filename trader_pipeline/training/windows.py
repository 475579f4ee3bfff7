"""Which sessions one optimiser step sees: windows of consecutive sessions, all tickers, every label of the window at once."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from trader_pipeline.models.network import Inputs
from trader_pipeline.training.losses import Targets


@dataclass(frozen=True, eq=False)
class PanelTensors:
    """Inputs x [N, T, P], presence [N, T], labels [N, T, H] twice, who shares a sector [N, N]; resident on one device."""

    x_NTP: Tensor
    present_NT: Tensor
    score_NTH: Tensor
    scaled_NTH: Tensor
    same_NN: Tensor

    def gather(self, starts_B: Tensor, length: int) -> tuple[Inputs, Targets]:
        """Return inputs and labels of the windows that begin at `starts_B`."""
        steps_BL = starts_B[:, None] + torch.arange(length, device=starts_B.device)

        def windows(panel: Tensor) -> Tensor:
            return panel[:, steps_BL].transpose(0, 1)

        x_BNLP = windows(self.x_NTP)
        market_BLM = x_BNLP.new_empty(len(x_BNLP), length, 0)
        inputs = Inputs(x_BNLP, windows(self.present_NT), market_BLM, self.same_NN)
        return inputs, Targets(windows(self.score_NTH), windows(self.scaled_NTH))


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
