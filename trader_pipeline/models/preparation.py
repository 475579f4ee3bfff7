"""From a panel's features to a network's inputs: standardised, and parted into what tickers differ in and what they share.

A feature that never differs between the tickers of a session is market-wide (macro, regime): it conditions the network and is
given once. Features of slow families become tokens beside the embedding of all.
Legend: N tickers, T sessions, F features, P prepared ticker columns, M prepared market-wide columns.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trader_pipeline.models.examples import Examples
from trader_pipeline.models.forecast import present
from trader_pipeline.models.normalise import Normaliser

Float32 = npt.NDArray[np.float32]

CLIP = 5.0
"""Largest absolute standardised input."""
TOKEN_FAMILIES = ("valuation", "quality", "growth", "factors", "characteristics", "sentiment", "options")
"""Families of features that say what a ticker is rather than what its price did."""


@dataclass(frozen=True, eq=False)
class Preparation:
    """The normaliser of all features, and the names of those that are market-wide."""

    normaliser: Normaliser
    market_features: tuple[str, ...]

    @classmethod
    def fit(cls, examples: Examples) -> "Preparation":
        """Learn from the ticker-sessions that have a label."""
        labelled_NT = np.asarray(np.isfinite(examples.every.scaled_NTH).any(axis=2))
        normaliser = Normaliser.fit(examples.x_NTF[labelled_NT], examples.features)
        return cls(normaliser, _market_wide(examples, normaliser, labelled_NT))

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the prepared columns that tickers differ in, P of them."""
        return tuple(name for name in self.normaliser.columns if self._feature(name) not in self.market_features)

    @property
    def market_columns(self) -> tuple[str, ...]:
        """Names of the prepared market-wide columns, M of them."""
        return tuple(name for name in self.normaliser.columns if self._feature(name) in self.market_features)

    def families(self, families: Mapping[str, str]) -> tuple[tuple[int, ...], ...]:
        """Return the positions in `columns` of each token family that the panel has; `families` names each feature's."""
        own = [families.get(self._feature(name), "") for name in self.columns]
        found = (tuple(i for i, family in enumerate(own) if family == token) for token in TOKEN_FAMILIES)
        return tuple(positions for positions in found if positions)

    def apply(self, x_NTF: Float32) -> tuple[Float32, Float32]:
        """Return x [N, T, P] and market-wide [T, M], which is 0 on a session without any ticker."""
        prepared = np.clip(self.normaliser.apply(x_NTF), -CLIP, CLIP)
        is_market = np.isin(self.normaliser.columns, self.market_columns)
        here_NT = present(x_NTF)
        speaker_T = np.atleast_1d(here_NT.argmax(axis=0))
        market_TM = prepared[speaker_T, np.arange(len(speaker_T))][:, is_market] * np.atleast_1d(here_NT.any(axis=0))[:, None]
        return prepared[:, :, ~is_market], market_TM.astype(np.float32)

    @staticmethod
    def _feature(column: str) -> str:
        return column.removesuffix(" is null")


def _market_wide(examples: Examples, normaliser: Normaliser, rows_NT: npt.NDArray[np.bool_]) -> tuple[str, ...]:
    """Return the features that vary, but never between two tickers of a session."""
    compared_T = rows_NT.sum(axis=0) > 1
    rows_NT = rows_NT[:, compared_T]
    first_T = rows_NT.argmax(axis=0)
    same = []
    for f, name in enumerate(examples.features):
        values_NT = examples.x_NTF[:, compared_T, f]
        differs_NT = rows_NT & ~np.isclose(values_NT, values_NT[first_T, np.arange(len(first_T))], rtol=0, atol=0, equal_nan=True)
        if compared_T.any() and normaliser.std_F[f] > 0 and not differs_NT.any():
            same.append(name)
    return tuple(same)
