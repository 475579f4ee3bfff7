"""Whether the factors that we make from our own universe are those that Ken French publishes: `trader factors`.

His come weeks late and are never a feature. Ours are thirds of our tickers at equal weights, his are sorts of every US stock by
value weight, so market and size agree least in a universe of large names; a correlation near 0 says that a sort is broken.
"""

import datetime as dt
from collections.abc import Mapping
from typing import Any

import numpy as np

from trader_pipeline.features.market import FACTORS
from trader_pipeline.flows.build_features import read_market
from trader_pipeline.lake import Snapshot
from trader_pipeline.panel import Float, Grid, dense
from trader_pipeline.schema.core import FACTOR_RETURNS

PUBLISHED: Mapping[str, str] = {
    "market": "market_excess",
    "size": "size",
    "value": "value",
    "momentum": "momentum",
    "quality": "profitability",
}
"""His factor that each of ours is held against. Gross profitability is not his operating profitability (RMW), only its kin."""
MINIMUM_SESSIONS = 60


def factor_agreement(snapshot: Snapshot, as_of: dt.datetime) -> list[dict[str, Any]]:
    """Return a row a factor: `factor`, `published`, `sessions` that both have, and the `correlation` of daily returns on them.

    The correlation is None under MINIMUM_SESSIONS common sessions, and where either is constant.
    """
    market = read_market(snapshot, as_of)
    rows = snapshot.known(FACTOR_RETURNS, as_of)
    names = Grid(tuple(sorted(PUBLISHED.values())), market.grid.sessions)
    theirs = dense(rows.rename_columns(["ticker" if name == "factor" else name for name in rows.column_names]), names, "value")
    return [
        {"factor": ours, "published": his, **_agreement(market.factor_returns[FACTORS.index(ours)], theirs[names.tickers.index(his)])}
        for ours, his in PUBLISHED.items()
    ]


def _agreement(ours_T: Float, theirs_T: Float) -> dict[str, Any]:
    both_T = np.isfinite(ours_T) & np.isfinite(theirs_T)
    a, b = ours_T[both_T], theirs_T[both_T]
    if len(a) < MINIMUM_SESSIONS or np.ptp(a) == 0 or np.ptp(b) == 0:
        return {"sessions": len(a), "correlation": None}
    return {"sessions": len(a), "correlation": float(np.corrcoef(a, b)[0, 1])}
