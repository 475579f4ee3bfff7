"""Training in a child process, and the scores and calibration of what it made."""

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
from dagster._core.errors import DagsterPipesExecutionError

from trader_pipeline.champion import PROMOTED
from trader_pipeline.defs.forced import record
from trader_pipeline.defs.metadata import records, table_result, table_spec
from trader_pipeline.defs.resources import RunOptions, Trader, as_of
from trader_pipeline.defs.training_child import ERROR_FILE
from trader_pipeline.errors import PreflightError, TrainingError, TrainingStoppedError
from trader_pipeline.features import PANEL
from trader_pipeline.flows import train
from trader_pipeline.flows.evaluate import EVALUATED, evaluate
from trader_pipeline.flows.promotion import consider
from trader_pipeline.operations.memory import PeakMemory
from trader_pipeline.revision import git_revision
from trader_pipeline.schema import outputs, serving
from trader_pipeline.schema.evaluation import SCORECARD
from trader_pipeline.schema.features import TARGETS
from trader_pipeline.schema.training import ATTEMPTS, CALIBRATION, CURVES, IMPORTANCE, RUNS, TRIALS
from trader_pipeline.training import launch
from trader_pipeline.training.devices import require_devices
from trader_pipeline.training.request import TrainingRequest

TRAINED = (
    RUNS,
    ATTEMPTS,
    TRIALS,
    CURVES,
    IMPORTANCE,
    outputs.OUT_OF_FOLD,
)


class TrainOptions(dg.Config):
    """What the Launchpad may say of one training run; empty is the setting. `resume` names a model that was cut short, by its id.

    `skip_preflight` goes on where a preflight check fails; the run record then says which.
    """

    recipe: str = ""
    seed: int | None = None
    resume: str = ""
    profile: bool = False
    devices: int = 1
    skip_preflight: bool = False


@dg.multi_asset(name="trained", specs=[table_spec(t, group="training", deps=[PANEL, TARGETS]) for t in TRAINED], pool="gpu")
def trained(
    context: dg.AssetExecutionContext,
    trader: dg.ResourceParam[Trader],
    options: RunOptions,
    config: TrainOptions,
    pipes: dg.ResourceParam[dg.PipesSubprocessClient],
) -> Iterator[dg.MaterializeResult]:
    """Fit every member of the recipe, walk-forward and finally, in a process of its own. What was cut short goes on."""
    require_devices(config.devices)
    request = _request(context, trader, options, config)
    forced = record(context, request.forced)
    command = launch.command("trader_pipeline.defs.training_child", [str(request.path)], launch.Launch(devices=config.devices))
    said = request.folder / ERROR_FILE
    said.unlink(missing_ok=True)
    with train.attempt(trader.lake, request, clock=_now), PeakMemory() as memory:
        try:
            pipes.run(context=context.op_execution_context, command=command)
        except DagsterPipesExecutionError as error:
            raise (left(said) if said.exists() else ended(str(error), memory.peak_mb)) from error
        train.publish(trader.lake, request, finished_at=_now())
    snapshot = trader.lake.snapshot()
    for table in TRAINED:
        yield table_result(snapshot, table, {"model_id": request.model_id, **forced})


def left(said: Path) -> TrainingError:
    """Return the error that the trainer wrote down."""
    facts = json.loads(said.read_bytes())
    return PreflightError(facts["check"], facts["fact"], final=facts["final"]) if "check" in facts else TrainingError(facts["said"])


def ended(error: str, peak_mb: float) -> TrainingError:
    """Return what became of a trainer that left no word of its own, by the exit status in Dagster's message."""
    if "code 75" in error:
        return TrainingStoppedError("training was asked to stop and saved where it was; launch it again to go on")
    who = "training was killed with signal 9," if "code -9" in error else "a rank died again and again (the log has its status; -9 is)"
    if "code -9" in error or f"code {launch.CRASHED}" in error:
        return TrainingError(
            f"{who} most often for memory: run and trainer held {peak_mb:,.0f} MB together at most; "
            "launch it again to go on, or take a smaller recipe or fewer tickers"
        )
    return TrainingError(f"training ended without a word: {error}; see the log above")


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def _request(context: dg.AssetExecutionContext, trader: Trader, options: RunOptions, config: TrainOptions) -> TrainingRequest:
    settings, models_dir = trader.settings, trader.settings.dataset_home / "models"
    if config.resume:
        return train.resume(
            trader.lake,
            models_dir=models_dir,
            model_id=config.resume,
            run_id=context.run.run_id,
            skip_preflight=config.skip_preflight,
        )
    return train.prepare(
        trader.lake,
        models_dir=models_dir,
        recipe=config.recipe or settings.recipe,
        seed=settings.seed if config.seed is None else config.seed,
        as_of=as_of(context, trader, options),
        run_id=context.run.run_id,
        git_revision=git_revision(),
        checks=settings.checks,
        force=options.force,
        profile=config.profile,
        skip_preflight=config.skip_preflight,
    )


@dg.multi_asset(name="evaluated", specs=[table_spec(t, group="training", deps=[outputs.OUT_OF_FOLD, TARGETS]) for t in EVALUATED])
def evaluated(context: dg.AssetExecutionContext, trader: dg.ResourceParam[Trader], options: RunOptions) -> Iterator[dg.MaterializeResult]:
    """Score what was predicted out of fold and fit the calibration that serves."""
    moment = as_of(context, trader, options)
    evaluate(trader.lake, as_of=moment, run_id=context.run.run_id, decisions=trader.settings.decisions, ensemble=trader.settings.ensemble)
    snapshot = trader.lake.snapshot()
    verdicts = snapshot.sql(
        "select model, horizon_sessions, verdict from evaluation.scorecard order by known_at desc, model, horizon_sessions"
    )
    alike = snapshot.sql("select * from training.diversity where model <> other order by known_at desc, horizon_sessions, model, other")
    shown = {SCORECARD: {"verdicts": records(verdicts)}, serving.DIVERSITY: {"correlations": records(alike)}}
    for table in EVALUATED:
        yield table_result(snapshot, table, shown.get(table))


@dg.multi_asset(
    name="promotion",
    specs=[table_spec(serving.PROMOTIONS, group="training", deps=[CALIBRATION, serving.ENSEMBLE_WEIGHTS, SCORECARD])],
)
def promoted(context: dg.AssetExecutionContext, trader: dg.ResourceParam[Trader], options: RunOptions) -> dg.MaterializeResult:
    """Let the newest model serve where it is better than the one that does."""
    moment = as_of(context, trader, options)
    row = consider(trader.lake, as_of=moment, decided_at=dt.datetime.now(dt.UTC), run_id=context.run.run_id)
    return table_result(trader.lake.snapshot(), serving.PROMOTIONS, {name: row[name] for name in ("model_id", "action", "serves", "why")})


@dg.asset_check(
    asset=dg.AssetKey(list(serving.PROMOTIONS.path)),
    name="promotion_gate",
    description="The newest model rings no leak alarm and is better than the champion where both forecast; else that one goes on.",
)
def promotion_gate(trader: dg.ResourceParam[Trader]) -> dg.AssetCheckResult:
    """Say what became of the model that was decided on last."""
    rows = trader.lake.snapshot().sql("select * from evaluation.promotions order by decided_at desc, model_id limit 1").to_pylist()
    row = rows[0] if rows else {"action": "nothing decided yet"}
    shown = ("model_id", "action", "serves", "replaced", "gain", "why", "who")
    return dg.AssetCheckResult(
        passed=row["action"] == PROMOTED,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={name: row[name] for name in shown if row.get(name) is not None},
    )


ASSETS = [trained, evaluated, promoted]
CHECKS_DEFS = [promotion_gate]
