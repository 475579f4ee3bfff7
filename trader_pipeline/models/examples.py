"""What a model is fitted on: features up to one session, and the labels that were known by then.

Legend: N tickers, T sessions, F features, H horizons (1, 5, 20, 60).
"""

from dataclasses import dataclass

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


def rows_of(x_NTF: Float32, labels_NT: Float32, what: str) -> tuple[Float32, npt.NDArray[np.float64]]:
    """Return x [R, F] and y [R] of the labelled ticker-sessions. Raises `TrainingError` when there are too few."""
    known_NT = np.isfinite(labels_NT)
    if known_NT.sum() < MINIMUM_LABELS:
        raise TrainingError(
            f"{what}: {int(known_NT.sum())} labels, at least {MINIMUM_LABELS} are needed; bring more tickers or a longer history"
        )
    return x_NTF[known_NT], labels_NT[known_NT].astype(np.float64)
