"""What a text model is: probabilities of a negative, neutral and positive tone, and one score of each text."""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class TextScores:
    """By text: shares [n, 3] of negative, neutral and positive, which sum to 1, and score [n] from -1 to 1."""

    shares_n3: Float
    score_n: Float


@dataclass(frozen=True, slots=True, kw_only=True)
class TextScorer:
    """One model. The same text and `revision` give the same scores; it came out on `released_on`."""

    name: str
    revision: str
    released_on: dt.date
    score: Callable[[Sequence[str]], TextScores]
