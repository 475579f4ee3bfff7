"""Training in a child process, and the scores and calibration of what it made."""

import datetime as dt
from collections.abc import Iterator

import dagster as dg
from dagster._core.errors import DagsterPipesExecutionError

from trader_pipeline.defs.forced import record
from trader_pipeline.defs.metadata import records, table_result, table_spec
from trader_pipeline.defs.resources import RunOptions, Trader, as_of
from trader_pipeline.defs.training_child import ERROR_FILE
from trader_pipeline.errors import TrainingError
from trader_pipeline.features import PANEL
from trader_pipeline.flows import train
from trader_pipeline.flows.evaluate import evaluate
from trader_pipeline.schema import outputs
from trader_pipeline.schema.features import TARGETS
from trader_pipeline.training import launch

TRAINED = (outputs.RUNS, outputs.TRIALS, outputs.CURVES, outputs.OUT_OF_FOLD)
EVALUATED = (outputs.CALIBRATION, outputs.SCORECARD, outputs.BACKTEST)


class TrainOptions(dg.Config):
    """What the Launchpad may say of one training run; empty is the setting."""

    recipe: str = ""
    seed: int | None = None
    devices: int = 1


@dg.multi_asset(name="trained", specs=[table_spec(t, group="training", deps=[PANEL, TARGETS]) for t in TRAINED], pool="gpu")
def trained(
    context: dg.AssetExecutionContext,
    trader: dg.ResourceParam[Trader],
    options: RunOptions,
    config: TrainOptions,
    pipes: dg.ResourceParam[dg.PipesSubprocessClient],
) -> Iterator[dg.MaterializeResult]:
    """Fit every member of the recipe, walk-forward and finally, in a process of its own."""
    settings = trader.settings
    request = train.prepare(
        trader.lake,
        models_dir=settings.dataset_home / "models",
        recipe=config.recipe or settings.recipe,
        seed=settings.seed if config.seed is None else config.seed,
        as_of=as_of(context, trader, options),
        run_id=context.run.run_id,
        checks=settings.checks,
        force=options.force,
    )
    forced = record(context, request.forced)
    command = launch.command("trader_pipeline.defs.training_child", [str(request.path)], launch.Launch(devices=config.devices))
    try:
        pipes.run(context=context.op_execution_context, command=command)
    except DagsterPipesExecutionError as error:
        said = request.folder / ERROR_FILE
        raise TrainingError(said.read_text() if said.exists() else f"training ended without a word: {error}; see the log above") from error
    train.publish(trader.lake, request, finished_at=dt.datetime.now(dt.UTC))
    snapshot = trader.lake.snapshot()
    for table in TRAINED:
        yield table_result(snapshot, table, {"model_id": request.model_id, **forced})


@dg.multi_asset(name="evaluated", specs=[table_spec(t, group="training", deps=[outputs.OUT_OF_FOLD, TARGETS]) for t in EVALUATED])
def evaluated(context: dg.AssetExecutionContext, trader: dg.ResourceParam[Trader], options: RunOptions) -> Iterator[dg.MaterializeResult]:
    """Score what was predicted out of fold and fit the calibration that serves."""
    moment = as_of(context, trader, options)
    evaluate(trader.lake, as_of=moment, run_id=context.run.run_id, decisions=trader.settings.decisions)
    snapshot = trader.lake.snapshot()
    verdicts = snapshot.sql(
        "select model, horizon_sessions, verdict from evaluation.scorecard order by known_at desc, model, horizon_sessions"
    )
    for table in EVALUATED:
        yield table_result(snapshot, table, {"verdicts": records(verdicts)} if table is outputs.SCORECARD else None)


ASSETS = [trained, evaluated]
