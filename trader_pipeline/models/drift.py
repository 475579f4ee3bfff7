"""How far the features of the last sessions lie from those that a model was trained on: the population stability index.

Features of a market move together and slowly, so that a month of calm differs from ten years of everything: each
feature is held against what 19 of 20 training windows of the same length showed. Legend: N tickers, T sessions, F features, B bins.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from trader_pipeline.models.checkpoint import read_verified
from trader_pipeline.models.stability import LARGE, index, shares, tenths

Float32 = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]

FILE = "drift.json"
WINDOW_SESSIONS = 20
MANY = 0.10
"""A share of drifted features under this is no drift of the whole."""
_WINDOWS = 40
_ROWS = 50_000
_USUAL = 0.95


@dataclass(frozen=True, eq=False)
class TrainingBins:
    """Tenths [F, 9] and shares [F, 11] of the training rows, each feature's limit [F], and the limit of how many pass theirs."""

    features: tuple[str, ...]
    edges_FB: Floats
    shares_FB: Floats
    limit_F: Floats
    limit_share: float

    @classmethod
    def fit(cls, x_NTF: Float32, known_NT: npt.NDArray[np.bool_], features: tuple[str, ...]) -> "TrainingBins":
        """Learn from the rows that are `known_NT`, of at most `_ROWS` of them; NaN is null. Windows lie evenly over the sessions."""
        n, t = np.nonzero(known_NT)
        some = np.linspace(0, len(n) - 1, min(len(n), _ROWS)).astype(np.int64)
        rows_RF = x_NTF[n[some], t[some]]
        edges = tenths(rows_RF)
        plain = cls(features, edges, shares(rows_RF, edges), np.full(len(features), LARGE), MANY)
        starts = np.linspace(0, max(x_NTF.shape[1] - WINDOW_SESSIONS, 0), _WINDOWS).astype(np.int64)
        windows = [slice(start, start + WINDOW_SESSIONS) for start in np.unique(starts)]
        found = np.array([plain.psi(x_NTF[:, T][known_NT[:, T]]) for T in windows if known_NT[:, T].any()])
        limit_F = np.maximum(LARGE, np.quantile(found, _USUAL, axis=0))
        share = float(np.quantile((found > limit_F).mean(axis=1), _USUAL))
        return cls(features, plain.edges_FB, plain.shares_FB, limit_F, max(MANY, share))

    def psi(self, rows_RF: Float32) -> Floats:
        """Return each feature's index, [F], of rows [R, F]; NaN is null."""
        return index(shares(rows_RF, self.edges_FB), self.shares_FB)

    def to_json(self) -> bytes:
        """Return the saved form."""
        lists = {"edges": self.edges_FB.tolist(), "shares": self.shares_FB.tolist(), "limits": self.limit_F.tolist()}
        return json.dumps({"features": self.features, "limit_share": self.limit_share} | lists).encode()

    @classmethod
    def from_json(cls, data: bytes) -> "TrainingBins":
        """Read what `to_json` wrote."""
        raw = json.loads(data)
        edges_FB, shares_FB, limit_F = (np.array(raw[name], dtype=np.float64) for name in ("edges", "shares", "limits"))
        return cls(tuple(raw["features"]), edges_FB, shares_FB, limit_F, raw["limit_share"])


def load_bins(folder: Path) -> TrainingBins:
    """Return the bins saved in a model's folder. Raises `CorruptPartError` where there are none, as of older models."""
    return TrainingBins.from_json(read_verified(folder, FILE))
