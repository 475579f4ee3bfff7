"""Windows of a panel by index: no loader, no copy but one, into memory that is used again.

Legend: N tickers, T sessions, B windows, L sessions of a window, X whatever follows.
"""

import math

import torch
from torch import Tensor


class Buffers:
    """Memory of the windows gathered last, by name. What a gather returns is overwritten by the next one of the same name."""

    def __init__(self) -> None:
        self._flat: dict[str, Tensor] = {}

    def of(self, name: str, shape: tuple[int, ...], like: Tensor) -> Tensor:
        """Return a contiguous tensor of that shape, on the device and of the type of `like`; it grows, and never shrinks."""
        wanted = math.prod(shape)
        flat = self._flat.get(name)
        if flat is None or flat.numel() < wanted or flat.dtype != like.dtype or flat.device != like.device:
            flat = self._flat[name] = torch.empty(wanted, dtype=like.dtype, device=like.device)
        return flat[:wanted].view(shape)


def gather(panel_NTX: Tensor, starts_B: Tensor, length: int, into: tuple[Buffers, str] | None = None) -> Tensor:
    """Return windows [B, N, L, X] that begin at `starts_B`, contiguous; in a buffer of that name when `into` says so."""
    tickers, sessions, *rest = panel_NTX.shape
    width = math.prod(rest)
    rows = max(0, tickers * sessions - length + 1)
    window_rows = panel_NTX.contiguous().as_strided((rows, length * width), (width, 1))  # they overlap: one copy of `length` sessions each
    index = (torch.arange(tickers, device=starts_B.device) * sessions + starts_B[:, None]).flatten()
    shape = (len(starts_B), tickers, length, *rest)
    if into is None:
        return window_rows.index_select(0, index).view(shape)
    buffers, name = into
    out = buffers.of(name, (len(index), length * width), panel_NTX)
    return torch.index_select(window_rows, 0, index, out=out).view(shape)
