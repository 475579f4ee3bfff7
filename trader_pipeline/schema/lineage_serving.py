"""From which columns weights, diversity, promotions and drift are made."""

from trader_pipeline.schema import serving
from trader_pipeline.schema.lineage import EVERY, Lineage
from trader_pipeline.schema.lineage_words import CHOSEN, HORIZON, JUDGED, RANK, RUN

_FITTED_WEIGHTS = "weight, fitted_weight, adopted, gain, gain_half_width, sessions"
ENSEMBLE_WEIGHTS = Lineage(
    table=serving.ENSEMBLE_WEIGHTS,
    reads={
        **JUDGED,
        "predictions.out_of_fold": {"fold": "fold", "model": "model", _FITTED_WEIGHTS: "score"},
        "features.targets": {_FITTED_WEIGHTS: f"volatility_daily, {RANK}"},
    },
    made={"horizon_sessions": HORIZON, "regime": "the three thirds", "method, average": CHOSEN},
)
DIVERSITY = Lineage(
    table=serving.DIVERSITY,
    reads={
        **JUDGED,
        "predictions.out_of_fold": {"model, other": "model", "error_correlation, score_correlation, rows": "score"},
        "features.targets": {"error_correlation, score_correlation, rows": RANK},
    },
    made={"horizon_sessions": HORIZON},
)
PROMOTIONS = Lineage(
    table=serving.PROMOTIONS,
    reads={
        "training.runs": {"model_id, serves, replaced": "model_id", "counts_from": "as_of"},
        "predictions.out_of_fold": {"gain, action, serves, replaced, why": "score"},
        "training.ensemble_weights": {"gain, action, serves, replaced, why": "weight, average"},
        "features.targets": {"gain, action, serves, replaced, why": RANK},
        "evaluation.scorecard": {"action, serves, replaced, why": "leak_alarm"},
    },
    made={"who, decided_at, run_id": RUN},
)
_MEASURED = "feature, value, limit, alarm, said"
DRIFT = Lineage(
    table=serving.DRIFT,
    reads={
        "features.panel": {_MEASURED: EVERY},
        "training.runs": {_MEASURED: "folder"},
        "predictions.daily": {"session": "session", "model_id": "model_id", "value, alarm, said": "score, p_up"},
        "features.targets": {"value, alarm, said": RANK},
        "evaluation.scorecard": {
            "value": "accuracy, expected_accuracy",
            "limit": "rank_ic, accuracy, accuracy_half_width",
            "alarm, said": "rank_ic, accuracy, accuracy_half_width, expected_accuracy",
        },
    },
    made={"measure": "the four kinds", "horizon_sessions": HORIZON, "run_id": RUN},
)
LINEAGES = (ENSEMBLE_WEIGHTS, DIVERSITY, PROMOTIONS, DRIFT)
