"""features.panel and a trained model -> predictions.daily and its export, one session at a time."""

import datetime as dt
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trader_pipeline import panel
from trader_pipeline.errors import BlockedByDataError, CorruptPartError, NoModelError
from trader_pipeline.features import PANEL
from trader_pipeline.flows import gate
from trader_pipeline.flows.champion import serving_run
from trader_pipeline.flows.contracts import require_kept
from trader_pipeline.flows.gate import Block
from trader_pipeline.flows.pooled import pooled_of_session
from trader_pipeline.flows.serving import calibrations_of, require_fresh, usual_spread
from trader_pipeline.flows.train import sectors_on
from trader_pipeline.inference import export
from trader_pipeline.inference import predict as inference
from trader_pipeline.inference.dispersion import flat_cause, flat_horizons
from trader_pipeline.inference.forecast import forecast_last_session, novelty_of_last_session
from trader_pipeline.lake import Change, Lake, Snapshot
from trader_pipeline.models import checkpoint
from trader_pipeline.models.calibrate import trailing_base_rate
from trader_pipeline.models.novelty import load_novelty
from trader_pipeline.schema.columns import HORIZONS_SESSIONS
from trader_pipeline.schema.contracts import PREDICTIONS
from trader_pipeline.schema.core import SECTORS
from trader_pipeline.schema.features import TARGETS
from trader_pipeline.schema.outputs import CALIBRATION, DAILY
from trader_pipeline.schema.serving import ENSEMBLE_WEIGHTS
from trader_pipeline.settings import Settings

_INPUTS = (PANEL, TARGETS, SECTORS, CALIBRATION, ENSEMBLE_WEIGHTS)
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictOutcome:
    """What predictions.daily holds of the session; `changed` says whether this run wrote it."""

    rows: int
    model_id: str
    abstained: int
    changed: bool
    export: Path
    forced: tuple[Block, ...] = ()
    """What blocked it and was overridden."""


def is_due(lake: Lake, *, session: dt.date, as_of: dt.datetime) -> bool:
    """Say whether the session has no prediction of the model and data that are current at `as_of`; True without a model."""
    snapshot = lake.snapshot()
    try:
        run = serving_run(snapshot, session, as_of)
    except NoModelError:
        return True
    return not _published(snapshot, session, run["model_id"]).num_rows


def predict(
    lake: Lake, settings: Settings, *, session: dt.date, as_of: dt.datetime, made_at: dt.datetime, run_id: str, force: bool = False
) -> PredictOutcome:
    """Forecast every ticker of the session at every horizon, publish, and write the export; only mends the export when up to date.

    Raises `NoModelError` without a usable model, `BlockedByDataError` when the last checks failed, when the session's features are
    missing or stale, when the model tells no ticker apart or when the rows break what consumers were promised. `force` goes on after
    failed checks and with some of the tickers, and quality.findings says of the session what was overridden.
    """
    snapshot = lake.snapshot()
    run = serving_run(snapshot, session, as_of)
    rows = _published(snapshot, session, run["model_id"])
    changed = not rows.num_rows
    forced: tuple[Block, ...] = ()
    if changed:
        forced = gate.require(gate.failed_checks(snapshot), what=f"predicting {session}", force=force)
        forced += require_fresh(snapshot, session, settings.checks, force=force)
        stamp = inference.Stamp(model_id=run["model_id"], data_version=_data_version(snapshot), made_at=made_at, run_id=run_id)
        rows = _forecast(snapshot, settings, session, run, stamp)
        require_kept(PREDICTIONS, session, rows)
        lake.publish(Change.upsert(DAILY, rows, by=("session",)), gate.forced_session(forced, session=session, as_of=as_of, run_id=run_id))
    folder = settings.dataset_home / "exports"
    if not export.is_current(folder, session, model_id=run["model_id"], data_version=_data_version(snapshot)):
        export.write_export(folder, rows, session=session, as_of=as_of)
    abstained = sum(rows["abstained"].to_pylist())
    _log.info("run %s: %d predictions of %s by model %s, %d abstained", run_id, rows.num_rows, session, run["model_id"], abstained)
    path, _ = export.export_paths(folder, session)
    return PredictOutcome(rows=rows.num_rows, model_id=run["model_id"], abstained=abstained, changed=changed, export=path, forced=forced)


def _data_version(snapshot: Snapshot) -> str:
    return snapshot.data_version(_INPUTS)


def _published(snapshot: Snapshot, session: dt.date, model_id: str) -> pa.Table:
    """Return the session's rows when they are of this model and of the data as it is now, else none."""
    rows = snapshot.sql(
        "select * from predictions.daily where session = ? and model_id = ? and data_version = ? order by ticker, horizon_sessions",
        [session, model_id, _data_version(snapshot)],
    )
    return DAILY.conform(rows)


def _forecast(snapshot: Snapshot, settings: Settings, session: dt.date, run: Mapping[str, Any], stamp: inference.Stamp) -> pa.Table:
    folder = settings.dataset_home / "models" / run["folder"]
    if checkpoint.verify(folder) != run["manifest_sha256"]:
        raise CorruptPartError(f"{folder / checkpoint.MANIFEST} is not the one that training.runs names; restore the folder or train again")
    members = checkpoint.load_members(folder)
    features = snapshot.sql(
        "select * from features.panel where session in "
        "(select distinct session from features.panel where session <= $session order by session desc limit $context) "
        "order by ticker, session",
        {"session": session, "context": max(member.context_sessions for member in members)},
    )
    forecasts = forecast_last_session(members, features, sectors_on(snapshot, session))
    usual = usual_spread(snapshot, run["model_id"])
    if flat := flat_horizons(forecasts, usual):
        today = features.filter(pc.equal(features["session"], session))
        raise BlockedByDataError(
            f"model {run['model_id']} gives every ticker the same score on {session}, or nearly, at {flat} sessions ahead: "
            f"{flat_cause(flat, usual, members, today)}"
        )
    ensemble = pooled_of_session(snapshot, forecasts, session, run["model_id"])
    known = _known(snapshot, session, novelty_of_last_session(load_novelty(folder), features))
    abstention = inference.Abstention(confidence=settings.decisions.abstain_confidence, novelty=settings.decisions.abstain_novelty)
    return inference.daily_rows(ensemble, calibrations_of(snapshot, run["model_id"], session), known, abstention, stamp)


def _known(snapshot: Snapshot, session: dt.date, novelty: Mapping[str, float]) -> inference.Known:
    """Return volatility and base rates from labels that had ended by the session."""
    labels = ", ".join(f"forward_return_{horizon}d" for horizon in HORIZONS_SESSIONS)
    targets = snapshot.sql(
        f"select ticker, session, volatility_daily, {labels} from features.targets where session <= ?",  # noqa: S608 - names are constants
        [session],
    )
    grid = panel.Grid.of(targets)
    base_rate: dict[tuple[str, int], float] = {}
    for horizon in HORIZONS_SESSIONS:
        forward = panel.dense(targets, grid, f"forward_return_{horizon}d")
        rate_NT = trailing_base_rate(np.where(np.isfinite(forward), forward > 0, np.nan), horizon)
        base_rate |= {(ticker, horizon): float(rate) for ticker, rate in zip(grid.tickers, rate_NT[:, -1], strict=True)}
    volatility = panel.dense(targets, grid, "volatility_daily")[:, -1]
    return inference.Known(
        volatility_daily=dict(zip(grid.tickers, volatility.tolist(), strict=True)), base_rate=base_rate, novelty=dict(novelty)
    )
