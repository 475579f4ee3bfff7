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
    steps_BL = starts_B[:, None] + torch.arange(length, device=starts_B.device)
    rows_BNL = torch.arange(tickers, device=starts_B.device)[:, None] * sessions + steps_BL[:, None]
    flat = panel_NTX.reshape(tickers * sessions, *rest)
    shape = (*rows_BNL.shape, *rest)
    if into is None:
        return flat.index_select(0, rows_BNL.flatten()).view(shape)
    buffers, name = into
    out = buffers.of(name, (rows_BNL.numel(), *rest), panel_NTX)
    return torch.index_select(flat, 0, rows_BNL.flatten(), out=out).view(shape)
