"""The paper portfolio against its baselines, and what its Sharpe ratio is worth after so many trials: rows of evaluation.strategy."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from trader_pipeline import measures
from trader_pipeline.evaluation import overfitting, sharpe
from trader_pipeline.evaluation.backtest_paths import backtest_paths, path_measures
from trader_pipeline.evaluation.judged import Floats
from trader_pipeline.evaluation.sharpe_difference import contrast, difference
from trader_pipeline.evaluation.tasks import sharpe_factor
from trader_pipeline.flows.paper_portfolio import HOLDING_SESSIONS
from trader_pipeline.lake import Snapshot

MOMENTUM, BENCHMARK = "momentum", "benchmark"
COST_MULTIPLES = (0, 1, 2)
_LEAST_SHARED = 0.5
"""Share of this run's sessions on which all trials are compared, at the least."""
_ANNUAL = float(np.sqrt(measures.SESSIONS_PER_YEAR))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Trials:
    """Returns of the distinct trials [M, T] on the sessions, [T], that all of them have."""

    sessions_T: npt.NDArray[np.datetime64]
    gross_MT: Floats
    cost_MT: Floats

    def net(self, multiple: int) -> Floats:
        """Return the returns less so many times the costs."""
        return self.gross_MT - multiple * self.cost_MT


def strategy_rows(
    snapshot: Snapshot, model_id: str, own: pa.Table, baseline: pa.Table, members: Mapping[str, pa.Table]
) -> list[dict[str, Any]]:
    """Return the rows of evaluation.strategy after `model_id`, without known_at.

    All tables have the columns of evaluation.backtest; `own` is the ensemble's, `baseline` that of the engine without ML,
    `members` those of the members alone. Trials are these and the ensembles of other models. Where the returns of fewer than two
    distinct ones are known the variance is that of Sharpe ratios without skill, and every trial counts.
    """
    tried = _tried(snapshot, model_id, own, members)
    returns_MT = tried.net(1)
    trials = max(trials_ever(snapshot), len(returns_MT))
    effective = sharpe.effective_trials(returns_MT, trials=trials)
    ratios = np.array([sharpe.ratio(returns) for returns in returns_MT])
    variance = float(np.nanvar(ratios, ddof=1)) if np.isfinite(ratios).sum() > 1 else sharpe.null_variance(own.num_rows)
    overfitted = overfitting.probability_of_overfitting(returns_MT, purge=HOLDING_SESSIONS)
    shared_T = np.isin(own["session"].to_numpy(), tried.sessions_T)
    rows = []
    for multiple in COST_MULTIPLES:
        paths_PT = backtest_paths(tried.net(multiple), purge=HOLDING_SESSIONS)
        net = _net(own, multiple)
        against = {MOMENTUM: _net(baseline, multiple), BENCHMARK: own["benchmark_return"].to_numpy()}
        alone = {
            "sharpe": _ANNUAL * sharpe.ratio(net),
            **_ends("sharpe", contrast(net, net, weight=0)),
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
            found = difference(net, other)
            over_target = contrast(net, other, weight=sharpe_factor(sharpe.ratio(other)))
            rows.append(
                alone
                | {"against": name, "cost_multiple": multiple, "baseline_sharpe": _ANNUAL * sharpe.ratio(other)}
                | path_measures(paths_PT, baseline=sharpe.ratio(other[shared_T]), annual=_ANNUAL)
                | {"difference": _ANNUAL * found.value, "low": _ANNUAL * found.low, "high": _ANNUAL * found.high}
                | {"hac_low": _ANNUAL * found.hac_low, "hac_high": _ANNUAL * found.hac_high}
                | {"bootstrap_low": _ANNUAL * found.bootstrap_low, "bootstrap_high": _ANNUAL * found.bootstrap_high}
                | _ends("over_target", over_target)
            )
    return rows


def _ends(name: str, interval: tuple[float, float]) -> dict[str, float]:
    return {f"{name}_low": _ANNUAL * interval[0], f"{name}_high": _ANNUAL * interval[1]}


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


def _tried(snapshot: Snapshot, model_id: str, own: pa.Table, members: Mapping[str, pa.Table]) -> _Trials:
    """Return this run's ensemble and members and other ensembles, those that differ in a net return, on the sessions of all of them.

    Others are taken in, those with the most of this run's sessions first, while `_LEAST_SHARED` of its sessions are left.
    """
    others = snapshot.sql("select model_id, session, gross_return, cost from evaluation.backtest where model_id <> ?", [model_id])
    own_days = own["session"].to_numpy()
    found = [own, *(members.values() if len(members) > 1 else ())]
    runs = [others.filter(pc.equal(others["model_id"], other)) for other in sorted(pc.unique(others["model_id"]).to_pylist())]
    shared = own_days
    for days in sorted(runs, key=lambda run: -np.isin(own_days, run["session"].to_numpy()).sum()):
        left = np.intersect1d(shared, days["session"].to_numpy())
        if len(left) >= _LEAST_SHARED * len(own_days):
            shared = left
            found.append(days)
    kept = [days.filter(np.isin(days["session"].to_numpy(), shared)).sort_by("session") for days in found]
    gross, cost = (np.stack([days[name].to_numpy() for days in kept]) for name in ("gross_return", "cost"))
    _, distinct = np.unique(gross - cost, axis=0, return_index=True)
    return _Trials(sessions_T=np.sort(shared), gross_MT=gross[distinct], cost_MT=cost[distinct])
