"""Which sessions one optimiser step sees: windows of consecutive sessions, all tickers, every label of the window at once."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from trader_pipeline.models.network import Inputs
from trader_pipeline.training.gather import Buffers, gather
from trader_pipeline.training.targets import Targets


@dataclass(frozen=True, eq=False)
class PanelTensors:
    """Inputs x [N, T, P], presence [N, T], market-wide [T, M], who shares a sector [N, N], and targets; on one device."""

    x_NTP: Tensor
    present_NT: Tensor
    market_TM: Tensor
    same_NN: Tensor
    targets: Targets

    @property
    def device(self) -> torch.device:
        """Where gathered windows are."""
        return self.x_NTP.device

    def ahead(self, batches: Sequence[Tensor], length: int, own: Callable[[Tensor], Tensor]) -> Iterator[Tensor]:  # noqa: ARG002 - for `Mapped`
        """Yield global batches of window starts as steps want them; `own` gives this rank's share of one."""
        yield from (starts_B.to(self.device) for starts_B in batches)

    def gather(
        self, starts_B: Tensor, length: int, buffers: Buffers | None = None, older_B: Tensor | None = None
    ) -> tuple[Inputs, Targets]:
        """Return inputs and targets of the windows of `length` sessions that begin at `starts_B`.

        With `buffers` x lies in memory that the next gather overwrites: backward must be done by then. With `older_B` the inputs are of
        as many sessions before; targets of who was not present then are NaN. Of a window at the panel's very start nothing is older.
        """
        starts_B = starts_B.to(self.x_NTP.device)
        seen_B = starts_B if older_B is None else starts_B - older_B.to(starts_B.device)
        x_BNLP = gather(self.x_NTP, seen_B, length, (buffers, "x") if buffers else None)
        market_BLM = gather(self.market_TM[None], seen_B, length)[:, 0]
        inputs = Inputs(x_BNLP, gather(self.present_NT, seen_B, length), market_BLM, self.same_NN)
        targets = self.labels(starts_B, length)
        return inputs, targets if older_B is None else targets.of_present(inputs.present_BNL)

    def labels(self, starts_B: Tensor, length: int) -> Targets:
        """Return the targets alone."""
        starts_B = starts_B.to(self.x_NTP.device)
        score, residual, market_TH, auxiliary = self.targets
        market_BLH = gather(market_TH[None], starts_B, length)[:, 0]
        return Targets(gather(score, starts_B, length), gather(residual, starts_B, length), market_BLH, gather(auxiliary, starts_B, length))

    def sessions(self, first: int, length: int) -> "PanelTensors":
        """Return the panel of `length` sessions from `first` on."""
        score, residual, market_TH, auxiliary = self.targets
        NT, T = (slice(None), slice(first, first + length)), slice(first, first + length)
        targets = Targets(score[NT], residual[NT], market_TH[T], auxiliary[NT])
        return PanelTensors(self.x_NTP[NT], self.present_NT[NT], self.market_TM[T], self.same_NN, targets)

    def to(self, device: torch.device) -> "PanelTensors":
        """Return the same panel on a device."""
        return PanelTensors(
            self.x_NTP.to(device),
            self.present_NT.to(device),
            self.market_TM.to(device),
            self.same_NN.to(device),
            self.targets.map(lambda labels: labels.to(device)),
        )


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


class Judged(NamedTuple):
    """A batch of windows that is judged from position `skip` on: what stands before it was learnt, or judged in the window before."""

    starts_B: Tensor
    skip: int = 0


def every_window(first: int, end: int, *, length: int) -> list[Judged]:
    """Return the windows that judge each session of [first, end) once, in order, one a batch; the last ends at `end`."""
    starts = list(range(first, end - length + 1, length))
    if not starts or starts[-1] + length < end:
        starts.append(max(0, end - length))
    judged = [first, *(start + length for start in starts[:-1])]
    return [Judged(torch.tensor([start]), until - start) for start, until in zip(starts, judged, strict=True)]
