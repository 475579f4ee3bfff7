"""The paper portfolio against its baselines, and what its Sharpe ratio is worth after so many trials: rows of evaluation.strategy."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from trader_pipeline import measures
from trader_pipeline.evaluation import overfitting, sharpe
from trader_pipeline.evaluation.judged import Floats
from trader_pipeline.flows.paper_portfolio import HOLDING_SESSIONS
from trader_pipeline.lake import Snapshot

MOMENTUM, BENCHMARK = "momentum", "benchmark"
COST_MULTIPLES = (0, 1, 2)
_LEAST_SHARED = 0.5
"""Share of this run's sessions on which all trials are compared, at the least."""
_ANNUAL = float(np.sqrt(measures.SESSIONS_PER_YEAR))


def strategy_rows(
    snapshot: Snapshot, model_id: str, own: pa.Table, baseline: pa.Table, members: Mapping[str, pa.Table]
) -> list[dict[str, Any]]:
    """Return the rows of evaluation.strategy after `model_id`, without known_at.

    All tables have the columns of evaluation.backtest; `own` is the ensemble's, `baseline` that of the engine without ML,
    `members` those of the members alone. Trials are these and the ensembles of other models. Where the returns of fewer than two
    distinct ones are known the variance is that of Sharpe ratios without skill, and every trial counts.
    """
    returns_MT = _trial_returns(snapshot, model_id, own, members)
    trials = max(trials_ever(snapshot), len(returns_MT))
    effective = sharpe.effective_trials(returns_MT, trials=trials)
    ratios = np.array([sharpe.ratio(returns) for returns in returns_MT])
    variance = float(np.nanvar(ratios, ddof=1)) if np.isfinite(ratios).sum() > 1 else sharpe.null_variance(own.num_rows)
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


def trials_ever(snapshot: Snapshot) -> int:
    """Return how many models were ever trained: members, each run's ensemble of several, and trainings that came to no end."""
    counted = snapshot.sql(
        "with judged as (select model_id, count(distinct model) members from training.trials group by model_id) "
        "select (select coalesce(sum(if(members > 1, members + 1, members)), 0) from judged) + "
        "(select count(distinct model_id) from training.attempts anti join judged using (model_id)) n"
    )
    return int(counted["n"][0].as_py())


def _trial_returns(snapshot: Snapshot, model_id: str, own: pa.Table, members: Mapping[str, pa.Table]) -> Floats:
    """Return the distinct net returns [M, T] of this run's ensemble and members and of other ensembles, on the sessions of all of them.

    Others are taken in, those with the most of this run's sessions first, while `_LEAST_SHARED` of its sessions are left.
    """
    others = snapshot.sql(
        "select model_id, session, strategy_return from evaluation.backtest where model_id <> ? order by session", [model_id]
    )
    own_days = own["session"].to_numpy()
    found = [_by_session(days) for days in (own, *(members.values() if len(members) > 1 else ()))]
    runs = [_by_session(others.filter(pc.equal(others["model_id"], other))) for other in sorted(pc.unique(others["model_id"]).to_pylist())]
    shared = own_days
    for days, returns in sorted(runs, key=lambda run: -np.isin(own_days, run[0]).sum()):
        left = np.intersect1d(shared, days)
        if len(left) >= _LEAST_SHARED * len(own_days):
            shared = left
            found.append((days, returns))
    return np.unique(np.stack([returns[np.isin(days, shared)] for days, returns in found]), axis=0)


def _by_session(days: pa.Table) -> tuple[npt.NDArray[np.datetime64], Floats]:
    """Return sessions, ascending, and net returns."""
    days = days.sort_by("session")
    return days["session"].to_numpy(), days["strategy_return"].to_numpy()
