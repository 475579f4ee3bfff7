"""From which columns out-of-fold predictions, daily predictions and decisions are made."""

from trader_pipeline.schema import outputs
from trader_pipeline.schema.lineage import EVERY, Lineage, same
from trader_pipeline.schema.lineage_words import (
    CHOSEN,
    FORWARD,
    HORIZON,
    INTERVAL,
    MOMENTUM,
    RANK,
    RUN,
    SCALED,
    SCALED_QUANTILES,
    of_horizons,
)
from trader_pipeline.schema.quantiles import QUANTILE_NAMES

_QUANTILES = ", ".join(QUANTILE_NAMES)
_FITTED = f"score, scaled_mean, {SCALED_QUANTILES}"
OUT_OF_FOLD = Lineage(
    table=outputs.OUT_OF_FOLD,
    reads={
        "features.panel": {**same("ticker, session"), _FITTED: EVERY},
        "features.targets": {_FITTED: f"{RANK}, {SCALED}"},
        "core.sectors": {_FITTED: "sector"},
    },
    made={"model_id": RUN, "fold": "the walk-forward's own split of the sessions", "model": CHOSEN, "horizon_sessions": HORIZON},
)
_RETURNS = f"return_mean, {_QUANTILES}"
_EXCESS = "excess_benchmark, excess_sector"
_FORECAST = f"{_RETURNS}, {_EXCESS}, p_up, p_outperform, score, confidence, disagreement, novelty, abstained"
_UP = "up_shrink, up_score_slope, mean_center, pooled, isotonic"
_MEAN = "mean_shrink, mean_score_slope, mean_center, drift"
DAILY = Lineage(
    table=outputs.DAILY,
    reads={
        "features.panel": {**same("session, ticker"), _FORECAST: EVERY},
        "core.sectors": {f"{_RETURNS}, {_EXCESS}, p_up, p_outperform, score, confidence, disagreement, abstained": "sector"},
        "training.runs": {"model_id": "model_id", _FORECAST: "folder"},
        "training.calibration": {
            f"{_RETURNS}, {_EXCESS}": _MEAN,
            _QUANTILES: f"{INTERVAL}, median_offset",
            "p_up": _UP,
            "confidence, abstained": f"{_UP}, attainable",
            "p_outperform": "outperform_shrink",
        },
        "evaluation.promotions": {"model_id": "serves, counts_from"},
        "training.ensemble_weights": {
            f"{_RETURNS}, {_EXCESS}, p_up, p_outperform, score, confidence, disagreement, abstained": "weight, average"
        },
        "features.targets": {
            f"{_RETURNS}, {_EXCESS}, p_up, p_outperform, score, confidence, disagreement, abstained": "volatility_daily",
            "base_rate, p_up, confidence, abstained": FORWARD,
            "excess_benchmark": of_horizons("benchmark_return"),
        },
        "core.earnings": {"earnings_inside": "report_date, known_at"},
        "core.corporate_actions": {"ex_dividend_inside": "session, kind, known_at"},
    },
    made={"horizon_sessions": HORIZON, "data_version, made_at, run_id": RUN},
)
"""`training.runs.folder` stands for the trained members, which lie there."""
_BLENDED = (
    "score, rank, momentum_share, ml_share, momentum_share_covariance, ml_share_covariance, action, target_weight, uncut_weight, reasons"
)
DECISIONS = Lineage(
    table=outputs.DECISIONS,
    reads={
        "predictions.daily": {
            **same("session, ticker, model_id, data_version"),
            "issuer_id": "ticker",
            f"ml_score, ml_part, {_BLENDED}": "score",
            "reasons": "abstained",
        },
        "features.panel": {f"momentum_score, momentum_part, {_BLENDED}": MOMENTUM},
        "features.targets": {"action, target_weight, uncut_weight, reasons": "volatility_daily"},
        "core.ticker_map": {"issuer_id, action, target_weight, reasons": "issuer_id"},
        "evaluation.scorecard": {f"ml_score, ml_part, {_BLENDED}": "rank_ic"},
    },
    made={"made_at, run_id": RUN},
)
LINEAGES = (OUT_OF_FOLD, DAILY, DECISIONS)
