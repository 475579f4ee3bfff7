"""How far a row of features lies from the training rows.

The distance is the mean squared z-score over the features that are known; the novelty its percentile among training rows.
Legend: N tickers, T sessions, F features, R rows.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from trader_pipeline.models.checkpoint import read_verified

Float32 = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]

FILE = "novelty.json"
_LEVELS = np.linspace(0.0, 1.0, 1001)


@dataclass(frozen=True, eq=False)
class Novelty:
    """Mean and standard deviation [F] of the training rows, and 1,001 quantiles of their distance."""

    features: tuple[str, ...]
    mean_F: Floats
    std_F: Floats
    quantiles: Floats

    @classmethod
    def fit(cls, rows_RF: Float32, features: tuple[str, ...]) -> "Novelty":
        """Learn from training rows; NaN is null. A feature that never varies counts with standard deviation 1, so any change is seen."""
        known = ~np.isnan(rows_RF)
        count = np.maximum(known.sum(axis=0), 1)
        mean = np.where(known, rows_RF, 0.0).sum(axis=0, dtype=np.float64) / count
        std = np.sqrt(np.square(np.where(known, rows_RF - mean, 0.0)).sum(axis=0) / count)
        unscaled = cls(features, mean, np.where(std > 0, std, 1.0), _LEVELS)
        distance = unscaled.distance(rows_RF)
        return cls(features, unscaled.mean_F, unscaled.std_F, np.quantile(distance[np.isfinite(distance)], _LEVELS))

    def distance(self, x: Float32) -> Floats:
        """Return the mean squared z over the known features, shape [...] for x [..., F]; NaN where none is known."""
        z_squared = ((x - self.mean_F) / self.std_F) ** 2
        known = np.isfinite(z_squared).sum(axis=-1)
        return np.where(known > 0, np.nansum(z_squared, axis=-1) / np.maximum(known, 1), np.nan)

    def percentile(self, x: Float32) -> Floats:
        """Return the share of training rows that lie nearer, 0-1; NaN where no feature is known."""
        distance = self.distance(x)
        return np.where(np.isnan(distance), np.nan, np.interp(distance, self.quantiles, _LEVELS))

    def to_json(self) -> bytes:
        """Return the saved form."""
        lists = {"mean": self.mean_F.tolist(), "std": self.std_F.tolist(), "quantiles": self.quantiles.tolist()}
        return json.dumps({"features": self.features} | lists).encode()

    @classmethod
    def from_json(cls, data: bytes) -> "Novelty":
        """Read what `to_json` wrote."""
        raw = json.loads(data)
        return cls(tuple(raw["features"]), np.array(raw["mean"]), np.array(raw["std"]), np.array(raw["quantiles"]))


def load_novelty(folder: Path) -> Novelty:
    """Return the training distribution saved in a model's folder. Raises `CorruptPartError` when its hash does not match."""
    return Novelty.from_json(read_verified(folder, FILE))
