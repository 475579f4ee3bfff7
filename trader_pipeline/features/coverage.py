"""How far the panel has values, counted as it is written: rows of features.coverage."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from trader_pipeline.features.feature import Feature
from trader_pipeline.schema.features import COVERAGE


def count_coverage(panel: pa.Table, features: Sequence[Feature]) -> pa.Table:
    """Return a row a family and session of `panel` (rows of features.panel): its features, the tickers, and how many values are there."""
    sessions, place = np.unique(panel["session"].to_numpy(), return_inverse=True)
    families: dict[str, list[str]] = {}
    for feature in features:
        families.setdefault(feature.family, []).append(feature.name)
    tickers = np.bincount(place, minlength=len(sessions))
    pieces = []
    for family, names in families.items():
        there = np.zeros(panel.num_rows)
        for name in names:
            there += panel[name].is_valid().to_numpy()
        values = np.bincount(place, weights=there, minlength=len(sessions)).astype(np.int64)
        count = pa.repeat(pa.scalar(len(names), pa.int64()), len(sessions))
        columns = {"family": pa.repeat(family, len(sessions)), "session": sessions, "features": count, "tickers": tickers, "values": values}
        pieces.append(pa.table(columns))
    return COVERAGE.conform(pa.concat_tables(pieces))
