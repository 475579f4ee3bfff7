"""From which columns labels, forecasts, their scores and decisions are made."""

from trader_pipeline.schema import features, outputs
from trader_pipeline.schema.columns import HORIZONS_SESSIONS
from trader_pipeline.schema.lineage import EVERY, Lineage, Reads, same
from trader_pipeline.schema.outputs import QUANTILE_NAMES, SCALE_COLUMNS

_RUN = "stamp of the run"
_CHOSEN = "chosen for the run: settings and recipe"
_HORIZON = "one row a horizon: 1, 5, 20 and 60 sessions"


def _of(stem: str) -> str:
    """Return a label's columns of all horizons."""
    return ", ".join(f"{stem}_{horizon}d" for horizon in HORIZONS_SESSIONS)


_FORWARD, _SCALED, _RANK = _of("forward_return"), _of("scaled_return"), _of("residual_rank")
_BENCHMARK = f"beta, {_of('benchmark_return')}, {_RANK}"
_QUANTILES = ", ".join(QUANTILE_NAMES)
_SCALED_QUANTILES = ", ".join(f"scaled_{name}" for name in QUANTILE_NAMES)

_FITTED_STATE = "p_turbulent, mean_calm, mean_turbulent, volatility_calm, volatility_turbulent, stay_calm, stay_turbulent"
MARKET_STATE = Lineage(
    table=features.MARKET_STATE,
    reads={
        "core.accepted_bars": {"session, known_at, fitted_on": "session", _FITTED_STATE: "close"},
        "core.corporate_actions": {_FITTED_STATE: "session, kind, value"},
        "core.ticker_map": {_FITTED_STATE: "role"},
    },
    made={},
)
TARGETS = Lineage(
    table=features.TARGETS,
    reads={
        "core.accepted_bars": {
            **same("ticker, session"),
            "volatility_daily": "close",
            f"{_FORWARD}, {_SCALED}, {_BENCHMARK}": "open, close",
        },
        "core.corporate_actions": {f"volatility_daily, {_FORWARD}, {_SCALED}, {_BENCHMARK}": "session, kind, value"},
        "core.ticker_map": {_BENCHMARK: "role"},
        "core.universe": {_BENCHMARK: "universe, ticker, valid_from, valid_to"},
    },
    made={},
)
COVERAGE = Lineage(
    table=features.COVERAGE,
    reads={"features.panel": {"session": "session", "tickers": "ticker", "values": EVERY}},
    made={"family, features": "as the features are declared"},
)
_FITTED = f"score, scaled_mean, {_SCALED_QUANTILES}"
OUT_OF_FOLD = Lineage(
    table=outputs.OUT_OF_FOLD,
    reads={
        "features.panel": {**same("ticker, session"), _FITTED: EVERY},
        "features.targets": {_FITTED: f"{_RANK}, {_SCALED}"},
        "core.sectors": {_FITTED: "sector"},
    },
    made={"model_id": _RUN, "fold": "the walk-forward's own split of the sessions", "model": _CHOSEN, "horizon_sessions": _HORIZON},
)
_RETURNS = f"return_mean, {_QUANTILES}"
_EXCESS = "excess_benchmark, excess_sector"
_FORECAST = f"{_RETURNS}, {_EXCESS}, p_up, p_outperform, score, confidence, disagreement, novelty, abstained"
_UP = "up_shrink, up_score_slope, mean_center, pooled, isotonic"
_INTERVAL = f"interval_miss, interval_scale, {', '.join(SCALE_COLUMNS)}"
_MEAN = "mean_shrink, mean_score_slope, mean_center, drift"
DAILY = Lineage(
    table=outputs.DAILY,
    reads={
        "features.panel": {**same("session, ticker"), _FORECAST: EVERY},
        "core.sectors": {f"{_RETURNS}, {_EXCESS}, p_up, p_outperform, score, confidence, disagreement, abstained": "sector"},
        "training.runs": {"model_id": "model_id", _FORECAST: "folder"},
        "training.calibration": {
            f"{_RETURNS}, {_EXCESS}": _MEAN,
            _QUANTILES: f"{_INTERVAL}, median_offset",
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
            "base_rate, p_up, confidence, abstained": _FORWARD,
            "excess_benchmark": _of("benchmark_return"),
        },
        "core.earnings": {"earnings_inside": "report_date, known_at"},
        "core.corporate_actions": {"ex_dividend_inside": "session, kind, known_at"},
    },
    made={"horizon_sessions": _HORIZON, "data_version, made_at, run_id": _RUN},
)
"""`training.runs.folder` stands for the trained members, which lie there."""

_MOMENTUM = "momentum_12_1, trend_200d, price_to_52_week_high"
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
        "features.panel": {f"momentum_score, momentum_part, {_BLENDED}": _MOMENTUM},
        "features.targets": {"action, target_weight, uncut_weight, reasons": "volatility_daily"},
        "core.ticker_map": {"issuer_id, action, target_weight, reasons": "issuer_id"},
        "evaluation.scorecard": {f"ml_score, ml_part, {_BLENDED}": "rank_ic"},
    },
    made={"made_at, run_id": _RUN},
)
RUNS = Lineage(
    table=outputs.RUNS,
    reads={
        "features.targets": {
            "trained_through, first_session, sessions": f"session, {_SCALED}",
            "tickers": f"ticker, {_SCALED}",
        }
    },
    made={
        "model_id, run_id, data_version, as_of, folder, manifest_sha256, git_revision, finished_at": _RUN,
        "recipe, members, seed": _CHOSEN,
        "features": "names of the declared features",
        "wall_s, cpu_s, peak_mb": "measured",
    },
)
ATTEMPTS = Lineage(
    table=outputs.ATTEMPTS,
    reads={},
    made={
        "model_id, run_id, data_version, as_of, git_revision, started_at, outcome, said, ended_at": _RUN,
        "recipe, seed": _CHOSEN,
    },
)
_OUT_OF_FOLD = "rank_ic, balanced_accuracy, rows"
TRIALS = Lineage(
    table=outputs.TRIALS,
    reads={
        "features.panel": {"train_first, train_last, test_first, test_last": "session", _OUT_OF_FOLD: EVERY},
        "features.targets": {_OUT_OF_FOLD: f"{_RANK}, {_SCALED}"},
        "core.sectors": {_OUT_OF_FOLD: "sector"},
    },
    made={
        "model_id, run_id": _RUN,
        "model": _CHOSEN,
        "fold": "the walk-forward's own split of the sessions",
        "horizon_sessions": _HORIZON,
    },
)
_LOSSES = "train_loss, validation_loss, gap, skipped_steps"
CURVES = Lineage(
    table=outputs.CURVES,
    reads={
        "features.panel": {_LOSSES: EVERY},
        "features.targets": {_LOSSES: f"{_RANK}, {_SCALED}"},
        "core.sectors": {_LOSSES: "sector"},
    },
    made={
        "model_id": _RUN,
        "model, learning_rate": _CHOSEN,
        "fold": "the walk-forward's own split of the sessions",
        "epoch": "counted",
        "seconds": "measured",
    },
)
_RISE = "increase, noise, may_go"
IMPORTANCE = Lineage(
    table=outputs.IMPORTANCE,
    reads={
        "features.panel": {_RISE: EVERY},
        "features.targets": {_RISE: f"{_RANK}, {_SCALED}"},
        "core.sectors": {_RISE: "sector"},
    },
    made={
        "model_id": _RUN,
        "model": _CHOSEN,
        "fold": "the walk-forward's own split of the sessions",
        "name, features": "as the features are declared",
    },
)
_JUDGED: Reads = {
    "training.runs": {"model_id": "model_id", "known_at": "as_of"},
}
CALIBRATION = Lineage(
    table=outputs.CALIBRATION,
    reads={
        **_JUDGED,
        "predictions.out_of_fold": {
            "fold": "fold",
            "model": "model",
            "mean_center, rows": "scaled_mean",
            "outperform_shrink": "score",
            "up_shrink, up_score_slope, mean_shrink, mean_score_slope, median_offset, attainable": "score, scaled_mean",
            "pooled": "model",
            "isotonic": "score, scaled_mean",
            _INTERVAL: f"score, scaled_mean, {_SCALED_QUANTILES}",
        },
        "features.targets": {
            "up_shrink, up_score_slope, base_rate, attainable, isotonic": _FORWARD,
            f"drift, mean_shrink, mean_score_slope, median_offset, {_INTERVAL}, rows": _SCALED,
            "outperform_shrink": _RANK,
        },
    },
    made={"horizon_sessions": _HORIZON},
)
_ACCURACY = "accuracy, accuracy_half_width, target_met, verdict, leak_alarm"
_OF_P_UP = f"{_ACCURACY}, brier, brier_skill, brier_skill_half_width, ece, ece_noise_floor, ece_n_effective, calibrated, calibration"
_IC = "rank_ic, rank_ic_half_width, leak_alarm"
_ORACLE = "oracle_rank_ic, leak_alarm"
SCORECARD = Lineage(
    table=outputs.SCORECARD,
    reads={
        **_JUDGED,
        "predictions.out_of_fold": {
            "model": "model",
            f"{_OF_P_UP}, expected_accuracy, coverage, rows, windows": "fold, score, scaled_mean",
            "base_rate": "fold, score, scaled_mean",
            _IC: "score",
            "oracle_rank_ic": "score",
            "interval_90_coverage": f"fold, score, scaled_mean, {_SCALED_QUANTILES}",
        },
        "features.targets": {
            f"{_OF_P_UP}, expected_accuracy, base_rate": _FORWARD,
            "coverage, rows, windows, interval_90_coverage": _SCALED,
            f"{_IC}, oracle_rank_ic": _RANK,
        },
        "core.oracle": {_ORACLE: "expected_log_return"},
    },
    made={"horizon_sessions": _HORIZON, "target": "the user's target, a constant"},
)
_PAPER = "strategy_return, gross_return, cost, turnover, exposure"
BACKTEST = Lineage(
    table=outputs.BACKTEST,
    reads={
        "training.runs": {"model_id": "model_id"},
        "predictions.out_of_fold": {_PAPER: "score"},
        "features.panel": {_PAPER: f"return_1d, intraday_return_1d, {_MOMENTUM}", "benchmark_return": "return_1d"},
        "features.targets": {"session": "session", _PAPER: "volatility_daily"},
        "core.ticker_map": {_PAPER: "issuer_id", "benchmark_return, benchmark": "role"},
        "core.accepted_bars": {"benchmark_return": "close", "benchmark": "ticker"},
        "core.corporate_actions": {"benchmark_return": "session, kind, value"},
    },
    made={},
)
_P_UP = "fold, score, scaled_mean"
_HITS = "accuracy, base_rate, low, high, worst, line, newey_west_half_width, bootstrap_half_width, n_effective, brier, brier_skill, ece, ece_noise_floor"
_COUNTS = "coverage, issuers, windows, rows, grey"
_IC_OF_ROWS = "rank_ic, rank_ic_half_width, icir, numerai_correlation"
_BELOW = ", ".join(f"below_{name}" for name in QUANTILE_NAMES)
_WIDTHS = f"interval_90_coverage, pinball, pinball_skill, {_BELOW}"
SEGMENTS = Lineage(
    table=outputs.SEGMENTS,
    reads={
        **_JUDGED,
        "predictions.out_of_fold": {
            "model": "model",
            f"{_HITS}, {_COUNTS}, segment": _P_UP,
            f"{_IC_OF_ROWS}, turnover": "score",
            _WIDTHS: f"{_P_UP}, {_SCALED_QUANTILES}",
        },
        "features.targets": {
            _HITS: _FORWARD,
            f"{_COUNTS}, {_WIDTHS}": _SCALED,
            _IC_OF_ROWS: _RANK,
            "segment": "session, volatility_daily",
        },
        "core.sectors": {"segment": "sector"},
        "core.ticker_map": {"issuers, n_effective": "issuer_id"},
    },
    made={"horizon_sessions": _HORIZON, "kind": "the kinds of segments, constants"},
)
_REACHED = "value, base_rate, coverage, n_effective, windows, low, high, passed, line"
_SHARPES = (
    "sharpe, baseline_sharpe, difference, low, high, hac_low, hac_high, bootstrap_low, bootstrap_high, probabilistic_sharpe, "
    "deflated_sharpe, trials_effective, overfitting_probability, paths, path_sharpe_05, path_sharpe_median, path_sharpe_95, "
    "paths_below_zero, paths_below_baseline, cvar_95, max_drawdown, turnover, sessions"
)
_RISKED = "strategy_return, gross_return, cost, benchmark_return"
TASKS = Lineage(
    table=outputs.TASKS,
    reads={
        **_JUDGED,
        "predictions.out_of_fold": {_REACHED: f"{_P_UP}, {_SCALED_QUANTILES}"},
        "features.targets": {_REACHED: f"{_FORWARD}, {_SCALED}, volatility_daily, benchmark_return_60d"},
        "core.ticker_map": {"n_effective": "issuer_id"},
        "evaluation.strategy": {f"target, {_REACHED}": "sharpe, baseline_sharpe, difference, low, high, sessions"},
    },
    made={"name, position": "the tasks, constants"},
)
STRATEGY = Lineage(
    table=outputs.STRATEGY,
    reads={
        **_JUDGED,
        "predictions.out_of_fold": {_SHARPES: "score"},
        "features.panel": {_SHARPES: f"return_1d, intraday_return_1d, {_MOMENTUM}"},
        "features.targets": {_SHARPES: "volatility_daily"},
        "core.ticker_map": {_SHARPES: "issuer_id"},
        "evaluation.backtest": {_SHARPES: _RISKED},
        "training.trials": {"trials, trials_effective, deflated_sharpe": "model_id, model"},
        "training.attempts": {"trials, trials_effective, deflated_sharpe": "model_id"},
    },
    made={"against, cost_multiple": "the comparisons, constants"},
)
SESSIONS = Lineage(
    table=outputs.SESSIONS,
    reads={
        "training.runs": {"model_id": "model_id"},
        "predictions.out_of_fold": {
            **same("session"),
            "rank_ic": "score",
            "accuracy, base_accuracy, p_up, rows": _P_UP,
            "inside_90": f"{_P_UP}, {_SCALED_QUANTILES}",
        },
        "features.targets": {"rank_ic": _RANK, "accuracy, base_accuracy, up": _FORWARD, "inside_90, rows": _SCALED},
    },
    made={"horizon_sessions": _HORIZON},
)
COVERAGE_CURVE = Lineage(
    table=outputs.COVERAGE_CURVE,
    reads={
        "training.runs": {"model_id": "model_id"},
        "predictions.out_of_fold": {"coverage, accuracy, base_rate, low, high, windows": _P_UP},
        "features.targets": {"coverage, accuracy, base_rate, low, high, windows": f"{_FORWARD}, {_SCALED}"},
    },
    made={"horizon_sessions": _HORIZON, "asked": "constants"},
)
LINEAGES = (
    *(MARKET_STATE, TARGETS, COVERAGE, OUT_OF_FOLD, DAILY, DECISIONS),
    *(RUNS, ATTEMPTS, TRIALS, CURVES, IMPORTANCE, CALIBRATION),
    *(SCORECARD, BACKTEST, SEGMENTS, TASKS, STRATEGY, SESSIONS, COVERAGE_CURVE),
)
