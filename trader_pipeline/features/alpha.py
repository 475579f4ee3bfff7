"""Qlib's Alpha158 as features: candles, trends, extremes, ranks, correlations and flows over 5 to 60 sessions."""

import numpy as np

from trader_pipeline.features.alpha158 import ALPHAS, Alpha
from trader_pipeline.features.feature import Feature
from trader_pipeline.features.market import Float, Market
from trader_pipeline.schema.core import ACCEPTED_BARS, CORPORATE_ACTIONS


def _declared(row: int, alpha: Alpha) -> Feature:
    def compute(market: Market) -> Float:
        values: Float = market.alpha158[row].astype(np.float64)
        return values

    return Feature(
        name=alpha.name,
        unit=alpha.unit,
        description=alpha.description,
        formula=f"{alpha.formula} (Qlib, Alpha158)",
        inputs=(ACCEPTED_BARS, CORPORATE_ACTIONS),
        lookback_sessions=alpha.lookback_sessions,
        compute=compute,
    )


FEATURES = tuple(_declared(row, alpha) for row, alpha in enumerate(ALPHAS))
