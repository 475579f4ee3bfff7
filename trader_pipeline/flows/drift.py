"""Whether the serving model still lives in the market that it was trained on: features, results, and what it expects of itself."""

import datetime as dt
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from trader_pipeline import measures, panel
from trader_pipeline.errors import CorruptPartError
from trader_pipeline.flows.serving import in_time
from trader_pipeline.inference.forecast import feature_array
from trader_pipeline.lake import Change, Lake, Snapshot
from trader_pipeline.models.drift import WINDOW_SESSIONS, load_bins
from trader_pipeline.schema.columns import HORIZONS_SESSIONS
from trader_pipeline.schema.serving import DRIFT
from trader_pipeline.settings import Settings

FEATURES, FEATURE, LIVE_IC, EXPECTED = "features", "feature", "rank_ic", "expected_accuracy"
FEWEST_WINDOWS = 20
"""Non-overlapping windows under which live results are told and alarm nobody."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftOutcome:
    """The model that was looked at, and what alarmed, one line each."""

    model_id: str | None
    alarms: tuple[str, ...]


def drift(lake: Lake, settings: Settings, *, session: dt.date, run_id: str) -> DriftOutcome:
    """Measure the model that predicted the session and publish evaluation.drift of it; without predictions there is nothing to measure."""
    snapshot = lake.snapshot()
    models = snapshot.sql("select distinct model_id from predictions.daily where session = ?", [session])["model_id"].to_pylist()
    if not models:
        return DriftOutcome(model_id=None, alarms=())
    model_id = models[0]
    rows = [
        *_of_features(snapshot, settings, model_id, session),
        *_live(snapshot, model_id, session),
        *_expected(snapshot, model_id, session),
    ]
    stamped = [{"session": session, "model_id": model_id, "run_id": run_id} | row for row in rows]
    lake.publish(Change.upsert(DRIFT, pa.Table.from_pylist(stamped, schema=DRIFT.arrow_schema), by=("session",)))
    alarms = tuple(row["said"] for row in rows if row["alarm"] and row["measure"] != FEATURE)
    _log.info("run %s measured drift of model %s at %s: %s", run_id, model_id, session, "; ".join(alarms) or "none")
    return DriftOutcome(model_id=model_id, alarms=alarms)


def alarms_of(snapshot: Snapshot) -> tuple[dt.date | None, str | None, list[str]]:
    """Return the newest session that was measured, its model, and what alarmed."""
    rows = snapshot.sql(
        "select * from evaluation.drift where session = (select max(session) from evaluation.drift) order by measure, horizon_sessions"
    ).to_pylist()
    told = [row["said"] for row in rows if row["alarm"] and row["measure"] != FEATURE]
    return (rows[0]["session"], rows[0]["model_id"], told) if rows else (None, None, [])


def _of_features(snapshot: Snapshot, settings: Settings, model_id: str, session: dt.date) -> Iterator[dict[str, Any]]:
    """Yield the share of features whose PSI is over their limit, and a row for each of those."""
    try:
        bins = load_bins(_folder(snapshot, settings, model_id))
    except CorruptPartError as error:
        _log.warning("drift of features is not measured: %s", error)
        return
    names = ", ".join(f'"{name}"' for name in bins.features)
    features = snapshot.sql(
        f"select ticker, session, {names} from features.panel where session in "  # noqa: S608 - names are declared features
        "(select distinct session from features.panel where session <= $session order by session desc limit $window) "
        "order by ticker, session",
        {"session": session, "window": WINDOW_SESSIONS},
    )
    grid = panel.Grid.of(features)
    psi_F = bins.psi(feature_array(features, grid, bins.features)[panel.present(features, grid)])
    over_F = psi_F > bins.limit_F
    share = float(over_F.mean())
    worst = [bins.features[f] for f in np.argsort(-psi_F / bins.limit_F)[:3] if over_F[f]]
    said = f"{share:.0%} of the features left their training distribution (limit {bins.limit_share:.0%})"
    said += f": {', '.join(worst)} the most" if worst else ""
    yield _row(FEATURES, None, "", share, bins.limit_share, alarm=share > bins.limit_share, said=said)
    for f in np.flatnonzero(over_F):
        psi, limit, name = float(psi_F[f]), float(bins.limit_F[f]), bins.features[f]
        yield _row(FEATURE, None, name, psi, limit, alarm=True, said=f"{name}: PSI {psi:.2f}, limit {limit:.2f}")


def _live(snapshot: Snapshot, model_id: str, session: dt.date) -> Iterator[dict[str, Any]]:
    """Yield by horizon the mean daily rank IC of what was published in time and has ended, beside that out of fold."""
    judged, days = _judged(snapshot, model_id), in_time(snapshot, model_id)
    for horizon in HORIZONS_SESSIONS:
        rows = snapshot.sql(
            f"with known as (select session, row_number() over (order by session desc) - 1 age from "  # noqa: S608 - names are constants
            "(select distinct session from features.targets where session <= $session)) "
            f"select p.ticker, p.session, p.score, t.residual_rank_{horizon}d label from predictions.daily p join known using (session) "
            "join features.targets t using (ticker, session) "
            "where p.model_id = $model and p.horizon_sessions = $horizon and age >= $horizon and p.session in (select unnest($in_time))",
            {"session": session, "model": model_id, "horizon": horizon, "in_time": days},
        )
        if not rows.num_rows or horizon not in judged:
            continue
        grid = panel.Grid.of(rows)
        daily = measures.rank_ic(panel.dense(rows, grid, "score").T, panel.dense(rows, grid, "label").T)
        live, limit = measures.nonoverlapping_interval(daily, horizon), judged[horizon]["rank_ic"]
        if np.isnan(live.mean):
            continue
        alarm = live.windows >= FEWEST_WINDOWS and live.mean + live.half_width < limit
        width = f"±{live.half_width:.3f}" if np.isfinite(live.half_width) else "no interval"
        said = f"live rank IC at {horizon} sessions {live.mean:+.3f} ({width}, {live.windows} windows), {limit:+.3f} out of fold"
        yield _row(LIVE_IC, horizon, "", live.mean, limit, alarm=bool(alarm), said=said)


def _expected(snapshot: Snapshot, model_id: str, session: dt.date) -> Iterator[dict[str, Any]]:
    """Yield by horizon how often the newest forecasts should be right, before any label is known.

    The accuracy out of fold, plus how far the mean confidence max(p_up, 1 - p_up) moved from that of the rows which were judged
    (difference of confidences: Guillory et al. 2021). It alarms under the interval of the accuracy out of fold. A model that was
    judged before its confidence was kept is told nothing of.
    """
    judged = _judged(snapshot, model_id)
    rows = snapshot.sql(
        "select horizon_sessions h, avg(greatest(p_up, 1 - p_up)) confidence from predictions.daily where model_id = $model and session in "
        "(select distinct session from predictions.daily where model_id = $model and session <= $session order by session desc "
        "limit $window) group by h order by h",
        {"session": session, "model": model_id, "window": WINDOW_SESSIONS},
    ).to_pylist()
    for row in rows:
        card = judged.get(row["h"])
        if card is None or None in (row["confidence"], card["expected_accuracy"], card["accuracy_half_width"]):
            continue
        expected = card["accuracy"] + row["confidence"] - card["expected_accuracy"]
        limit = card["accuracy"] - card["accuracy_half_width"]
        said = (
            f"the model should be right {expected:.1%} of the time at {row['h']} sessions, {card['accuracy']:.1%} out of fold: "
            f"its mean confidence is {row['confidence']:.1%}, it was {card['expected_accuracy']:.1%}"
        )
        yield _row(EXPECTED, row["h"], "", expected, limit, alarm=expected < limit, said=said)


def _judged(snapshot: Snapshot, model_id: str) -> dict[int, dict[str, Any]]:
    rows = snapshot.sql("select * from evaluation.scorecard where model_id = ? and model = 'ensemble'", [model_id]).to_pylist()
    return {row["horizon_sessions"]: row for row in rows if row["rank_ic"] is not None}


def _folder(snapshot: Snapshot, settings: Settings, model_id: str) -> Path:
    folder: str = snapshot.sql("select folder from training.runs where model_id = ?", [model_id])["folder"][0].as_py()
    return settings.dataset_home / "models" / folder


def _row(measure: str, horizon: int | None, feature: str, value: float, limit: float, *, alarm: bool, said: str) -> dict[str, Any]:
    keys = {"measure": measure, "horizon_sessions": horizon or 0, "feature": feature}
    return keys | {"value": value, "limit": limit, "alarm": alarm, "said": said}
