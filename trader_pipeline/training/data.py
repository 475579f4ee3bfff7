"""Parquet parts to the dense arrays that models are fitted on."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from trader_pipeline import durable, panel
from trader_pipeline.errors import CorruptPartError, InsufficientHistoryError
from trader_pipeline.models.examples import Float32, Labels
from trader_pipeline.panel import Grid
from trader_pipeline.schema.columns import HORIZONS_SESSIONS
from trader_pipeline.training.request import PartFile, TrainingRequest

MINIMUM_TICKERS = 2
"""A session with fewer tickers has no cross-section, so training starts at the first that has this many."""


@dataclass(frozen=True, eq=False)
class TrainingData:
    """Features and labels on one grid, cut at the last known session."""

    grid: Grid
    x_NTF: Float32
    labels: Labels


def load(request: TrainingRequest) -> TrainingData:
    """Read and verify the parts; labels whose holding period ends after the last known session are NaN. Raises `CorruptPartError`."""
    grid, x_NTF = panel.read_features(_verified(request.panel_parts), request.features)
    first, end = _span(grid, x_NTF, np.datetime64(request.last_session))
    grid, x_NTF = Grid(grid.tickers, grid.sessions[first:end]), x_NTF[:, first:end]
    paths = _verified(request.target_parts)
    labels = Labels(_target(paths, grid, "residual_rank"), _target(paths, grid, "scaled_return"))
    return TrainingData(grid, x_NTF, labels.within(0, len(grid.sessions)))


def _span(grid: Grid, x_NTF: Float32, last_session: np.datetime64) -> tuple[int, int]:
    end = int(np.searchsorted(grid.sessions, last_session, side="right"))
    enough = np.flatnonzero(np.isfinite(x_NTF[:, :end]).any(axis=2).sum(axis=0) >= MINIMUM_TICKERS)
    if not len(enough):
        raise InsufficientHistoryError(
            f"features.panel holds no session up to {last_session} with {MINIMUM_TICKERS} tickers; training compares tickers, so name more",
            needed=1,
            available=0,
        )
    return int(enough[0]), end


def _target(paths: Sequence[Path], grid: Grid, stem: str) -> Float32:
    _, columns = panel.read_columns(paths, [f"{stem}_{horizon}d" for horizon in HORIZONS_SESSIONS], grid)
    return np.stack(list(columns.values()), axis=2, dtype=np.float32, casting="same_kind")


def _verified(parts: tuple[PartFile, ...]) -> list[Path]:
    for part in parts:
        path = Path(part.path)
        if not path.exists() or durable.sha256_file(path) != part.sha256:
            raise CorruptPartError(f"{path} is missing or changed since the request was written; run the features again, then train")
    return [Path(part.path) for part in parts]
