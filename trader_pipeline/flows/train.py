"""features tables -> a request for the training process; its folder -> predictions.out_of_fold and training.*."""

import datetime as dt
import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from trader_pipeline import calendar, durable
from trader_pipeline.errors import TrainingStoppedError, UsageError, near
from trader_pipeline.features import FEATURES, PANEL
from trader_pipeline.flows import gate
from trader_pipeline.lake import Change, Lake, Snapshot
from trader_pipeline.models import checkpoint
from trader_pipeline.schema import Table, outputs
from trader_pipeline.schema.core import ACCEPTED_BARS, SECTORS
from trader_pipeline.schema.features import TARGETS
from trader_pipeline.schema.training import ATTEMPTS, CURVES, IMPORTANCE, RUNS, TRIALS
from trader_pipeline.settings import CheckSettings
from trader_pipeline.training import job
from trader_pipeline.training.data import MINIMUM_TICKERS
from trader_pipeline.training.request import FILE as REQUEST_FILE
from trader_pipeline.training.request import PartFile, TrainingRequest
from trader_pipeline.training.splits import insufficient, required_sessions

_EXCHANGE = "XNYS"
"""Whose clock says which session is known at `as_of`."""
_TABLES = {
    outputs.OUT_OF_FOLD: job.OUT_OF_FOLD_FILE,
    TRIALS: job.TRIALS_FILE,
    CURVES: job.CURVES_FILE,
    IMPORTANCE: job.IMPORTANCE_FILE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainOutcome:
    """What a published run is and what it was trained on."""

    model_id: str
    recipe: str
    members: tuple[str, ...]
    trained_through: dt.date
    tickers: int
    sessions: int
    out_of_fold_rows: int


def require_history(lake: Lake, *, recipe: str, as_of: dt.datetime) -> None:
    """Raise `InsufficientHistoryError` that names the sessions needed, `UsageError` on an unknown recipe."""
    chosen = job.recipe_of(recipe)
    sessions = _usable_sessions(lake.snapshot(), calendar.last_closed_session(_EXCHANGE, as_of))
    if sessions < required_sessions(chosen):
        raise insufficient(chosen, sessions)


def prepare(
    lake: Lake,
    *,
    models_dir: Path,
    recipe: str,
    seed: int,
    as_of: dt.datetime,
    run_id: str,
    git_revision: str | None = None,
    checks: CheckSettings | None = None,
    force: bool = False,
    profile: bool = False,
    skip_preflight: bool = False,
) -> TrainingRequest:
    """Write models_dir/<model_id>/request.json and return the request, which names what `force` overrode.

    The same training that was cut short is taken up again: the request has its folder and `model_id`, and this `run_id`.
    Raises `NotMadeError` without any data, `InsufficientHistoryError` that names the sessions needed, `UsageError` on an unknown recipe,
    and `BlockedByDataError` when the last checks failed or the data ends too early for `checks`, unless `force` is set.
    """
    snapshot = lake.snapshot()
    if not snapshot.rows(PANEL):
        snapshot.require(ACCEPTED_BARS)
    require_history(lake, recipe=recipe, as_of=as_of)
    last_session = calendar.last_closed_session(_EXCHANGE, as_of)
    blocks = (*gate.failed_checks(snapshot), *gate.too_old(snapshot, last_session, checks or CheckSettings()))
    forced = gate.require(blocks, what="training", force=force)
    data_version = snapshot.data_version([PANEL, TARGETS, SECTORS])
    features = _with_values(snapshot, without=job.recipe_of(recipe).exclude_features)
    identity = [recipe, seed, as_of.isoformat(), data_version, run_id, features]
    model_id = f"{last_session:%Y%m%d}-{hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:10]}"
    request = TrainingRequest(
        model_id=model_id,
        run_id=run_id,
        recipe=recipe,
        seed=seed,
        as_of=as_of,
        last_session=last_session,
        data_version=data_version,
        out_folder=str((models_dir / model_id).resolve()),
        panel_parts=_parts(snapshot, PANEL),
        target_parts=_parts(snapshot, TARGETS),
        features=features,
        sectors=sectors_on(snapshot, last_session),
        families={feature.name: feature.family for feature in FEATURES},
        git_revision=git_revision,
        forced=tuple(map(str, forced)),
        profile=profile,
        skip_preflight=skip_preflight,
    )
    known = set(snapshot.sql("select model_id from training.runs")["model_id"].to_pylist())
    cut_short = (other for other in _requests(models_dir) if other.model_id not in known and _same_training(other, request))
    if found := next(cut_short, None):
        request = replace(request, model_id=found.model_id, out_folder=found.out_folder)
    durable.write_atomic(request.path, request.to_json())
    return request


def resume(lake: Lake, *, models_dir: Path, model_id: str, run_id: str, skip_preflight: bool = False) -> TrainingRequest:
    """Return the request of a training that was cut short, as part of this run. Raises `UsageError` that lists those there are."""
    known = set(lake.snapshot().sql("select model_id from training.runs")["model_id"].to_pylist())
    open_runs = {request.model_id: request for request in _requests(models_dir) if request.model_id not in known}
    if model_id not in open_runs:
        why = "is published already" if model_id in known else "is not the id of a training that was begun here"
        there = f"trainings that were cut short: {', '.join(sorted(open_runs))}" if open_runs else "no training was cut short"
        raise UsageError(f"{model_id} {why}; {there}")
    request = replace(open_runs[model_id], run_id=run_id, skip_preflight=skip_preflight)
    durable.write_atomic(request.path, request.to_json())
    return request


def _requests(models_dir: Path) -> Iterator[TrainingRequest]:
    """Yield the requests below `models_dir` that nobody works on and this version can read, the newest first."""
    paths = sorted(models_dir.glob(f"*/{REQUEST_FILE}"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in paths:
        if durable.is_locked(path.parent / job.LOCK):
            continue
        try:
            yield TrainingRequest.from_json(path.read_bytes())
        except (ValueError, KeyError, TypeError):
            continue


def _same_training(a: TrainingRequest, b: TrainingRequest) -> bool:
    """Say whether both would make the same model: everything but who asks, where it is written, and what was overridden."""
    asking = {
        name: getattr(b, name) for name in ("model_id", "run_id", "out_folder", "forced", "profile", "skip_preflight", "git_revision")
    }
    return replace(a, **asking) == b


@contextmanager
def attempt(lake: Lake, request: TrainingRequest, *, clock: Callable[[], dt.datetime]) -> Iterator[None]:
    """Note in training.attempts that the run began, and how it ends: as a trial it counts either way."""
    row: dict[str, object] = {name: getattr(request, name) for name in ("model_id", "run_id", "recipe", "seed", "data_version", "as_of")}
    row |= {"git_revision": request.git_revision, "started_at": clock()}

    def note(outcome: str, **ended: object) -> None:
        rows = pa.Table.from_pylist([row | {"outcome": outcome} | ended], schema=ATTEMPTS.arrow_schema)
        lake.publish(Change.upsert(ATTEMPTS, rows))

    note("started")
    try:
        yield
    except BaseException as error:
        is_failure = isinstance(error, Exception) and not isinstance(error, TrainingStoppedError)
        note("failed" if is_failure else "stopped", said=str(error) or type(error).__name__, ended_at=clock())
        raise
    note("published", ended_at=clock())


def publish(lake: Lake, request: TrainingRequest, *, finished_at: dt.datetime) -> TrainOutcome:
    """Verify the run's folder and publish its tables in one commit.

    Raises `NoModelError` when the run did not finish, and `CorruptPartError` when a file changed since.
    """
    manifest_sha256 = checkpoint.verify(request.folder)
    facts = json.loads(checkpoint.read_verified(request.folder, job.RUN_FILE))
    tables = {table: pq.read_table(pa.BufferReader(checkpoint.read_verified(request.folder, file))) for table, file in _TABLES.items()}
    row = facts | {
        "model_id": request.model_id,
        "run_id": request.run_id,
        "recipe": request.recipe,
        "seed": request.seed,
        "data_version": request.data_version,
        "as_of": request.as_of,
        "trained_through": dt.date.fromisoformat(facts["trained_through"]),
        "first_session": dt.date.fromisoformat(facts["first_session"]),
        "features": ",".join(request.features),
        "folder": request.model_id,
        "manifest_sha256": manifest_sha256,
        "git_revision": request.git_revision,
        "finished_at": finished_at,
    }
    runs = pa.Table.from_pylist([row], schema=RUNS.arrow_schema)
    changes = [Change.upsert(table, rows, by=("model_id",), inputs=request.data_version) for table, rows in tables.items()]
    lake.publish(*changes, Change.upsert(RUNS, runs, inputs=request.data_version))
    return TrainOutcome(
        model_id=request.model_id,
        recipe=request.recipe,
        members=tuple(facts["members"].split(",")),
        trained_through=row["trained_through"],
        tickers=facts["tickers"],
        sessions=facts["sessions"],
        out_of_fold_rows=tables[outputs.OUT_OF_FOLD].num_rows,
    )


def sectors_on(snapshot: Snapshot, session: dt.date) -> dict[str, str]:
    """Return ticker -> sector as valid on the session."""
    rows = snapshot.sql(
        "select ticker, sector from core.sectors where valid_from <= ? and (valid_to is null or valid_to >= ?) order by ticker, valid_from",
        [session, session],
    )
    return dict(zip(rows["ticker"].to_pylist(), rows["sector"].to_pylist(), strict=True))


def _usable_sessions(snapshot: Snapshot, last_session: dt.date) -> int:
    if not snapshot.rows(PANEL):
        return 0
    counted = snapshot.sql(
        "select count(*) n from (select session from features.panel where session <= ? group by session having count(*) >= ?)",
        [last_session, MINIMUM_TICKERS],
    )
    return int(counted["n"][0].as_py())


def _with_values(snapshot: Snapshot, *, without: tuple[str, ...]) -> tuple[str, ...]:
    """Return the features that the panel has a value of, by its parts' footers: a column of nulls costs width and teaches nothing.

    Raises `UsageError` where `without`, the recipe's `exclude_features`, names what is no feature.
    """
    declared = [column.name for column in PANEL.columns if column.name not in PANEL.key]
    for name in without:
        if name not in declared:
            raise UsageError(f"exclude_features of the recipe names {name!r}, which is no feature; {near(name, declared)}")
    found = set()
    for file in snapshot.files(PANEL):
        footer = pq.read_metadata(file)
        chunks = (footer.row_group(g).column(c) for g in range(footer.num_row_groups) for c in range(footer.num_columns))
        found |= {chunk.path_in_schema for chunk in chunks if chunk.statistics is None or chunk.statistics.null_count < chunk.num_values}
    return tuple(name for name in declared if name in found and name not in without)


def _parts(snapshot: Snapshot, table: Table) -> tuple[PartFile, ...]:
    entry = snapshot.commit.tables[table.full_name]
    return tuple(PartFile(path=str((snapshot.root / part.path).resolve()), sha256=part.sha256) for part in entry.parts)
