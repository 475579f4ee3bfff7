"""What is made for each session: predictions, decisions, why, what changed, the paper log, the report."""

import datetime as dt

import dagster as dg

from trader_pipeline.defs.forced import record
from trader_pipeline.defs.metadata import records, table_result, table_spec
from trader_pipeline.defs.partitions import SESSIONS
from trader_pipeline.defs.resources import RunOptions, Trader, as_of
from trader_pipeline.features import PANEL
from trader_pipeline.flows.changes import tell_changes
from trader_pipeline.flows.decide import decide
from trader_pipeline.flows.drift import drift
from trader_pipeline.flows.explain import explain
from trader_pipeline.flows.paper_log import keep_paper_log
from trader_pipeline.flows.predict import predict
from trader_pipeline.flows.report import report
from trader_pipeline.schema import core, features, outputs, predicted, serving
from trader_pipeline.schema.evaluation import BACKTEST, SCORECARD
from trader_pipeline.schema.training import CALIBRATION, RUNS

REPORT_KEY = dg.AssetKey(["reports", "daily"])


def _session(context: dg.AssetExecutionContext) -> dt.date:
    return dt.date.fromisoformat(context.partition_key)


@dg.multi_asset(
    name="predictions",
    specs=[
        table_spec(
            outputs.DAILY,
            group="daily",
            deps=[PANEL, RUNS, CALIBRATION, serving.ENSEMBLE_WEIGHTS, serving.PROMOTIONS],
        )
    ],
    partitions_def=SESSIONS,
)
def predictions(context: dg.AssetExecutionContext, trader: dg.ResourceParam[Trader], options: RunOptions) -> dg.MaterializeResult:
    """Forecast every ticker of the session at every horizon."""
    outcome = predict(
        trader.lake,
        trader.settings,
        session=_session(context),
        as_of=as_of(context, trader, options),
        made_at=dt.datetime.now(dt.UTC),
        run_id=context.run.run_id,
        force=options.force,
    )
    shown = {"rows": outcome.rows, "abstained": outcome.abstained, "model_id": outcome.model_id, "kept": outcome.kept}
    return table_result(trader.lake.snapshot(), outputs.DAILY, shown | record(context, map(str, outcome.forced)))


@dg.multi_asset(
    name="decisions", specs=[table_spec(outputs.DECISIONS, group="daily", deps=[outputs.DAILY, PANEL])], partitions_def=SESSIONS
)
def decisions(context: dg.AssetExecutionContext, trader: dg.ResourceParam[Trader], options: RunOptions) -> dg.MaterializeResult:
    """Blend momentum and ML, size, limit."""
    session = _session(context)
    made_at, run_id = dt.datetime.now(dt.UTC), context.run.run_id
    decide(trader.lake, trader.settings, session=session, made_at=made_at, run_id=run_id, force=options.force)
    snapshot = trader.lake.snapshot()
    rows = snapshot.sql(
        "select rank, ticker, action, target_weight, score, reasons from decisions.daily where session = ? order by rank", [session]
    )
    return table_result(snapshot, outputs.DECISIONS, {"decisions": records(rows)})


@dg.multi_asset(name="drifted", specs=[table_spec(serving.DRIFT, group="daily", deps=[outputs.DAILY, PANEL])], partitions_def=SESSIONS)
def drifted(context: dg.AssetExecutionContext, trader: dg.ResourceParam[Trader]) -> dg.MaterializeResult:
    """Measure whether the serving model still lives in the market that it was trained on."""
    outcome = drift(trader.lake, trader.settings, session=_session(context), run_id=context.run.run_id)
    return table_result(trader.lake.snapshot(), serving.DRIFT, {"model_id": str(outcome.model_id), "alarms": list(outcome.alarms)})


@dg.multi_asset(
    name="explanations",
    specs=[table_spec(predicted.EXPLANATIONS, group="daily", deps=[outputs.DAILY, outputs.DECISIONS, PANEL])],
    partitions_def=SESSIONS,
)
def explanations(context: dg.AssetExecutionContext, trader: dg.ResourceParam[Trader]) -> dg.MaterializeResult:
    """Take the session's scores apart."""
    made_at = dt.datetime.now(dt.UTC)
    outcome = explain(trader.lake, trader.settings, session=_session(context), made_at=made_at, run_id=context.run.run_id)
    shown = {"explained_tickers": outcome.tickers, "predicted_tickers": outcome.listed, "largest_error_z": outcome.largest_error}
    return table_result(trader.lake.snapshot(), predicted.EXPLANATIONS, shown)


@dg.multi_asset(
    name="prediction_changes",
    specs=[table_spec(predicted.CHANGES, group="daily", deps=[outputs.DAILY, PANEL, RUNS])],
    partitions_def=SESSIONS,
)
def prediction_changes(context: dg.AssetExecutionContext, trader: dg.ResourceParam[Trader]) -> dg.MaterializeResult:
    """Say what changed since the session before, put down to data, model or price."""
    made_at = dt.datetime.now(dt.UTC)
    outcome = tell_changes(trader.lake, trader.settings, session=_session(context), made_at=made_at, run_id=context.run.run_id)
    shown = {"since": str(outcome.previous), "kinds": outcome.kinds, "causes": outcome.causes}
    return table_result(trader.lake.snapshot(), predicted.CHANGES, shown)


_LOGGED_FROM = [outputs.DAILY, features.TARGETS, core.ACCEPTED_BARS, core.CORPORATE_ACTIONS, core.TICKER_MAP]


@dg.multi_asset(
    name="paper_log",
    specs=[table_spec(predicted.PAPER_LOG, group="daily", deps=_LOGGED_FROM)],
    partitions_def=SESSIONS,
)
def paper_log(context: dg.AssetExecutionContext, trader: dg.ResourceParam[Trader], options: RunOptions) -> dg.MaterializeResult:
    """Log the predictions whose horizon has ended."""
    outcome = keep_paper_log(
        trader.lake,
        as_of=as_of(context, trader, options),
        logged_at=dt.datetime.now(dt.UTC),
        run_id=context.run.run_id,
        settings=trader.settings.paper,
    )
    counts = ("added", "ended", "waiting", "without_outcome")
    return table_result(trader.lake.snapshot(), predicted.PAPER_LOG, {name: getattr(outcome, name) for name in counts})


@dg.asset(
    key=REPORT_KEY,
    group_name="daily",
    deps=[dg.AssetKey(list(t.path)) for t in (outputs.DECISIONS, outputs.DAILY, SCORECARD, BACKTEST)],
    partitions_def=SESSIONS,
    kinds={"html"},
    description="One self-contained HTML a session: summary, limitations, methodology, scenarios, risk, comparison, sources.",
)
def session_report(context: dg.AssetExecutionContext, trader: dg.ResourceParam[Trader]) -> dg.MaterializeResult:
    """Write the session's report."""
    path = report(trader.lake, trader.settings, session=_session(context), made_at=dt.datetime.now(dt.UTC))
    return dg.MaterializeResult(metadata={"report": dg.MetadataValue.path(str(path))})


ASSETS = [predictions, decisions, explanations, prediction_changes, paper_log, drifted, session_report]
