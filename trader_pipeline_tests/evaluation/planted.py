"""Forecasts beside labels whose truth is known.

label = drift + strength * signal + score_strength * score + noise; scaled_mean = loudness * signal.
"""

import numpy as np

from trader_pipeline.evaluation.judged import Judged, Labels
from trader_pipeline.models.calibrate import trailing_base_rate

LEVELS = (-1.645, -0.674, 0.0, 0.674, 1.645)


def planted(*, strength=0.0, score_strength=0.0, loudness=1.0, drift=0.05, horizon=1, names=30, sessions=900, noise=1.0, seed=0, folds=3):
    rng = np.random.default_rng(seed)
    signal = rng.standard_normal((names, sessions))
    score = rng.standard_normal((names, sessions))
    daily = drift + strength * signal + score_strength * score + noise * rng.standard_normal((names, sessions))
    label = np.full((names, sessions), np.nan)
    for t in range(sessions - horizon):
        label[:, t] = daily[:, t : t + horizon].sum(axis=1) / horizon**0.5 if horizon > 1 else daily[:, t]
    up = np.where(np.isfinite(label), label > 0, np.nan)
    labels = Labels(
        horizon=horizon,
        scaled_return_NT=label,
        residual_rank_NT=label - np.nanmean(np.where(np.isfinite(label), label, 0), axis=0),
        up_NT=up,
        base_rate_NT=trailing_base_rate(up, horizon),
    )
    mean = loudness * signal
    return Judged(
        labels=labels,
        score_NT=score,
        scaled_mean_NT=mean,
        scaled_quantiles_QNT=np.stack([mean + level for level in LEVELS]),
        fold_T=np.repeat(np.arange(folds), sessions // folds).astype(np.int64),
    )
