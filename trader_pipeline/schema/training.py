"""What training says: the run, its attempts and trials, curves, importance, and how its members are calibrated."""

import pyarrow as pa

from trader_pipeline.schema.columns import (
    DATA_VERSION,
    FOLD,
    HORIZON,
    KNOWN_AT,
    MODEL,
    MODEL_ID,
    RUN_ID,
    count,
    day,
    flag,
    instant,
    number,
    text,
)
from trader_pipeline.schema.migrations import CALIBRATION_2
from trader_pipeline.schema.quantiles import LEVELS, SCALE_COLUMNS
from trader_pipeline.schema.table import Column, Table

RUNS = Table(
    layer="training",
    name="runs",
    key=("model_id",),
    description="Every published training run.",
    columns=(
        MODEL_ID,
        RUN_ID,
        text("recipe", "Recipe."),
        text("members", "Comma-separated members."),
        count("seed", "-", "Seed."),
        DATA_VERSION,
        instant("as_of", "What was known."),
        day("trained_through", "Last session whose label was used by the final fit."),
        day("first_session", "First training session."),
        count("tickers", "tickers", "Tickers trained on."),
        count("sessions", "sessions", "Sessions trained on."),
        text("features", "Comma-separated features, in order."),
        text("folder", "Folder under models/."),
        text("manifest_sha256", "sha256 of the folder's manifest.json."),
        text("git_revision", "Code revision.", nullable=True),
        number("wall_s", "s", "Wall time."),
        number("cpu_s", "s", "CPU time."),
        number("peak_mb", "MB", "Largest resident memory of the child."),
        instant("finished_at", "When published."),
    ),
)
ATTEMPTS = Table(
    layer="training",
    name="attempts",
    key=("model_id", "run_id"),
    description="Every training that was ever begun, whatever became of it; one model may take several runs. Each model is a trial.",
    columns=(
        MODEL_ID,
        RUN_ID,
        text("recipe", "Recipe."),
        count("seed", "-", "Seed."),
        DATA_VERSION,
        instant("as_of", "What was known."),
        text("git_revision", "Code revision.", nullable=True),
        instant("started_at", "When it began."),
        text("outcome", "started, published, failed or stopped; one that was killed outright stays started."),
        text("said", "The error, where there was one.", nullable=True),
        instant("ended_at", "When it ended.", nullable=True),
    ),
)
TRIALS = Table(
    layer="training",
    name="trials",
    version=2,
    key=("model_id", "model", "fold", "horizon_sessions"),
    description="Every fit ever made, per fold and horizon: the trial ledger of the overfitting statistics.",
    columns=(
        MODEL_ID,
        MODEL,
        FOLD,
        HORIZON,
        day("train_first", "First training session."),
        day("train_last", "Last training session, after the purge."),
        day("test_first", "First out-of-fold session."),
        day("test_last", "Last out-of-fold session."),
        number("rank_ic", "-", "Mean daily rank IC out of fold."),
        number("balanced_accuracy", "fraction", "Of the sign of scaled_mean, uncalibrated, out of fold; 0.5 is no skill.", since=2),
        count("rows", "rows", "Out-of-fold rows."),
        RUN_ID,
    ),
)
CURVES = Table(
    layer="training",
    name="curves",
    version=2,
    key=("model_id", "model", "fold", "epoch"),
    description="Loss per epoch; fold -1 is the final fit.",
    columns=(
        MODEL_ID,
        MODEL,
        FOLD,
        count("epoch", "-", "Epoch, from 0."),
        number("train_loss", "-", "Mean training loss."),
        number("validation_loss", "-", "Mean validation loss."),
        number("gap", "-", "validation_loss - train_loss, less what it was after the first epoch.", since=2),
        number("learning_rate", "-", "At the epoch's end."),
        count("skipped_steps", "steps", "Steps left out so far: loss or gradient not finite, or far beyond its running mean."),
        number("seconds", "s", "Wall time of the epoch."),
    ),
)
IMPORTANCE = Table(
    layer="training",
    name="importance",
    key=("model_id", "model", "fold", "name"),
    description="What permuting a feature, or a family of them, on the validation tail adds to a member's loss (newest fold).",
    columns=(
        MODEL_ID,
        MODEL,
        FOLD,
        text("name", "Feature; family where there are more than 64 features."),
        text("features", "Comma-separated features that were permuted together."),
        number("increase", "-", "Rise of squared error of the score + twice the pinball loss of the quantiles, mean over horizons."),
        number("noise", "-", "Standard error of the rise, over ten stretches of sessions."),
        flag("may_go", "The rise is no more than two standard errors: a candidate for `exclude_features` of the recipe."),
    ),
)
CALIBRATION = Table(
    layer="training",
    name="calibration",
    key=("model_id", "fold", "model", "horizon_sessions"),
    version=3,
    migrations=(CALIBRATION_2,),
    description="Parameters that turn outputs of the ensemble and of its members into probabilities. Fold f was fitted on folds < f, purged; fold -1 on all folds and serves.",
    columns=(
        MODEL_ID,
        FOLD,
        MODEL,
        HORIZON,
        number(
            "up_shrink",
            "logit / sigma",
            "logit p_up = logit base_rate + up_score_slope * score + up_shrink * (scaled_mean - mean_center); 0 to 1.6, what a perfect mean would deserve.",
        ),
        number("up_score_slope", "logit / z", "What the cross-sectional score adds to logit p_up; never negative."),
        number("outperform_shrink", "logit / z", "logit p_outperform = outperform_shrink * score; never negative."),
        number(
            "mean_shrink",
            "-",
            "return_mean = (drift + mean_score_slope * score + mean_shrink * (scaled_mean - mean_center)) * volatility_daily * sqrt(h); 0 to 1.",
        ),
        number("mean_score_slope", "sigmas / z", "What the cross-sectional score adds to the mean; never negative."),
        number("mean_center", "sigmas", "Mean of scaled_mean."),
        number("drift", "sigmas", "Mean of scaled_return."),
        number("interval_scale", "-", "Factor on the quantiles' distances from their median at interval_miss."),
        number(
            "interval_miss",
            "fraction",
            "Share of labels that q05..q95 should miss: 0.1, moved by what they did miss out of fold. Labels that end later move it on.",
            since=2,
        ),
        *(
            number(name, "-", f"Factor at which q05..q95 would have held {level:.1%} of the labels.", since=2)
            for name, level in zip(SCALE_COLUMNS, LEVELS, strict=True)
        ),
        Column(
            name="pooled",
            dtype=pa.bool_(),
            unit="-",
            description="Whether logit p_up = logit base_rate + the members' weighted mean of what each, calibrated alone, adds to it; the two slopes of p_up are 0 then.",
            nullable=True,
            since=2,
        ),
        text("isotonic", "Knots [[p], [p]] of the monotone map from p_up to p_up, JSON; null without one.", nullable=True, since=2),
        number("median_offset", "sigmas", "Median of label - mean: what q50 adds to the mean."),
        number("base_rate", "probability", "Pooled share of labels > 0."),
        number("attainable", "probability", "99th percentile of |p_up - base_rate|: confidence 1."),
        count("rows", "rows", "Labels it was fitted on."),
        KNOWN_AT,
        text(
            "judged_by",
            "Version of the formulas that it was fitted by; a model of another one is judged again before it predicts.",
            nullable=True,
            since=3,
        ),
    ),
)
TABLES = (RUNS, ATTEMPTS, TRIALS, CURVES, IMPORTANCE, CALIBRATION)
