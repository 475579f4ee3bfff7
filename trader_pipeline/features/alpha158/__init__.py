"""The 158 price and volume features of Qlib's Alpha158, on forward-adjusted bars. Yang et al. 2020, arXiv:2009.11189.

Where Qlib's own values depend on more than the window, or stand for nothing, these differ (docs/LOG.md has each):
a session without a bar has no values; a window that begins in a gap begins at its first bar; volume 0 has no multiples.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from trader_pipeline.features.alpha158.blocks import LOOKBACK_SESSIONS, Bars, write_block
from trader_pipeline.features.alpha158.declared import ALPHAS, Alpha
from trader_pipeline.features.alpha158.rows import COUNT
from trader_pipeline.features.kernels import _in_blocks

Float32 = npt.NDArray[np.float32]


def alpha158(bars: Bars, *, rows: Sequence[int] = range(COUNT), emit: int = 0, out: Float32 | None = None) -> Float32:
    """Write the features `rows` of the sessions from `emit` on into out [F, N, T - emit] float32, and return it.

    `bars` are open, high, low, close, volume, vwap, each [N, T] float64; a session where one of them is not finite has no bar.
    A value depends bitwise on the `LOOKBACK_SESSIONS` before its session and on that alone, wherever the arrays begin.
    Raises `ValueError` when `out` has another shape.
    """
    shape = (len(rows), *bars[0][:, emit:].shape)
    out = np.empty(shape, np.float32) if out is None else out
    if out.shape != shape:
        raise ValueError(f"out has shape {out.shape}; alpha158 writes {shape}")
    opened, high, low, close, volume, vwap = (np.ascontiguousarray(x_NT) for x_NT in bars)  # of one layout, so compiled once
    wanted = np.array(rows, dtype=np.int64)

    def work(block: slice) -> None:
        write_block((opened, high, low, close, volume, vwap), wanted, emit, block.start, block.stop, out)

    _in_blocks(close.shape, work)
    return out


__all__ = ["ALPHAS", "LOOKBACK_SESSIONS", "Alpha", "alpha158"]
