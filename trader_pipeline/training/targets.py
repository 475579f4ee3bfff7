"""What a network is taught, from a panel's labels: the score, the market's return and the rest of each, volatility and volume.

The auxiliary targets keep the network's states informed of risk and activity; nothing predicts with them.
Legend: N tickers, T sessions, H horizons, A auxiliary targets.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from trader_pipeline.models.examples import Labels
from trader_pipeline.schema.columns import HORIZONS_SESSIONS

Float32 = npt.NDArray[np.float32]

VOLUME = "volume_surprise_1d"
"""The feature whose mean over a horizon is the auxiliary target of volume."""
_QUIETEST = 0.1
"""Added to a realised volatility, in units of the expected one, before the logarithm."""


class Targets(NamedTuple):
    """score and residual [..., H] of each ticker and session, market [..., H] of each session, auxiliary [..., A]; NaN where there is none.

    The scaled return is market + residual.
    """

    score: Tensor
    residual: Tensor
    market: Tensor
    auxiliary: Tensor

    def counts(self) -> Tensor:
        """Return the number of usable labels of each kind [4], at least 1."""
        return torch.stack([torch.isfinite(labels).sum() for labels in self]).clamp(min=1)

    def of_present(self, present: Tensor) -> "Targets":
        """Return the targets of tickers and sessions [...] that are present; the market's stay."""
        hidden = ~present.unsqueeze(-1)
        return self._replace(**{name: getattr(self, name).masked_fill(hidden, torch.nan) for name in ("score", "residual", "auxiliary")})

    def since(self, skip: int) -> "Targets":
        """Return windows of targets [..., L, H] without those of the first `skip` sessions."""
        return self.map(lambda labels: torch.cat([torch.full_like(labels[..., :skip, :], torch.nan), labels[..., skip:, :]], dim=-2))

    def map(self, change: Callable[[Tensor], Tensor]) -> "Targets":
        """Return each tensor changed."""
        return Targets(*map(change, self))


def targets_of(labels: Labels, volume_NT: Float32 | None = None) -> Targets:
    """Return the targets of a panel, [N, T, ...] and [T, H]. `volume_NT` is the standardised volume of each session, where known."""
    scaled_NTH = labels.scaled_NTH
    known_NTH = np.isfinite(scaled_NTH)
    count_TH = known_NTH.sum(axis=0)
    total_TH = np.where(known_NTH, scaled_NTH, 0.0).sum(axis=0, dtype=np.float64)
    market_TH = np.where(count_TH > 0, total_TH / np.maximum(count_TH, 1), np.nan).astype(np.float32)
    arrays = (labels.score_NTH, scaled_NTH - market_TH, market_TH, _auxiliary(scaled_NTH, volume_NT))
    return Targets(*(torch.from_numpy(np.ascontiguousarray(array)) for array in arrays))


def _auxiliary(scaled_NTH: Float32, volume_NT: Float32 | None) -> Float32:
    """Return [N, T, A]; of a session and horizon whose label may be used, and NaN elsewhere: nothing later is looked at."""
    squares_NT = scaled_NTH[:, :, 0] ** 2
    volatility = [np.log(np.sqrt(_forward_mean(squares_NT, 0, h)) + _QUIETEST) for h in HORIZONS_SESSIONS]
    unknown_NT = np.full_like(squares_NT, np.nan)
    volume = [unknown_NT if volume_NT is None else _forward_mean(volume_NT, 1, h) for h in HORIZONS_SESSIONS]
    usable_NTA = np.isfinite(np.concatenate([scaled_NTH, scaled_NTH], axis=2))
    return np.where(usable_NTA, np.stack(volatility + volume, axis=2), np.float32(np.nan)).astype(np.float32)


def _forward_mean(x_NT: Float32, first: int, count: int) -> npt.NDArray[np.float64]:
    """Return the mean of `count` sessions from t + `first` on, NaN where one of them is."""
    tickers, sessions = x_NT.shape
    padded = np.concatenate([x_NT, np.full((tickers, first + count), np.nan)], axis=1)
    known = np.isfinite(padded)
    sums, counts = (np.cumsum(np.pad(part, ((0, 0), (1, 0))), axis=1) for part in (np.where(known, padded, 0.0), known.astype(np.float64)))
    window = slice(first, first + sessions), slice(first + count, first + count + sessions)
    total, found = (part[:, window[1]] - part[:, window[0]] for part in (sums, counts))
    return np.where(found == count, total / count, np.nan)
