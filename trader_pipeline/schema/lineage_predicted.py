"""From which columns explanations, changes and the paper log are made."""

from trader_pipeline.schema import predicted
from trader_pipeline.schema.columns import HORIZONS_SESSIONS
from trader_pipeline.schema.lineage import EVERY, Lineage, same
from trader_pipeline.schema.lineage_words import RUN

_EFFECTS = "data_effect, model_effect, price_effect, cause"


def _of(stem: str) -> str:
    return ", ".join(f"{stem}_{horizon}d" for horizon in HORIZONS_SESSIONS)


EXPLANATIONS = Lineage(
    table=predicted.EXPLANATIONS,
    reads={
        "predictions.daily": {**same("session, ticker, horizon_sessions, model_id, data_version"), "score, completeness_error": "score"},
        "features.panel": {"feature, contribution, value, score, completeness_error": EVERY},
        "core.sectors": {"feature, contribution, score, completeness_error": "sector"},
        "training.runs": {"model, method, feature, contribution, score, completeness_error": "folder"},
    },
    made={"rank": "counted", "made_at, run_id": RUN},
)
CHANGES = Lineage(
    table=predicted.CHANGES,
    reads={
        "predictions.daily": {
            **same("session, ticker, horizon_sessions, p_up, model_id, data_version"),
            "previous_session": "session",
            "kind": "p_up, score",
            "rank, previous_rank, rank_move, score, previous_score, price_effect, data_effect": "score",
            "previous_p_up": "p_up",
            "previous_model_id": "model_id",
        },
        "features.panel": {_EFFECTS: EVERY},
        "core.sectors": {_EFFECTS: "sector"},
        "training.runs": {_EFFECTS: "folder"},
    },
    made={"made_at, run_id": RUN},
)
PAPER_LOG = Lineage(
    table=predicted.PAPER_LOG,
    reads={
        "predictions.daily": {
            **same("session, ticker, horizon_sessions, model_id, return_mean, p_up, base_rate, score, abstained"),
            "predicted_at, in_time": "made_at",
            "entry_session, exit_session": "session, horizon_sessions",
            "position, net_return": "p_up",
        },
        "features.targets": {"realised_return, net_return": _of("forward_return"), "benchmark_return": _of("benchmark_return")},
        "core.accepted_bars": {
            "entry, entry_session": "open",
            "entry_price, realised_return, net_return": "open, close",
            "exit_price": "close",
            "exit_session": "session",
        },
        "core.corporate_actions": {"realised_return, net_return": "kind, value"},
        "core.ticker_map": {"ended": "ended", "exit_session, realised_return, net_return": "ended, valid_to", "entry": "role"},
    },
    made={"cost": "a constant: decisions/backtest.py", "logged_at, data_version, run_id": RUN},
)
LINEAGES = (EXPLANATIONS, CHANGES, PAPER_LOG)
