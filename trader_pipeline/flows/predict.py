"""features.panel and a trained model -> predictions.daily and its export, one session at a time."""

import datetime as dt
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from trader_pipeline import calendar
from trader_pipeline.champion import serving_run
from trader_pipeline.errors import NoModelError
from trader_pipeline.features import PANEL
from trader_pipeline.flows import evaluate, gate
from trader_pipeline.flows.ahead import earnings_inside, ex_dividend_inside
from trader_pipeline.flows.contracts import require_kept
from trader_pipeline.flows.gate import Block
from trader_pipeline.flows.served import Served, served
from trader_pipeline.flows.serving import EXCHANGE, entered, require_fresh, served_calibrations
from trader_pipeline.inference import export
from trader_pipeline.inference import predict as inference
from trader_pipeline.inference.forecast import novelty_of_last_session
from trader_pipeline.lake import Change, Lake, Snapshot
from trader_pipeline.models.calibrate import memory_sessions, shrunk_rate
from trader_pipeline.models.novelty import load_novelty
from trader_pipeline.schema.columns import HORIZONS_SESSIONS
from trader_pipeline.schema.contracts import PREDICTIONS
from trader_pipeline.schema.core import CORPORATE_ACTIONS, EARNINGS, SECTORS
from trader_pipeline.schema.features import TARGETS
from trader_pipeline.schema.outputs import DAILY
from trader_pipeline.schema.serving import ENSEMBLE_WEIGHTS
from trader_pipeline.schema.training import CALIBRATION
from trader_pipeline.settings import Settings

_INPUTS = (PANEL, TARGETS, SECTORS, CALIBRATION, ENSEMBLE_WEIGHTS, EARNINGS, CORPORATE_ACTIONS)
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictOutcome:
    """What predictions.daily holds of the session; `changed` says whether this run wrote it.

    `kept` says that its entry is over, so that what was published stands, whatever model and data are now.
    """

    rows: int
    model_id: str
    abstained: int
    changed: bool
    export: Path
    kept: bool = False
    forced: tuple[Block, ...] = ()
    """What blocked it and was overridden."""


def is_due(lake: Lake, settings: Settings, *, session: dt.date, as_of: dt.datetime, now: dt.datetime, force: bool = False) -> bool:
    """Say whether the session has no prediction, or no whole export, of the model and data current at `as_of`; True without a model.

    Once its entry is over at `now`, a prediction of any model and data will do, unless it is forced.
    """
    snapshot = lake.snapshot()
    rows = _standing(snapshot, session, now, force=force)
    if not rows.num_rows:
        try:
            run = serving_run(snapshot, session, as_of)
        except NoModelError:
            return True
        if not evaluate.is_current(snapshot, run["model_id"]):
            return True
        rows = _published(snapshot, session, run["model_id"])
    return not (rows.num_rows and export.is_current(settings.dataset_home / "exports", rows))


def predict(
    lake: Lake, settings: Settings, *, session: dt.date, as_of: dt.datetime, made_at: dt.datetime, run_id: str, force: bool = False
) -> PredictOutcome:
    """Forecast every ticker of the session at every horizon, publish, and write the export; only mends the export when up to date.

    What was published of a session whose entry is over at `made_at` stays: made again it would be hindsight. `force` makes it anew.
    A model that was judged by older formulas is judged again first.

    Raises `NoModelError` without a usable model, `BlockedByDataError` when the last checks failed, when the session's features are
    missing or stale, when the model tells no ticker apart or when the rows break what consumers were promised. `force` goes on after
    failed checks and with some of the tickers, and quality.findings says of the session what was overridden.
    """
    snapshot = lake.snapshot()
    rows = _standing(snapshot, session, made_at, force=force)
    kept = bool(rows.num_rows)
    forced: tuple[Block, ...] = ()
    changed = False
    if not kept:
        run = serving_run(snapshot, session, as_of)
        if not evaluate.is_current(snapshot, run["model_id"]):
            evaluate.judge(lake, run, run_id=run_id, decisions=settings.decisions, ensemble=settings.ensemble)
            snapshot = lake.snapshot()
        rows = _published(snapshot, session, run["model_id"])
        changed = not rows.num_rows
    if changed:
        forced = gate.require(gate.failed_checks(snapshot), what=f"predicting {session}", force=force)
        forced += require_fresh(snapshot, session, settings.checks, force=force)
        stamp = inference.Stamp(model_id=run["model_id"], data_version=data_version(snapshot), made_at=made_at, run_id=run_id)
        rows = forecast_rows(snapshot, settings, served(snapshot, settings.dataset_home / "models", session, run), stamp)
        require_kept(PREDICTIONS, session, rows)
        lake.publish(Change.upsert(DAILY, rows, by=("session",)), gate.forced_session(forced, session=session, as_of=as_of, run_id=run_id))
    folder = settings.dataset_home / "exports"
    if not export.is_current(folder, rows):
        export.write_export(folder, rows, as_of=as_of)
    abstained, model_id = sum(rows["abstained"].to_pylist()), rows["model_id"][0].as_py()
    _log.info("run %s: %d predictions of %s by model %s, %d abstained", run_id, rows.num_rows, session, model_id, abstained)
    if kept:
        _log.info("run %s: the entry of %s is over: what was published stays; --force makes it anew, in hindsight", run_id, session)
    path, _ = export.export_paths(folder, session)
    return PredictOutcome(
        rows=rows.num_rows, model_id=model_id, abstained=abstained, changed=changed, export=path, kept=kept, forced=forced
    )


def data_version(snapshot: Snapshot) -> str:
    """Return the version of everything that a forecast reads."""
    return snapshot.data_version(_INPUTS)


def published_rows(snapshot: Snapshot, session: dt.date) -> pa.Table:
    """Return the session's rows of predictions.daily. Raises `NoModelError` where there are none."""
    rows = _rows(snapshot, session)
    if not rows.num_rows:
        snapshot.require(DAILY)
        raise NoModelError(f"predictions.daily has no row of {session}; run `trader predict --session {session}`")
    return rows


def _rows(snapshot: Snapshot, session: dt.date) -> pa.Table:
    return DAILY.conform(snapshot.sql("select * from predictions.daily where session = ? order by ticker, horizon_sessions", [session]))


def _standing(snapshot: Snapshot, session: dt.date, at: dt.datetime, *, force: bool) -> pa.Table:
    """Return the session's rows, of whatever model and data, where its entry is over at `at` and nobody forces them; else none."""
    return DAILY.empty() if force or not entered(session, at) else _rows(snapshot, session)


def _published(snapshot: Snapshot, session: dt.date, model_id: str) -> pa.Table:
    """Return the session's rows when they are of this model and of the data as it is now, else none."""
    rows = snapshot.sql(
        "select * from predictions.daily where session = ? and model_id = ? and data_version = ? order by ticker, horizon_sessions",
        [session, model_id, data_version(snapshot)],
    )
    return DAILY.conform(rows)


def forecast_rows(snapshot: Snapshot, settings: Settings, model: Served, stamp: inference.Stamp) -> pa.Table:
    """Return rows of predictions.daily that the model makes of its session."""
    known = _known(snapshot, model, novelty_of_last_session(load_novelty(model.folder), model.features))
    abstention = inference.Abstention(confidence=settings.decisions.abstain_confidence, novelty=settings.decisions.abstain_novelty)
    return inference.daily_rows(model.ensemble, served_calibrations(snapshot, stamp.model_id, model.session), known, abstention, stamp)


def _known(snapshot: Snapshot, model: Served, novelty: Mapping[str, float]) -> inference.Known:
    """Return what stands beside the forecasts: volatility, rates from labels that had ended by the session, what is announced."""
    session = model.session
    days = snapshot.sql(
        "select distinct session from features.targets where session <= $session order by 1 desc limit $most",
        {"session": session, "most": max(h + memory_sessions(h) for h in HORIZONS_SESSIONS) + 1},
    )["session"].to_pylist()
    ended = {h: days[h] if len(days) > h else None for h in HORIZONS_SESSIONS}
    before = {h: h + memory_sessions(h) for h in HORIZONS_SESSIONS}
    forgotten = {h: days[n] if len(days) > n else dt.date.min for h, n in before.items()}
    counts = ", ".join(
        f"count(forward_return_{h}d) filter (session > $forgotten_{h} and session <= $ended_{h}) as labels_{h}, "
        f"count(*) filter (session > $forgotten_{h} and session <= $ended_{h} and forward_return_{h}d > 0) as ups_{h}"
        for h in HORIZONS_SESSIONS
    )
    cutoffs = {f"{name}_{h}": day for name, each in (("ended", ended), ("forgotten", forgotten)) for h, day in each.items()}
    tickers = snapshot.sql(
        f"select ticker, max(volatility_daily) filter (session = $session) as volatility_daily, {counts} "  # noqa: S608 - names are constants
        "from features.targets where session <= $session group by ticker order by ticker",
        {"session": session} | cutoffs,
    )
    names = tickers["ticker"].to_pylist()
    base_rate: dict[tuple[str, int], float] = {}
    for h in HORIZONS_SESSIONS:
        ups_N, labels_N = (tickers[f"{what}_{h}"].to_numpy().astype(np.float64) for what in ("ups", "labels"))
        rate_N = shrunk_rate(ups_N, labels_N, h)
        base_rate |= {(ticker, h): rate for ticker, rate in zip(names, rate_N.tolist(), strict=True)}
    close = calendar.known_at(EXCHANGE, session)
    return inference.Known(
        volatility_daily={k: np.nan if v is None else v for k, v in zip(names, tickers["volatility_daily"].to_pylist(), strict=True)},
        base_rate=base_rate,
        novelty=dict(novelty),
        benchmark_mean={h: _benchmark_mean(snapshot, h, day) for h, day in ended.items()},
        sectors=model.sectors,
        earnings_inside=earnings_inside(snapshot, session, close),
        ex_dividend_inside=ex_dividend_inside(snapshot, session, close),
    )


def _benchmark_mean(snapshot: Snapshot, horizon: int, ended: dt.date | None) -> float:
    """Return the mean of the benchmark's returns over `horizon` from sessions up to `ended`; NaN where there is none."""
    rows = snapshot.sql(
        f"select max(benchmark_return_{horizon}d) as value from features.targets where session <= ? group by session order by session",  # noqa: S608 - a constant
        [ended],
    )
    values = rows["value"].drop_null().to_numpy()
    return float(values.mean()) if len(values) else np.nan
