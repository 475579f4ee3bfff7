"""What the headlines of a ticker say, and how many there are: decay-weighted, the newest weighing most.

Each text model has a column of its own; scales differ and are never mixed. A ticker counts as covered while a headline of it came in
the last 63 sessions: only then is a session without one a 0.
"""

from collections.abc import Callable

import numpy as np

from trader_pipeline.features import kernels
from trader_pipeline.features.cross_section import ratio
from trader_pipeline.features.feature import feature
from trader_pipeline.features.headlines import ALL
from trader_pipeline.features.market import Float, Market
from trader_pipeline.schema.core import NEWS, NEWS_SCORES

WINDOW, DECAY = 21, 0.87
"""Weights halve every five sessions."""
COVERAGE_SESSIONS = 63
_SCORED = (NEWS, NEWS_SCORES)
_FORMULA = "sum(0.87^age * score) / sum(0.87^age * headlines), 21 sessions"


@feature(unit="headlines", inputs=(NEWS,), lookback_sessions=COVERAGE_SESSIONS, formula="headlines known since the last close")
def headlines_1d(market: Market) -> Float:
    """Headlines of the session; null where the ticker had none in 63 sessions. Barber & Odean 2008."""
    return _covered(market, lambda count: count)


@feature(
    unit="headlines / session",
    inputs=(NEWS,),
    lookback_sessions=COVERAGE_SESSIONS,
    formula="sum(0.87^age * headlines) / sum(0.87^age), 21 sessions",
)
def headlines_21d(market: Market) -> Float:
    """How much a ticker is written about; null where it had no headline in 63 sessions. Barber & Odean 2008."""
    return _covered(market, _decayed)


@feature(unit="score", inputs=_SCORED, lookback_sessions=WINDOW, formula=_FORMULA)
def sentiment_finbert_21d(market: Market) -> Float:
    """Tone of a month's headlines as FinBERT reads it, -1 to 1; null without any. Araci 2019; Tetlock 2007."""
    return _tone(market, "finbert")


@feature(unit="score", inputs=_SCORED, lookback_sessions=WINDOW, formula=_FORMULA)
def sentiment_vader_21d(market: Market) -> Float:
    """Tone of a month's headlines by VADER's lexicon, -1 to 1; null without any. Hutto & Gilbert 2014; Tetlock 2007."""
    return _tone(market, "vader")


def _covered(market: Market, of: Callable[[Float], Float]) -> Float:
    count = market.news.get(ALL)
    if count is None:
        return market.empty()
    return np.where(kernels.window_maximum(count, COVERAGE_SESSIONS, 1) > 0, of(count), np.nan)


def _tone(market: Market, model: str) -> Float:
    score, count = market.news.get(f"{model}_score"), market.news.get(f"{model}_{ALL}")
    return market.empty() if score is None or count is None else ratio(_decayed(score), _decayed(count))


def _decayed(x_NT: Float) -> Float:
    return kernels.window_exponential_mean(x_NT, WINDOW, DECAY, 1)


FEATURES = (headlines_1d, headlines_21d, sentiment_finbert_21d, sentiment_vader_21d)
