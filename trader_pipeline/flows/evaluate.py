"""predictions.out_of_fold -> training.calibration and the tables of evaluation of the newest model."""

import datetime as dt
import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import pyarrow as pa

from trader_pipeline import panel
from trader_pipeline.champion import leak_alarms
from trader_pipeline.errors import InsufficientHistoryError, NoModelError
from trader_pipeline.evaluation import scorecard
from trader_pipeline.evaluation.judged import Floats, Judged, Labels, judged_of, labels_of
from trader_pipeline.evaluation.outcome import Outcome, outcome_of
from trader_pipeline.flows import judgement
from trader_pipeline.flows.benchmark import benchmark_name
from trader_pipeline.flows.ensemble import SERVING_FOLD, Ensemble, calibrations_of, ensemble_of
from trader_pipeline.flows.paper_portfolio import issuers_of, paper_portfolio, portfolio_features
from trader_pipeline.flows.strategies import strategy_rows, trials_ever
from trader_pipeline.flows.train import sectors_on
from trader_pipeline.lake import Change, Lake, Snapshot
from trader_pipeline.models.calibrate import Calibration
from trader_pipeline.schema import Table
from trader_pipeline.schema.columns import HORIZONS_SESSIONS
from trader_pipeline.schema.core import ORACLE
from trader_pipeline.schema.evaluation import BACKTEST, COVERAGE_CURVE, SCORECARD, SEGMENTS, SESSIONS, STRATEGY, TASKS
from trader_pipeline.schema.outputs import OUT_OF_FOLD
from trader_pipeline.schema.serving import DIVERSITY, ENSEMBLE_WEIGHTS
from trader_pipeline.schema.training import CALIBRATION
from trader_pipeline.settings import DecisionSettings, EnsembleSettings

CODE_VERSION = "4"
"""Rises when a formula of evaluation, ensembles or decisions changes."""

ENSEMBLE = "ensemble"
EVALUATED = (
    *(CALIBRATION, ENSEMBLE_WEIGHTS, DIVERSITY, SCORECARD, BACKTEST),
    *(SEGMENTS, STRATEGY, TASKS, SESSIONS, COVERAGE_CURVE),
)
"""What evaluate writes, all of it in one commit."""

_DEFAULTS = DecisionSettings()
_ENSEMBLE = EnsembleSettings()
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateOutcome:
    """Which model was judged; `changed` says whether this run wrote it."""

    model_id: str
    verdicts: dict[int, str]
    leak_alarms: tuple[str, ...]
    changed: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class Found:
    """The model to be judged, and only the labels that were known when it was trained."""

    run: dict[str, Any]
    grid: panel.Grid
    targets: pa.Table
    labels: dict[int, Labels]


@dataclass(frozen=True, kw_only=True, eq=False)
class Material(Found):
    """What is judged: one model's out-of-fold rows beside those labels."""

    ensemble: Ensemble
    settings: EnsembleSettings

    @property
    def members(self) -> list[str]:
        """Names of the members, ascending."""
        return sorted(self.ensemble.alone)

    def judged(self, model: str, horizon: int) -> Judged:
        """Return one member's, or the ensemble's, forecasts beside the labels; a member is judged as an ensemble of one."""
        method = self.settings.calibration
        if model != ENSEMBLE:
            return replace(judged_of(self.ensemble.alone[model], self.labels[horizon], self.grid), method=method)
        pool = judged_of(self.ensemble.pooled, self.labels[horizon], self.grid)
        return replace(pool, method=method, attainable=self.ensemble.attainable(horizon))

    @cached_property
    def outcomes(self) -> dict[tuple[str, int], Outcome]:
        """Calibrated forecasts of every model, the members first, and horizon."""
        models = (*self.members, ENSEMBLE)
        return {(model, horizon): outcome_of(self.judged(model, horizon)) for horizon in HORIZONS_SESSIONS for model in models}


def evaluate(
    lake: Lake, *, as_of: dt.datetime, run_id: str, decisions: DecisionSettings = _DEFAULTS, ensemble: EnsembleSettings = _ENSEMBLE
) -> EvaluateOutcome:
    """Calibrate and judge the newest model that existed at `as_of`; does nothing when neither forecasts nor labels changed.

    Raises `NoModelError` without a model, `InsufficientHistoryError` when its folds are too short to calibrate on.
    """
    return judge(lake, _newest(lake.snapshot(), as_of), run_id=run_id, decisions=decisions, ensemble=ensemble)


def is_current(snapshot: Snapshot, model_id: str) -> bool:
    """Say whether the model's calibration was fitted by the formulas of this code: others' slopes belong to other base rates."""
    rows = snapshot.sql("select distinct judged_by from training.calibration where model_id = ?", [model_id])
    return bool(rows["judged_by"].to_pylist() == [CODE_VERSION])


def judge(
    lake: Lake, run: Mapping[str, Any], *, run_id: str, decisions: DecisionSettings = _DEFAULTS, ensemble: EnsembleSettings = _ENSEMBLE
) -> EvaluateOutcome:
    """Calibrate and judge the model of this row of training.runs, as `evaluate` does the newest."""
    snapshot = lake.snapshot()
    found = _found(snapshot, run)
    inputs = _inputs_version(snapshot, found, decisions, ensemble)
    if any(snapshot.inputs(table) != inputs for table in EVALUATED):
        material = _material(snapshot, found, ensemble)
        rows = _judgement(snapshot, material, decisions)
        own = pa.table({"model_id": [material.run["model_id"]]})
        lake.publish(*(Change.replace_where(table, rows[table], own, inputs=inputs) for table in EVALUATED))
        outcome = _outcome(lake.snapshot(), material.run["model_id"], changed=True)
        _log.info("run %s judged model %s: %s", run_id, outcome.model_id, outcome.verdicts)
        return outcome
    return _outcome(snapshot, found.run["model_id"], changed=False)


def _newest(snapshot: Snapshot, as_of: dt.datetime) -> dict[str, Any]:
    runs: list[dict[str, Any]] = snapshot.sql(
        "select * from training.runs r where as_of <= ? and exists (select 1 from predictions.out_of_fold o where o.model_id = r.model_id) "
        "order by as_of desc, finished_at desc, model_id limit 1",
        [as_of],
    ).to_pylist()
    if not runs:
        raise NoModelError(
            f"no model trained on what was known at {as_of:%Y-%m-%d %H:%M} UTC has out-of-fold forecasts; train one: `trader run`"
        )
    return runs[0]


def _found(snapshot: Snapshot, run: Mapping[str, Any]) -> Found:
    targets = snapshot.sql(
        "select * from features.targets where session <= (select max(session) from core.accepted_bars where known_at <= ?)", [run["as_of"]]
    )
    grid = panel.Grid.of(targets)
    labels = {horizon: labels_of(targets, grid, horizon) for horizon in HORIZONS_SESSIONS}
    return Found(run=dict(run), grid=grid, targets=targets, labels=labels)


def _material(snapshot: Snapshot, found: Found, settings: EnsembleSettings) -> Material:
    model_id = found.run["model_id"]
    forecasts = snapshot.sql("select * from predictions.out_of_fold where model_id = ? and model <> ?", [model_id, ENSEMBLE])
    stamp = {"model_id": model_id, "known_at": found.run["as_of"]}
    ensemble = ensemble_of(forecasts=forecasts, targets=found.targets, labels=found.labels, grid=found.grid, settings=settings, stamp=stamp)
    return Material(run=found.run, grid=found.grid, targets=found.targets, labels=found.labels, ensemble=ensemble, settings=settings)


def _inputs_version(snapshot: Snapshot, material: Found, decisions: DecisionSettings, ensemble: EnsembleSettings) -> str:
    """Return what the judgement depends on. The labels count by value: a new day adds rows but none that the model is judged on.

    So do the benchmark's actions, which checks hold or repair, issuers and sectors. Every training that is begun deflates further.
    """
    digest = hashlib.sha256(decisions.model_dump_json().encode() + ensemble.model_dump_json().encode())
    for labels in material.labels.values():
        digest.update(labels.scaled_return_NT.tobytes())
        digest.update(labels.residual_rank_NT.tobytes())
    as_of = material.run["as_of"]
    if benchmark := benchmark_name(snapshot, as_of):
        digest.update(repr(snapshot.actions(as_of, benchmark).select(["session", "kind", "value"]).to_pylist()).encode())
    sectors = sectors_on(snapshot, as_of.date())
    issuers = issuers_of(snapshot, material.grid.tickers)
    digest.update(repr([issuers, [sectors.get(ticker) for ticker in material.grid.tickers], trials_ever(snapshot)]).encode())
    return f"{material.run['model_id']}:{snapshot.data_version([OUT_OF_FOLD, ORACLE])}:{digest.hexdigest()}:{CODE_VERSION}"


def _calibration(material: Material) -> pa.Table:
    found = {} if material.ensemble.single else dict(material.ensemble.calibrations)
    for horizon in HORIZONS_SESSIONS:
        judged = material.judged(ENSEMBLE, horizon)
        fitted = calibrations_of(judged)
        if SERVING_FOLD not in fitted:
            raise InsufficientHistoryError(
                f"model {material.run['model_id']}: no {horizon}-session label of its out-of-fold forecasts is known, so nothing "
                "can be calibrated; load a longer history and run `trader run`",
                needed=len(material.grid.sessions) + horizon,
                available=len(material.grid.sessions),
            )
        found |= {(fold, ENSEMBLE, horizon): one for fold, one in fitted.items()}
    rows = [_calibration_row(material, *key, one) for key, one in found.items()]
    return pa.Table.from_pylist(rows, schema=CALIBRATION.arrow_schema)


def _calibration_row(material: Material, fold: int, model: str, horizon: int, fitted: Calibration) -> dict[str, Any]:
    judged = material.judged(model, horizon)
    known_NT = judged.rows_NT if fold == SERVING_FOLD else judged.before_NT(fold)
    keys = {"model_id": material.run["model_id"], "fold": fold, "model": model, "horizon_sessions": horizon}
    facts = {"rows": int(known_NT.sum()), "known_at": material.run["as_of"], "judged_by": CODE_VERSION}
    return keys | fitted.to_row() | facts


def _judgement(snapshot: Snapshot, material: Material, decisions: DecisionSettings) -> dict[Table, pa.Table]:
    """Return the rows of every table that evaluate writes."""
    known = judgement.known_of(snapshot, material.targets, material.grid, as_of=material.run["as_of"])
    backtest, strategy = _strategy(snapshot, material, decisions)
    ensemble = {horizon: outcome for (model, horizon), outcome in material.outcomes.items() if model == ENSEMBLE}
    of_models = {
        SCORECARD: _scorecard(snapshot, material),
        SEGMENTS: judgement.segment_rows(material.outcomes, known),
        STRATEGY: strategy,
        TASKS: judgement.task_rows(ensemble, known, strategy),
        SESSIONS: judgement.session_rows(ensemble, material.grid),
        COVERAGE_CURVE: judgement.curve_rows(ensemble),
    }
    stamp = {"model_id": material.run["model_id"], "known_at": material.run["as_of"]}
    tables = {
        table: table.conform(pa.Table.from_pylist([row | stamp for row in rows], schema=table.arrow_schema))
        for table, rows in of_models.items()
    }
    weights = {ENSEMBLE_WEIGHTS: material.ensemble.weights, DIVERSITY: material.ensemble.diversity}
    return {CALIBRATION: _calibration(material), BACKTEST: backtest, **weights, **tables}


def _scorecard(snapshot: Snapshot, material: Material) -> list[dict[str, Any]]:
    rows = []
    oracle = {horizon: _oracle(snapshot, material, horizon) for horizon in HORIZONS_SESSIONS}
    for (model, horizon), outcome in material.outcomes.items():
        scored = scorecard.score_outcome(outcome, oracle_NT=oracle[horizon])
        if scored is not None:
            rows.append({"model": model, "horizon_sessions": horizon} | scored)
    return rows


def _oracle(snapshot: Snapshot, material: Material, horizon: int) -> Floats | None:
    rows = snapshot.sql("select ticker, session, expected_log_return from core.oracle where horizon_sessions = ?", [horizon])
    return panel.dense(rows, material.grid, "expected_log_return") if rows.num_rows else None


def _strategy(snapshot: Snapshot, material: Material, decisions: DecisionSettings) -> tuple[pa.Table, list[dict[str, Any]]]:
    """Return the ensemble's rows of evaluation.backtest, and those of evaluation.strategy."""
    features = portfolio_features(snapshot, material.grid)

    def paper(model: str, settings: DecisionSettings) -> pa.Table:
        judged = [material.outcomes[model, horizon].judged for horizon in HORIZONS_SESSIONS]
        return paper_portfolio(snapshot, features, material.targets, judged, material.grid, decisions=settings, as_of=material.run["as_of"])

    own = paper(ENSEMBLE, decisions)
    baseline = paper(ENSEMBLE, decisions.model_copy(update={"ml_weight": 0.0}))
    members = {member: paper(member, decisions) for member in material.members}
    model_id = material.run["model_id"]
    rows = strategy_rows(snapshot, model_id, own, baseline, members)
    return own.append_column("model_id", pa.array([model_id] * own.num_rows, pa.string())), rows


def _outcome(snapshot: Snapshot, model_id: str, *, changed: bool) -> EvaluateOutcome:
    rows = snapshot.sql(
        "select horizon_sessions h, verdict from evaluation.scorecard where model_id = ? and model = ? order by h", [model_id, ENSEMBLE]
    ).to_pylist()
    return EvaluateOutcome(
        model_id=model_id,
        verdicts={row["h"]: row["verdict"] for row in rows},
        leak_alarms=tuple(leak_alarms(snapshot, model_id)),
        changed=changed,
    )
