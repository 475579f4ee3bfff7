"""VADER, a lexicon of 7,500 words with rules for negation and emphasis: light, and blind to the words of finance. Hutto & Gilbert 2014."""

import datetime as dt
from collections.abc import Sequence
from importlib.metadata import version

import numpy as np

from trader_pipeline.models.text_scorer import TextScorer, TextScores

PACKAGE = "vaderSentiment"
RELEASED_ON = dt.date(2014, 6, 1)
"""The lexicon was rated by people then, without a look at prices; later releases of the package changed code, not what a word means."""


def vader() -> TextScorer:
    """Return the scorer; its revision is the package's release, its score the compound one."""
    return TextScorer(name="vader", revision=version(PACKAGE), released_on=RELEASED_ON, score=_score)


def _score(texts: Sequence[str]) -> TextScores:
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer  # noqa: PLC0415 - it reads its lexicon

    analyzer = SentimentIntensityAnalyzer()
    said = [analyzer.polarity_scores(text) for text in texts]
    return TextScores(
        shares_n3=np.array([[one["neg"], one["neu"], one["pos"]] for one in said]).reshape(-1, 3),
        score_n=np.array([one["compound"] for one in said]),
    )
