"""Our engine: Parquet to dense arrays to Alpha158."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from trader_pipeline import panel
from trader_pipeline.bench.rivals.market import FIELDS
from trader_pipeline.features.alpha158 import LOOKBACK_SESSIONS, alpha158
from trader_pipeline.features.alpha158.blocks import Bars

Float32 = npt.NDArray[np.float32]


def read(path: Path, names: Sequence[str]) -> tuple[panel.Grid, Bars]:
    """Return grid and bars [N, T] for the named features; where none of them needs vwap it is not read, and the close stands there."""
    fields = FIELDS if "VWAP0" in names else FIELDS[:-1]
    grid, x = panel.read_columns([path], fields)
    return grid, (x["open"], x["high"], x["low"], x["close"], x["volume"], x.get("vwap", x["close"]))


def one_day(bars: Bars) -> Float32:
    """Return the newest session's features, [158, N], from the bars that they need and no others."""
    opened, high, low, close, volume, vwap = (np.ascontiguousarray(x_NT[:, -LOOKBACK_SESSIONS - 1 :]) for x_NT in bars)
    return alpha158((opened, high, low, close, volume, vwap), emit=close.shape[1] - 1)[:, :, 0]
