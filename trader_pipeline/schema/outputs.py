"""What the pipeline says: trained runs, out-of-fold predictions, their scores, daily predictions, decisions."""

import pyarrow as pa

from trader_pipeline.schema.columns import (
    DATA_VERSION,
    FOLD,
    HORIZON,
    KNOWN_AT,
    MODEL,
    MODEL_ID,
    RUN_ID,
    SESSION,
    TICKER,
    count,
    day,
    flag,
    instant,
    number,
    text,
)
from trader_pipeline.schema.migrations import CALIBRATION_2
from trader_pipeline.schema.table import Column, Table

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
QUANTILE_NAMES = ("q05", "q25", "q50", "q75", "q95")
LEVELS = (0.50, 0.60, 0.70, 0.80, 0.85, 0.90, 0.925, 0.95, 0.975, 0.99)
"""Coverages of q05..q95 of which the factor is kept."""
SCALE_COLUMNS = tuple(f"interval_scale_{1000 * level:.0f}" for level in LEVELS)
"""Their columns, in thousandths."""


def _quantiles(unit: str, prefix: str = "") -> tuple[Column, ...]:
    return tuple(number(f"{prefix}{name}", unit, f"{level:.0%} quantile.") for name, level in zip(QUANTILE_NAMES, QUANTILES, strict=True))


OUT_OF_FOLD = Table(
    layer="predictions",
    name="out_of_fold",
    year_of="session",
    key=("model_id", "fold", "model", "ticker", "session", "horizon_sessions"),
    description="What each member said of sessions it was not trained on (purged expanding walk-forward), uncalibrated.",
    columns=(
        MODEL_ID,
        FOLD,
        MODEL,
        TICKER,
        SESSION,
        HORIZON,
        number("score", "normal score", "Prediction of residual_rank."),
        number("scaled_mean", "sigmas", "Prediction of scaled_return."),
        *_quantiles("sigmas", "scaled_"),
    ),
)
DAILY = Table(
    layer="predictions",
    name="daily",
    year_of="session",
    key=("session", "ticker", "horizon_sessions"),
    description="The published forecast: the members weighed by training.ensemble_weights, calibrated. Simple returns from the next open to the close of t + h, not annualised.",
    columns=(
        SESSION,
        TICKER,
        HORIZON,
        number("return_mean", "fraction", "Expected simple return over the horizon."),
        *_quantiles("fraction"),
        number("p_up", "probability", "Calibrated probability that the return is > 0."),
        number("p_outperform", "probability", "Calibrated probability that the beta-residual return is above the universe's median."),
        number("base_rate", "probability", "Share of past labels > 0 of this ticker and horizon, shrunk to the universe's."),
        number("score", "z", "Mean over the members of their cross-sectionally standardized predictions of residual_rank."),
        number("confidence", "0-1", "Calibrated |p_up - base_rate| as a share of what is attainable."),
        number("disagreement", "z", "Standard deviation over the members of their standardized scores."),
        number("novelty", "0-1", "Distance of the inputs from the training data, as the percentile among training rows."),
        flag("abstained", "Confidence under the setting, or novelty over it: greyed, still ranked."),
        MODEL_ID,
        DATA_VERSION,
        instant("made_at", "When the row was computed."),
        RUN_ID,
    ),
)
DECISIONS = Table(
    layer="decisions",
    name="daily",
    year_of="session",
    key=("session", "ticker"),
    description="What the engine would hold: 40 % momentum and 60 % ML on one scale.",
    columns=(
        SESSION,
        TICKER,
        text("issuer_id", "Issuer; limits count issuers."),
        number("momentum_score", "z", "Cross-sectional momentum score."),
        number("ml_score", "z", "Horizon-weighted ensemble score."),
        number("momentum_part", "z", "Weighted part of the blend."),
        number("ml_part", "z", "Weighted part of the blend."),
        number("score", "z", "momentum_part + ml_part."),
        count("rank", "-", "1 is the best."),
        number("momentum_share", "fraction", "Effective share of the momentum part that day: mean |part| / sum."),
        number("ml_share", "fraction", "Effective share of the ML part."),
        number("momentum_share_covariance", "fraction", "Covariance share of the momentum part."),
        number("ml_share_covariance", "fraction", "Covariance share of the ML part."),
        text("action", "buy, sell or hold."),
        number("target_weight", "fraction of equity", "Size after limits."),
        number("uncut_weight", "fraction of equity", "Size before limits."),
        text("reasons", "Why: parts, limits and cuts, one line."),
        MODEL_ID,
        DATA_VERSION,
        instant("made_at", "When computed."),
        RUN_ID,
    ),
)
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
TRIALS = Table(
    layer="training",
    name="trials",
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
        count("rows", "rows", "Out-of-fold rows."),
        RUN_ID,
    ),
)
CURVES = Table(
    layer="training",
    name="curves",
    key=("model_id", "model", "fold", "epoch"),
    description="Loss per epoch; fold -1 is the final fit.",
    columns=(
        MODEL_ID,
        MODEL,
        FOLD,
        count("epoch", "-", "Epoch, from 0."),
        number("train_loss", "-", "Mean training loss."),
        number("validation_loss", "-", "Mean validation loss."),
        number("learning_rate", "-", "At the epoch's end."),
        count("skipped_steps", "steps", "Steps left out so far: loss or gradient not finite, or far beyond its running mean."),
        number("seconds", "s", "Wall time of the epoch."),
    ),
)
CALIBRATION = Table(
    layer="training",
    name="calibration",
    key=("model_id", "fold", "model", "horizon_sessions"),
    version=2,
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
    ),
)
SCORECARD = Table(
    layer="evaluation",
    name="scorecard",
    key=("model_id", "model", "horizon_sessions"),
    description="Out-of-fold skill beside its base rate. Fold f is calibrated on folds < f, so all but rank_ic judge folds >= 1. 95 % intervals from non-overlapping windows averaged over offsets.",
    columns=(
        MODEL_ID,
        MODEL,
        HORIZON,
        number(
            "accuracy",
            "fraction",
            "Directional accuracy of p_up > 0.5 at full coverage: mean over sessions of the share of tickers that were right.",
        ),
        number("base_rate", "fraction", "Better of always-up and the ticker's own trailing base rate, on the same rows."),
        number("accuracy_half_width", "fraction", "Half the 95 % interval of the accuracy."),
        number("target", "fraction", "The user's target."),
        flag("target_met", "Whether accuracy - half width reaches the target."),
        number("coverage", "fraction", "Share of the known labels of folds >= 1 that were judged."),
        number("rank_ic", "-", "Mean over the sessions of all folds of the Spearman correlation of score with residual_rank."),
        number("rank_ic_half_width", "-", "Half the 95 % interval."),
        number("brier", "-", "Brier score of p_up."),
        number("brier_skill", "fraction", "1 - Brier / Brier of the base rate."),
        number("ece", "fraction", "Expected calibration error, ten bins."),
        number("ece_noise_floor", "fraction", "95th percentile of the ECE of a perfectly calibrated forecaster at the same effective n."),
        number("interval_90_coverage", "fraction", "Share of labels inside q05..q95."),
        count("rows", "rows", "Labels judged."),
        count("windows", "windows", "Non-overlapping windows of the judged sessions; under 20 an interval says little."),
        number("oracle_rank_ic", "-", "Rank IC of the simulated market's oracle on the same rows; null elsewhere."),
        text("verdict", "One line: accuracy, base, interval, target."),
        text("leak_alarm", "What looks too good to be true; null when nothing does.", nullable=True),
        KNOWN_AT,
    ),
)
BACKTEST = Table(
    layer="evaluation",
    name="backtest",
    year_of="session",
    key=("model_id", "session"),
    description="Paper portfolio on out-of-fold scores: long only, a fifth of the equity enters at each next open and leaves at the close of t + 5.",
    columns=(
        MODEL_ID,
        SESSION,
        number("strategy_return", "fraction", "Simple return of the session, net of cost."),
        number("gross_return", "fraction", "Before cost; with k times the cost: gross_return - k * cost."),
        number("cost", "fraction", "Half spread 2 bp and commission 0.5 bp on the turnover; no market impact."),
        number("turnover", "fraction of equity", "Bought plus sold."),
        number("exposure", "fraction of equity", "Sum of absolute weights held."),
        number("benchmark_return", "fraction", "Close to close return of the benchmark."),
        text("benchmark", "Ticker of the benchmark, or equal_weight where the lake holds none."),
    ),
)
TABLES = (
    OUT_OF_FOLD,
    DAILY,
    DECISIONS,
    RUNS,
    TRIALS,
    CURVES,
    CALIBRATION,
    SCORECARD,
    BACKTEST,
)
