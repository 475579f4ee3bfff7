"""All features of a market as rows of features.panel, for any stretch of its sessions."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from trader_pipeline import panel
from trader_pipeline.features.feature import Feature
from trader_pipeline.features.market import Market
from trader_pipeline.panel import Float32, Grid

BLOCK_BYTES = 1 << 30
"""So much of the panel is computed at once."""

LEAST_BLOCK_SESSIONS = 252
"""Each block computes its look-back again: shorter ones would do little else."""


def build_panel(market: Market, features: Sequence[Feature], *, start: int = 0, stop: int | None = None) -> pa.Table:
    """Return one row a ticker-session with an accepted bar: every feature as float32, null where it has no value.

    Rows are those of the sessions from `start` up to `stop`, and bitwise the same whatever stretch they are part of: each family
    sees as many sessions before as it looks back.
    """
    stop = len(market.grid.sessions) if stop is None else stop
    columns: dict[str, Float32] = {}
    for family in dict.fromkeys(feature.family for feature in features):
        own = [feature for feature in features if feature.family == family]
        begin = max(0, start - max(feature.lookback_sessions for feature in own))
        seen = market if (begin, stop) == (0, len(market.grid.sessions)) else market.columns(begin, stop)
        for feature in own:
            values_NT = feature.compute(seen)[:, start - begin :]
            columns[feature.name] = np.where(np.isfinite(values_NT), values_NT, np.nan).astype(np.float32)
    grid = Grid(market.grid.tickers, market.grid.sessions[start:stop])
    return panel.long(grid, market.rows[:, start:stop], {feature.name: columns[feature.name] for feature in features})


def blocks(market: Market, features: Sequence[Feature], start: int = 0) -> list[tuple[int, int]]:
    """Return stretches of sessions, (start, stop), whose rows of the panel fit in BLOCK_BYTES, from `start` to the end."""
    tickers, sessions = market.grid.shape
    size = max(LEAST_BLOCK_SESSIONS, BLOCK_BYTES // max(1, 4 * tickers * len(features)))
    return [(begin, min(begin + size, sessions)) for begin in range(start, sessions, size)]
