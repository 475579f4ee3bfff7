"""All features of a market as rows of features.panel."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from trader_pipeline import panel
from trader_pipeline.features.feature import Feature
from trader_pipeline.features.market import Market


def build_panel(market: Market, features: Sequence[Feature]) -> pa.Table:
    """Return one row a ticker-session with an accepted bar: every feature as float32, null where it has no value."""
    columns = {}
    for feature in features:
        values_NT = feature.compute(market)
        columns[feature.name] = np.where(np.isfinite(values_NT), values_NT, np.nan).astype(np.float32)
    return panel.long(market.grid, market.rows, columns)
