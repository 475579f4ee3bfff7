"""predictions.daily of two sessions -> predictions.changes, and a file beside the export."""

import datetime as dt
import json
import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from trader_pipeline import durable
from trader_pipeline.errors import BlockedByDataError, TraderError
from trader_pipeline.flows.predict import data_version, published_rows
from trader_pipeline.flows.served import served
from trader_pipeline.flows.serving import entered, run_of
from trader_pipeline.inference.changes import Scores, changes
from trader_pipeline.lake import Change, Lake, Snapshot
from trader_pipeline.schema.predicted import CHANGES, SAME
from trader_pipeline.settings import Settings

SCHEMA = "trader.changes/1"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangesOutcome:
    """`previous` is the session compared with, None where there is none before; counts are of rows, one a ticker and horizon."""

    session: dt.date
    previous: dt.date | None
    kinds: dict[str, int]
    causes: dict[str, int]
    changed: bool


def tell_changes(lake: Lake, settings: Settings, *, session: dt.date, made_at: dt.datetime, run_id: str) -> ChangesOutcome:
    """Publish what changed since the session before that has predictions, and `exports/changes_<session>.json`.

    Leaves both alone when they speak of these predictions already. Raises `NoModelError` without predictions of the session,
    `BlockedByDataError` where the data changed since they were made; of predictions whose entry is over, which are not made anew, a
    line says so and both are left alone. Where a model is gone, effects are null.
    """
    snapshot = lake.snapshot()
    now = published_rows(snapshot, session)
    newest = now.slice(0, 1).to_pylist()[0]
    previous = previous_session(snapshot, session)
    if previous is None:
        return ChangesOutcome(session=session, previous=None, kinds={}, causes={}, changed=False)
    before = published_rows(snapshot, previous)
    earlier = before.slice(0, 1).to_pylist()[0]
    keys = {"session": session, "previous_session": previous, "model_id": newest["model_id"], "data_version": newest["data_version"]}
    keys |= {"previous_model_id": earlier["model_id"]}
    where = " and ".join(f"{name} = ${name}" for name in keys)
    stored = snapshot.sql(f"select count(*) n from predictions.changes where {where}", keys)["n"][0].as_py()  # noqa: S608 - names are ours
    if not stored:
        if newest["data_version"] != data_version(snapshot):
            if entered(session, made_at):
                _log.warning("run %s: the data changed since %s was predicted: what changed before it stays as it is", run_id, session)
                return _outcome(snapshot, session, previous, changed=False)
            raise BlockedByDataError(
                f"the data changed since {session} was predicted; `trader predict --session {session}` makes its predictions anew"
            )
        own_again, by_now = (_scores(snapshot, settings, previous, run) for run in (earlier["model_id"], newest["model_id"]))
        rows = [row | keys | {"made_at": made_at, "run_id": run_id} for row in changes(now, before, own_again, by_now)]
        lake.publish(Change.upsert(CHANGES, pa.Table.from_pylist(rows, schema=CHANGES.arrow_schema), by=("session",)))
    outcome = _outcome(lake.snapshot(), session, previous, changed=not stored)
    _write(settings.dataset_home / "exports", lake.snapshot(), outcome)
    _log.info("run %s: %s since %s: %s, put down to %s", run_id, session, previous, outcome.kinds, outcome.causes)
    return outcome


def is_due(snapshot: Snapshot, settings: Settings, session: dt.date) -> bool:
    """Say whether the session has predictions, of the data as they are now and with a session before, of which no change is told."""
    if previous_session(snapshot, session) is None:
        return False
    current = snapshot.sql(
        "select count(*) as n, count(c.session) as told from "
        "(select distinct session, model_id, data_version from predictions.daily where session = ? and data_version = ?) "
        "left join (select distinct session, model_id, data_version from predictions.changes) c using (session, model_id, data_version)",
        [session, data_version(snapshot)],
    ).to_pylist()[0]
    return bool(current["n"]) and not (current["told"] and _path(settings.dataset_home / "exports", session).exists())


def previous_session(snapshot: Snapshot, session: dt.date) -> dt.date | None:
    """Return the newest session before that has predictions."""
    day: dt.date | None = snapshot.sql("select max(session) as day from predictions.daily where session < ?", [session])["day"][0].as_py()
    return day


def _scores(snapshot: Snapshot, settings: Settings, session: dt.date, model_id: str) -> Scores:
    """Return what a model says of an earlier session on today's data, nothing where model or rows are gone."""
    try:
        said = served(snapshot, settings.dataset_home / "models", session, run_of(snapshot, model_id)).ensemble
    except TraderError as error:
        _log.warning("what model %s says of %s today is not known: %s", model_id, session, error)
        return {}
    keys = zip(said["ticker"].to_pylist(), said["horizon_sessions"].to_pylist(), strict=True)
    return dict(zip(keys, said["score"].to_pylist(), strict=True))


def _outcome(snapshot: Snapshot, session: dt.date, previous: dt.date, *, changed: bool) -> ChangesOutcome:
    rows = snapshot.sql("select kind, cause from predictions.changes where session = ?", [session]).to_pylist()
    kinds = Counter(row["kind"] for row in rows)
    causes = Counter(row["cause"] for row in rows if row["kind"] != SAME and row["cause"])
    return ChangesOutcome(
        session=session, previous=previous, kinds=dict(sorted(kinds.items())), causes=dict(sorted(causes.items())), changed=changed
    )


def _path(folder: Path, session: dt.date) -> Path:
    return folder / f"changes_{session}.json"


def _write(folder: Path, snapshot: Snapshot, outcome: ChangesOutcome) -> None:
    """Write the session's changes for other programs, where the file says something else."""
    rows = snapshot.sql(
        f"select * exclude (session, previous_session, made_at, run_id) from predictions.changes where session = ? and kind <> '{SAME}' "  # noqa: S608 - a constant
        "order by ticker, horizon_sessions",
        [outcome.session],
    ).to_pylist()
    told: Mapping[str, Any] = {"schema": SCHEMA} | {name: value for name, value in asdict(outcome).items() if name != "changed"}
    data = json.dumps(dict(told) | {"rows": rows}, indent=1, default=str).encode()
    path = _path(folder, outcome.session)
    if not path.exists() or path.read_bytes() != data:
        durable.write_atomic(path, data)
