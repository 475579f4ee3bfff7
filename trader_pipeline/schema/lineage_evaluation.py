"""From which columns the scorecard, segments, tasks, strategy and their series are made."""

from trader_pipeline.schema import evaluation
from trader_pipeline.schema.lineage import Lineage, same
from trader_pipeline.schema.lineage_words import FORWARD, HORIZON, JUDGED, MOMENTUM, RANK, SCALED, SCALED_QUANTILES
from trader_pipeline.schema.quantiles import QUANTILE_NAMES

_ACCURACY = "accuracy, accuracy_half_width, target_met, verdict, leak_alarm"
_OF_P_UP = f"{_ACCURACY}, brier, brier_skill, brier_skill_half_width, ece, ece_noise_floor, ece_n_effective, calibrated, calibration"
_IC = "rank_ic, rank_ic_half_width, leak_alarm"
_ORACLE = "oracle_rank_ic, leak_alarm"
SCORECARD = Lineage(
    table=evaluation.SCORECARD,
    reads={
        **JUDGED,
        "predictions.out_of_fold": {
            "model": "model",
            f"{_OF_P_UP}, expected_accuracy, coverage, rows, windows": "fold, score, scaled_mean",
            "base_rate": "fold, score, scaled_mean",
            _IC: "score",
            "oracle_rank_ic": "score",
            "interval_90_coverage": f"fold, score, scaled_mean, {SCALED_QUANTILES}",
        },
        "features.targets": {
            f"{_OF_P_UP}, expected_accuracy, base_rate": FORWARD,
            "coverage, rows, windows, interval_90_coverage": SCALED,
            f"{_IC}, oracle_rank_ic": RANK,
        },
        "core.oracle": {_ORACLE: "expected_log_return"},
    },
    made={"horizon_sessions": HORIZON, "target": "the user's target, a constant"},
)
_PAPER = "strategy_return, gross_return, cost, turnover, exposure"
BACKTEST = Lineage(
    table=evaluation.BACKTEST,
    reads={
        "training.runs": {"model_id": "model_id"},
        "predictions.out_of_fold": {_PAPER: "score"},
        "features.panel": {_PAPER: f"return_1d, intraday_return_1d, {MOMENTUM}", "benchmark_return": "return_1d"},
        "features.targets": {"session": "session", _PAPER: "volatility_daily"},
        "core.ticker_map": {_PAPER: "issuer_id, role", "benchmark_return, benchmark": "role"},
        "core.accepted_bars": {_PAPER: "open", "benchmark_return": "close", "benchmark": "ticker"},
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
    table=evaluation.SEGMENTS,
    reads={
        **JUDGED,
        "predictions.out_of_fold": {
            "model": "model",
            f"{_HITS}, {_COUNTS}, segment": _P_UP,
            f"{_IC_OF_ROWS}, turnover": "score",
            _WIDTHS: f"{_P_UP}, {SCALED_QUANTILES}",
        },
        "features.targets": {
            _HITS: FORWARD,
            f"{_COUNTS}, {_WIDTHS}": SCALED,
            _IC_OF_ROWS: RANK,
            "segment": "session, volatility_daily",
        },
        "core.sectors": {"segment": "sector"},
        "core.ticker_map": {"issuers, n_effective": "issuer_id"},
    },
    made={"horizon_sessions": HORIZON, "kind": "the kinds of segments, constants"},
)
_REACHED = "value, base_rate, coverage, n_effective, windows, low, high, passed, line"
_SHARPES = (
    "sharpe, sharpe_low, sharpe_high, baseline_sharpe, difference, low, high, over_target_low, over_target_high, "
    "hac_low, hac_high, bootstrap_low, bootstrap_high, probabilistic_sharpe, "
    "deflated_sharpe, trials_effective, overfitting_probability, paths, path_sharpe_05, path_sharpe_median, path_sharpe_95, "
    "paths_below_zero, paths_below_baseline, cvar_95, max_drawdown, turnover, sessions"
)
_RISKED = "strategy_return, gross_return, cost, benchmark_return"
TASKS = Lineage(
    table=evaluation.TASKS,
    reads={
        **JUDGED,
        "predictions.out_of_fold": {_REACHED: f"{_P_UP}, {SCALED_QUANTILES}"},
        "features.targets": {_REACHED: f"{FORWARD}, {SCALED}, volatility_daily, benchmark_return_60d"},
        "core.ticker_map": {"n_effective": "issuer_id"},
        "evaluation.strategy": {
            f"target, {_REACHED}": "sharpe, sharpe_low, sharpe_high, baseline_sharpe, difference, high, over_target_low, over_target_high, sessions"
        },
    },
    made={"name, position": "the tasks, constants"},
)
STRATEGY = Lineage(
    table=evaluation.STRATEGY,
    reads={
        **JUDGED,
        "predictions.out_of_fold": {_SHARPES: "score"},
        "features.panel": {_SHARPES: f"return_1d, intraday_return_1d, {MOMENTUM}"},
        "features.targets": {_SHARPES: "volatility_daily"},
        "core.ticker_map": {_SHARPES: "issuer_id, role"},
        "core.accepted_bars": {_SHARPES: "open"},
        "evaluation.backtest": {_SHARPES: _RISKED},
        "training.trials": {"trials, trials_effective, deflated_sharpe": "model_id, model"},
        "training.attempts": {"trials, trials_effective, deflated_sharpe": "model_id"},
    },
    made={"against, cost_multiple": "the comparisons, constants"},
)
SESSIONS = Lineage(
    table=evaluation.SESSIONS,
    reads={
        "training.runs": {"model_id": "model_id"},
        "predictions.out_of_fold": {
            **same("session"),
            "rank_ic": "score",
            "accuracy, base_accuracy, p_up, rows": _P_UP,
            "inside_90": f"{_P_UP}, {SCALED_QUANTILES}",
        },
        "features.targets": {"rank_ic": RANK, "accuracy, base_accuracy, up": FORWARD, "inside_90, rows": SCALED},
    },
    made={"horizon_sessions": HORIZON},
)
COVERAGE_CURVE = Lineage(
    table=evaluation.COVERAGE_CURVE,
    reads={
        "training.runs": {"model_id": "model_id"},
        "predictions.out_of_fold": {"coverage, accuracy, base_rate, low, high, windows": _P_UP},
        "features.targets": {"coverage, accuracy, base_rate, low, high, windows": f"{FORWARD}, {SCALED}"},
    },
    made={"horizon_sessions": HORIZON, "asked": "constants"},
)
LINEAGES = (SCORECARD, BACKTEST, SEGMENTS, TASKS, STRATEGY, SESSIONS, COVERAGE_CURVE)
