"""How good the predictions were: scorecard, segments, tasks, strategy, and the series behind them."""

from trader_pipeline.schema.columns import HORIZON, KNOWN_AT, MODEL, MODEL_ID, SESSION, count, flag, number, text
from trader_pipeline.schema.quantiles import QUANTILE_NAMES, QUANTILES
from trader_pipeline.schema.table import Table

SCORECARD = Table(
    layer="evaluation",
    name="scorecard",
    version=3,
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
        number(
            "expected_accuracy", "fraction", "Mean max(p_up, 1 - p_up) of the same rows: drift holds later forecasts against it.", since=2
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
        number("brier_skill_half_width", "fraction", "Half its 95 % interval.", since=3),
        number("ece", "fraction", "Expected calibration error, ten bins."),
        number(
            "ece_noise_floor",
            "fraction",
            "95th percentile of the ECE of a perfectly calibrated forecaster on labels that overlap and names that move together as these do.",
        ),
        number("ece_n_effective", "rows", "Independent rows that would pin the mean calibration error as well.", since=3),
        flag(
            "calibrated",
            "Whether ece is at most ece_noise_floor and brier_skill at least 0; null under 20 windows.",
            nullable=True,
            since=3,
        ),
        text("calibration", "One line: ECE, noise floor, Brier skill, interval.", nullable=True, since=3),
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
    description="Paper portfolio on out-of-fold scores: long only, a fifth of the equity enters at each next open (in a market without opens at the close of t, where nobody could once it was known) and leaves at the close of t + 5.",
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
SEGMENTS = Table(
    layer="evaluation",
    name="segments",
    key=("model_id", "model", "horizon_sessions", "kind", "segment"),
    description="Out-of-fold skill of every model and horizon on all rows and by regime, sector, volatility, confidence and year. Folds >= 1; 95 % intervals as in the scorecard. Null is what cannot be measured there.",
    columns=(
        MODEL_ID,
        MODEL,
        HORIZON,
        text("kind", "all, regime, sector, volatility, confidence or year."),
        text(
            "segment",
            "Regime: calm, middle or wild, as in training.ensemble_weights; volatility: third of its session; confidence: decile, 10 the most confident.",
        ),
        number("accuracy", "fraction", "Directional accuracy of p_up > 0.5."),
        number("base_rate", "fraction", "Better of always-up and the ticker's own trailing base rate, on the same rows."),
        number(
            "low",
            "fraction",
            "Lower end of the accuracy's 95 % interval: the t-interval; of a part of the rows with under 20 windows (grey) Wilson's with each window as one call. Null without a window.",
        ),
        number("high", "fraction", "Upper end, likewise."),
        number("newey_west_half_width", "fraction", "Half the 95 % interval by Newey & West, for comparison; all rows only."),
        number("bootstrap_half_width", "fraction", "Half the 95 % interval by the stationary bootstrap, for comparison; all rows only."),
        number("coverage", "fraction", "Share of the segment's known labels that was judged."),
        number(
            "n_effective",
            "calls",
            "Independent calls that would pin the accuracy as well; at most issuers times windows; null with fewer than two windows.",
        ),
        count("issuers", "issuers", "Issuers judged."),
        count("windows", "windows", "Non-overlapping windows."),
        count("rows", "rows", "Labels judged."),
        number(
            "rank_ic",
            "-",
            "Mean daily Spearman correlation of score and residual_rank within the segment, all folds; null where no session has three names.",
        ),
        number("rank_ic_half_width", "-", "Half the 95 % interval; null with fewer than two windows."),
        number("icir", "-", "Mean daily rank IC / its standard deviation, not annualised."),
        number("numerai_correlation", "-", "Numerai's CORR of score and residual_rank, mean over sessions; all rows only."),
        number("brier", "-", "Brier score of p_up."),
        number("brier_skill", "fraction", "1 - Brier / Brier of the base rate."),
        number("ece", "fraction", "Expected calibration error, ten bins; counts only where brier_skill >= 0."),
        number("ece_noise_floor", "fraction", "As in evaluation.scorecard; null within one spell of two horizons."),
        number("interval_90_coverage", "fraction", "Share of labels inside q05..q95."),
        number("pinball", "sigmas", "Pinball loss, mean over the five quantiles."),
        number("pinball_skill", "fraction", "1 - pinball / that of the quantiles of the labels that earlier folds knew."),
        *(
            number(f"below_{name}", "fraction", f"Share of labels at or under {name}; a calibrated forecast has {level:.0%}.")
            for name, level in zip(QUANTILE_NAMES, QUANTILES, strict=True)
        ),
        number("turnover", "fraction", "Share of a rank-weighted portfolio that is another one after the horizon; all rows only."),
        flag("grey", "Fewer than 20 windows: shown in grey, with their number."),
        count("worst", "-", "1 and 2: where the model fails most, over all horizons and kinds; null elsewhere.", nullable=True),
        text("line", "One line for people."),
        KNOWN_AT,
    ),
)
TASKS = Table(
    layer="evaluation",
    name="tasks",
    key=("model_id", "name"),
    description="The user's targets, the user's own first, for the ensemble: value, base rate, coverage, interval, met or not.",
    columns=(
        MODEL_ID,
        text("name", "stock_direction_1d, selective_stock_direction_5d, volatility_direction_20d, index_direction_60d, sharpe_gain, ..."),
        count("position", "-", "Order of the tasks, from 0."),
        number("target", "fraction", "What is asked for; of sharpe_gain an annual Sharpe ratio, 15 % over the baseline's."),
        number("value", "fraction", "What was reached out of fold."),
        number(
            "base_rate",
            "fraction",
            "What needs no model: always-up or the own base rate; mean reversion or HAR; the baseline's Sharpe ratio.",
        ),
        number(
            "coverage",
            "fraction",
            "Share of the forecasts that the value speaks of; of selective_stock_direction the most confident ones of all folds seen together, as in evaluation.coverage_curve.",
        ),
        number("n_effective", "calls", "Independent calls behind the value."),
        count("windows", "windows", "Non-overlapping windows; under 20 nothing is met."),
        number("low", "fraction", "Lower end of the value's own 95 % interval."),
        number("high", "fraction", "Upper end."),
        flag(
            "passed",
            "Whether the lower end reaches the target, the value is over the base rate, and there are 20 windows; of sharpe_gain whether over_target_low of evaluation.strategy is at least 0.",
        ),
        text("line", "One line for people."),
        KNOWN_AT,
    ),
)
STRATEGY = Table(
    layer="evaluation",
    name="strategy",
    version=2,
    key=("model_id", "against", "cost_multiple"),
    description="The paper portfolio's Sharpe ratio against a baseline's, net of 0, 1 and 2 times the costs. Annual, risk-free rate 0; 95 % intervals.",
    columns=(
        MODEL_ID,
        text("against", "momentum: the same engine without its ML part, at the same costs; benchmark: held, at no cost."),
        count("cost_multiple", "-", "How many times the costs."),
        number("sharpe", "-", "Annual Sharpe ratio of the paper portfolio."),
        number("sharpe_low", "-", "Lower end of its own interval, by the same bootstrap as the difference's `low`.", since=2),
        number("sharpe_high", "-", "Upper end.", since=2),
        number("baseline_sharpe", "-", "That of the baseline on the same sessions."),
        number("difference", "-", "sharpe - baseline_sharpe."),
        number(
            "low",
            "-",
            "Lower end of the difference's interval by Ledoit & Wolf's studentised circular block bootstrap (2008), null where the two differ in too few sessions for it; in rows of version 1 that of hac_low.",
        ),
        number("high", "-", "Upper end."),
        number(
            "over_target_low",
            "-",
            "Lower end of the interval of sharpe less what sharpe_gain asks, baseline_sharpe raised by 15 % of its size and as uncertain as it is; by the same bootstrap as `low`.",
            since=2,
        ),
        number("over_target_high", "-", "Upper end.", since=2),
        number("hac_low", "-", "Lower end by the normal distribution and Ledoit & Wolf's kernel (HAC) standard error.", since=2),
        number("hac_high", "-", "Upper end.", since=2),
        number("bootstrap_low", "-", "Lower end by the percentiles of the stationary bootstrap."),
        number("bootstrap_high", "-", "Upper end."),
        number("probabilistic_sharpe", "probability", "That the true ratio is over 0, given length, skew and tails."),
        number("deflated_sharpe", "probability", "That it is over what the best of the effective trials would show without any skill."),
        count(
            "trials",
            "trials",
            "Models that were ever trained: members and ensembles of the trial ledger, and attempts that came to no end.",
        ),
        number("trials_effective", "trials", "Independent ones among them, by their returns' mean correlation."),
        number(
            "overfitting_probability",
            "probability",
            "That the trial that is best in one half of the sessions is under the median in the other (PBO); null under two distinct trials.",
        ),
        count(
            "paths",
            "paths",
            "Backtest paths of combinatorial purged splits (10 blocks, 2 tested, purge 5, embargo 20 sessions): each tested block goes to the recorded "
            "trial that was best in the split's train sessions; 0 under two distinct trials or 27 sessions a block.",
            nullable=True,
            since=2,
        ),
        number("path_sharpe_05", "-", "5 % quantile of the paths' annual Sharpe ratios; null without paths.", since=2),
        number("path_sharpe_median", "-", "Median.", since=2),
        number("path_sharpe_95", "-", "95 % quantile.", since=2),
        number("paths_below_zero", "fraction", "Share of the paths whose Sharpe ratio is under 0.", since=2),
        number("paths_below_baseline", "fraction", "Share under the baseline's Sharpe ratio on the paths' sessions.", since=2),
        number("cvar_95", "fraction", "Mean loss of the worst 5 % of the sessions."),
        number("max_drawdown", "fraction", "Largest fall of the compounded curve."),
        number("turnover", "fraction of equity", "Bought plus sold, mean of a session."),
        count("sessions", "sessions", "Sessions compared."),
        KNOWN_AT,
    ),
)
SESSIONS = Table(
    layer="evaluation",
    name="sessions",
    year_of="session",
    key=("model_id", "horizon_sessions", "session"),
    description="The ensemble's out-of-fold skill session by session: what the performance page draws and what live results are held against.",
    columns=(
        MODEL_ID,
        HORIZON,
        SESSION,
        number("rank_ic", "-", "Spearman correlation of score and residual_rank over the session's tickers."),
        number("accuracy", "fraction", "Share of the tickers whose direction was right; null in the first fold."),
        number("base_accuracy", "fraction", "The same of the tickers' own base rates."),
        number("p_up", "probability", "Mean calibrated p_up."),
        number("up", "fraction", "Share of the tickers that rose."),
        number("inside_90", "fraction", "Share of the labels inside q05..q95."),
        count("rows", "rows", "Labels judged."),
    ),
)
COVERAGE_CURVE = Table(
    layer="evaluation",
    name="coverage_curve",
    key=("model_id", "horizon_sessions", "asked"),
    description="The ensemble's accuracy on its most confident forecasts alone, out of fold; how confident the most confident are is seen from all folds together, so known only afterwards. No row where no forecast is more confident than another.",
    columns=(
        MODEL_ID,
        HORIZON,
        number("asked", "fraction", "Share of the forecasts asked for, the most confident first.", nullable=False),
        number("coverage", "fraction", "Share that it is, of the known labels: equal confidences stay together."),
        number("accuracy", "fraction", "Directional accuracy of these."),
        number("base_rate", "fraction", "Better of always-up and the ticker's own base rate on the same rows."),
        number("low", "fraction", "Lower end of the 95 % interval."),
        number("high", "fraction", "Upper end."),
        count("windows", "windows", "Non-overlapping windows."),
    ),
)
IC_WINDOWS = """
select horizon_sessions, count(rank_ic) // horizon_sessions as ic_windows from evaluation.sessions where model_id = $model_id
group by horizon_sessions order by horizon_sessions
"""
"""Non-overlapping windows behind the ensemble's rank IC, which speaks of the sessions of all folds, by horizon."""
TABLES = (SCORECARD, BACKTEST, SEGMENTS, TASKS, STRATEGY, SESSIONS, COVERAGE_CURVE)
