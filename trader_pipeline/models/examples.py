"""What a model is fitted on: features up to one session, and the labels that were known by then.

Legend: N tickers, T sessions, F features, H horizons (1, 5, 20, 60).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from trader_pipeline.errors import TrainingError
from trader_pipeline.panel import Grid
from trader_pipeline.schema.columns import HORIZONS_SESSIONS

Float32 = npt.NDArray[np.float32]

MINIMUM_LABELS = 100
"""A fit on fewer labels than this would be noise."""


@dataclass(frozen=True, eq=False)
class Labels:
    """Both targets, float32 [N, T, H]; NaN where a label may not be used."""

    score_NTH: Float32
    scaled_NTH: Float32

    def within(self, first: int, end: int, *, embargo: int = 0) -> "Labels":
        """Return the labels of sessions >= `first` whose holding period ends before position `end` - `embargo`; the rest is NaN.

        The label of session t and horizon h ends at the close of t + h, so it stays when t + h + embargo < end.
        """
        sessions = np.arange(self.score_NTH.shape[1])[:, None]
        usable_TH = (sessions >= first) & (sessions + np.array(HORIZONS_SESSIONS) + embargo < end)
        hide = np.float32(np.nan)
        return Labels(np.where(usable_TH, self.score_NTH, hide), np.where(usable_TH, self.scaled_NTH, hide))

    def until(self, end: int) -> "Labels":
        """Return the first `end` sessions."""
        return Labels(self.score_NTH[:, :end], self.scaled_NTH[:, :end])


@dataclass(frozen=True, eq=False)
class Examples:
    """The inputs of one fit. Nothing in it reaches past the last session that was known.

    `fit` are the labels to learn from while `tail`, later and purged of `fit`, chooses what must be chosen (penalty, rounds,
    epochs, residual quantiles); `every` are all of them, for the refit with what was chosen.
    """

    grid: Grid
    x_NTF: Float32
    features: tuple[str, ...]
    sectors: dict[str, str]
    fit: Labels
    tail: Labels
    every: Labels
    families: Mapping[str, str] = field(default_factory=dict)
    """Each feature's family, where it is known."""


def relative(scaled_NT: Float32) -> tuple[Float32, float]:
    """Return labels minus the mean of their session, and the mean of all: the part that differs between tickers, and the drift.

    A few thousand sessions cannot teach when the market as a whole will rise; fitting that part mostly adds noise to every mean.
    """
    known_NT = np.isfinite(scaled_NT)
    count_T = np.maximum(known_NT.sum(axis=0), 1)
    mean_T = np.where(known_NT, scaled_NT, 0.0).sum(axis=0, dtype=np.float64) / count_T
    drift = float(scaled_NT[known_NT].mean(dtype=np.float64)) if known_NT.any() else 0.0
    return (scaled_NT - mean_T).astype(np.float32), drift


def thinned(labels_NT: Float32, horizon: int, maximum_rows: int) -> Float32:
    """Return the labels of evenly spaced sessions, the rest NaN.

    Every (horizon / 10)th session stays, fewer where more than `maximum_rows` labels would, more where too few would to fit on.
    Labels that
    overlap by nine tenths say the same thing again, so little is lost and the fit is that much faster.
    """
    labels = int(np.isfinite(labels_NT).sum())
    step = max(1, min(horizon // 10, labels // (2 * MINIMUM_LABELS)), -(-labels // maximum_rows))
    kept_T = np.arange(labels_NT.shape[1]) % step == 0
    return np.where(kept_T, labels_NT, np.float32(np.nan))


def labelled(labels_NT: Float32, what: str) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float64]]:
    """Return the flat [N, T] positions of the labels and their values. Raises `TrainingError` when there are too few."""
    known = np.flatnonzero(np.isfinite(labels_NT))
    if len(known) < MINIMUM_LABELS:
        raise TrainingError(f"{what}: {len(known)} labels, at least {MINIMUM_LABELS} are needed; bring more tickers or a longer history")
    return known, labels_NT.reshape(-1)[known].astype(np.float64)


def rows_of(x_NTF: Float32, labels_NT: Float32, what: str) -> tuple[Float32, npt.NDArray[np.float64]]:
    """Return x [R, F] and y [R] of the labelled ticker-sessions. Raises `TrainingError` when there are too few."""
    known, y_R = labelled(labels_NT, what)
    return x_NTF.reshape(-1, x_NTF.shape[2])[known], y_R
