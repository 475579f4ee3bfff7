"""The paper portfolio against its baselines, and what its Sharpe ratio is worth after so many trials: rows of evaluation.strategy."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trader_pipeline import measures
from trader_pipeline.evaluation import overfitting, sharpe
from trader_pipeline.evaluation.judged import Floats
from trader_pipeline.flows.paper_portfolio import HOLDING_SESSIONS
from trader_pipeline.lake import Snapshot

MOMENTUM, BENCHMARK = "momentum", "benchmark"
COST_MULTIPLES = (0, 1, 2)
_ANNUAL = float(np.sqrt(measures.SESSIONS_PER_YEAR))


def strategy_rows(
    snapshot: Snapshot, model_id: str, own: pa.Table, baseline: pa.Table, members: Mapping[str, pa.Table]
) -> list[dict[str, Any]]:
    """Return the rows of evaluation.strategy after `model_id`, without known_at.

    All tables have the columns of evaluation.backtest; `own` is the ensemble's, `baseline` that of the engine without ML,
    `members` those of the members alone. Trials are these and the ensembles of other models on the same sessions.
    """
    returns_MT = _trial_returns(snapshot, model_id, own, members)
    trials = max(_trials(snapshot), len(returns_MT))
    effective = sharpe.effective_trials(returns_MT, trials=trials)
    ratios = np.array([sharpe.ratio(returns) for returns in returns_MT])
    variance = float(np.nanvar(ratios, ddof=1)) if np.isfinite(ratios).sum() > 1 else 0.0
    overfitted = overfitting.probability_of_overfitting(returns_MT, purge=HOLDING_SESSIONS)
    rows = []
    for multiple in COST_MULTIPLES:
        net = _net(own, multiple)
        against = {MOMENTUM: _net(baseline, multiple), BENCHMARK: own["benchmark_return"].to_numpy()}
        alone = {
            "sharpe": _ANNUAL * sharpe.ratio(net),
            "probabilistic_sharpe": sharpe.probabilistic(net),
            "deflated_sharpe": sharpe.deflated(net, trials=effective, variance=variance),
            "trials": trials,
            "trials_effective": effective,
            "overfitting_probability": overfitted,
            "cvar_95": measures.conditional_value_at_risk(net),
            "max_drawdown": measures.max_drawdown(net),
            "turnover": float(np.mean(own["turnover"].to_numpy())),
            "sessions": len(net),
        }
        for name, other in against.items():
            found = sharpe.difference(net, other)
            rows.append(
                alone
                | {"against": name, "cost_multiple": multiple, "baseline_sharpe": _ANNUAL * sharpe.ratio(other)}
                | {"difference": _ANNUAL * found.value, "low": _ANNUAL * found.low, "high": _ANNUAL * found.high}
                | {"bootstrap_low": _ANNUAL * found.bootstrap_low, "bootstrap_high": _ANNUAL * found.bootstrap_high}
            )
    return rows


def _net(days: pa.Table, multiple: int) -> Floats:
    return np.asarray(days["gross_return"].to_numpy() - multiple * days["cost"].to_numpy())


def _trials(snapshot: Snapshot) -> int:
    """Return how many models the ledger holds: the members of every run, and each run's ensemble."""
    counted = snapshot.sql("select count(distinct (model_id, model)) + count(distinct model_id) n from training.trials")
    return int(counted["n"][0].as_py())


def _trial_returns(snapshot: Snapshot, model_id: str, own: pa.Table, members: Mapping[str, pa.Table]) -> Floats:
    """Return the net returns [M, T] of this run's ensemble and members, and of other ensembles that cover all of its sessions."""
    here = [own, *members.values()]
    others = snapshot.sql(
        "select model_id, session, strategy_return from evaluation.backtest where model_id <> ? order by session", [model_id]
    )
    for other in pc.unique(others["model_id"]).to_pylist():
        days = others.filter(pc.equal(others["model_id"], other))
        same = days.filter(pc.is_in(days["session"], value_set=own["session"].combine_chunks()))
        if same.num_rows == own.num_rows:
            here.append(same)
    return np.stack([days["strategy_return"].to_numpy() for days in here])
