"""From which columns runs, attempts, trials, curves, importance and calibration are made."""

from trader_pipeline.schema import training
from trader_pipeline.schema.lineage import EVERY, Lineage
from trader_pipeline.schema.lineage_words import CHOSEN, FORWARD, HORIZON, INTERVAL, JUDGED, RANK, RUN, SCALED, SCALED_QUANTILES

RUNS = Lineage(
    table=training.RUNS,
    reads={
        "features.targets": {
            "trained_through, first_session, sessions": f"session, {SCALED}",
            "tickers": f"ticker, {SCALED}",
        }
    },
    made={
        "model_id, run_id, data_version, as_of, folder, manifest_sha256, git_revision, finished_at": RUN,
        "recipe, members, seed": CHOSEN,
        "features": "names of the declared features",
        "wall_s, cpu_s, peak_mb": "measured",
    },
)
ATTEMPTS = Lineage(
    table=training.ATTEMPTS,
    reads={},
    made={
        "model_id, run_id, data_version, as_of, git_revision, started_at, outcome, said, ended_at": RUN,
        "recipe, seed": CHOSEN,
    },
)
_OUT_OF_FOLD = "rank_ic, balanced_accuracy, rows"
TRIALS = Lineage(
    table=training.TRIALS,
    reads={
        "features.panel": {"train_first, train_last, test_first, test_last": "session", _OUT_OF_FOLD: EVERY},
        "features.targets": {_OUT_OF_FOLD: f"{RANK}, {SCALED}"},
        "core.sectors": {_OUT_OF_FOLD: "sector"},
    },
    made={
        "model_id, run_id": RUN,
        "model": CHOSEN,
        "fold": "the walk-forward's own split of the sessions",
        "horizon_sessions": HORIZON,
    },
)
_LOSSES = "train_loss, validation_loss, gap, skipped_steps"
CURVES = Lineage(
    table=training.CURVES,
    reads={
        "features.panel": {_LOSSES: EVERY},
        "features.targets": {_LOSSES: f"{RANK}, {SCALED}"},
        "core.sectors": {_LOSSES: "sector"},
    },
    made={
        "model_id": RUN,
        "model, learning_rate": CHOSEN,
        "fold": "the walk-forward's own split of the sessions",
        "epoch": "counted",
        "seconds": "measured",
    },
)
_RISE = "increase, noise, may_go"
IMPORTANCE = Lineage(
    table=training.IMPORTANCE,
    reads={
        "features.panel": {_RISE: EVERY},
        "features.targets": {_RISE: f"{RANK}, {SCALED}"},
        "core.sectors": {_RISE: "sector"},
    },
    made={
        "model_id": RUN,
        "model": CHOSEN,
        "fold": "the walk-forward's own split of the sessions",
        "name, features": "as the features are declared",
    },
)
CALIBRATION = Lineage(
    table=training.CALIBRATION,
    reads={
        **JUDGED,
        "predictions.out_of_fold": {
            "fold": "fold",
            "model": "model",
            "mean_center, rows": "scaled_mean",
            "outperform_shrink": "score",
            "up_shrink, up_score_slope, mean_shrink, mean_score_slope, median_offset, attainable": "score, scaled_mean",
            "pooled": "model",
            "isotonic": "score, scaled_mean",
            INTERVAL: f"score, scaled_mean, {SCALED_QUANTILES}",
        },
        "features.targets": {
            "up_shrink, up_score_slope, base_rate, attainable, isotonic": FORWARD,
            f"drift, mean_shrink, mean_score_slope, median_offset, {INTERVAL}, rows": SCALED,
            "outperform_shrink": RANK,
        },
    },
    made={"horizon_sessions": HORIZON, "judged_by": "a constant: flows/evaluate.py"},
)
LINEAGES = (RUNS, ATTEMPTS, TRIALS, CURVES, IMPORTANCE, CALIBRATION)
