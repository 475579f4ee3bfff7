"""Our engine: Parquet to dense arrays to Alpha158."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from trader_pipeline import panel
from trader_pipeline.bench.rivals.market import FIELDS
from trader_pipeline.features.alpha158 import LOOKBACK_SESSIONS, alpha158
from trader_pipeline.features.alpha158.blocks import Bars

Float32 = npt.NDArray[np.float32]


def read(path: Path) -> tuple[panel.Grid, Bars]:
    """Return grid and bars [N, T]."""
    table = pq.read_table(path, columns=["ticker", "session", *FIELDS], read_dictionary=["ticker"])
    grid = panel.Grid.of(table)
    columns = panel.dense_columns(table, grid, FIELDS)
    return grid, (columns["open"], columns["high"], columns["low"], columns["close"], columns["volume"], columns["vwap"])


def one_day(bars: Bars) -> Float32:
    """Return the newest session's features, [158, N], from the bars that they need and no others."""
    opened, high, low, close, volume, vwap = (np.ascontiguousarray(x_NT[:, -LOOKBACK_SESSIONS - 1 :]) for x_NT in bars)
    return alpha158((opened, high, low, close, volume, vwap), emit=close.shape[1] - 1)[:, :, 0]
