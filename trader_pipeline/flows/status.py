"""What `trader status` prints: how far data and predictions reach, what the sources and the checks said, what is on the disk."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import duckdb

from trader_pipeline import heartbeats
from trader_pipeline.champion import approved
from trader_pipeline.coverage import feature_coverage
from trader_pipeline.errors import TraderError
from trader_pipeline.features import PANEL
from trader_pipeline.flows import sources_status
from trader_pipeline.flows.due import default_as_of
from trader_pipeline.flows.freshness import staleness
from trader_pipeline.lake import Lake, Snapshot
from trader_pipeline.operations.disk import disk_usage
from trader_pipeline.schema import TABLES
from trader_pipeline.settings import Settings
from trader_pipeline.training.job import RUN_FILE

Row = dict[str, Any]
_PREDICTIONS = ("predictions_session", "predictions_state", "predictions", "predictions_abstained", "predictions_made_at")
_MODEL = ("model", "model_recipe", "model_members", "model_trained_through", "model_record", "trainings")
_QUARANTINE = ("quarantined_ticker_days", "quarantined_tickers")
_LAST_RUN = "run_id = (select run_id from quality.metrics order by known_at desc, run_id desc limit 1)"
_VERDICTS = f"""
select count(distinct rule) as rules,
  (select count(distinct rule) from quality.findings where {_LAST_RUN} and severity = 'error') as with_errors,
  count(distinct rule) filter (not passed) as blocking
from quality.metrics where {_LAST_RUN}"""  # noqa: S608 - a constant
_FOUND = f"""
select rule, severity, count(*) as findings, count(distinct ticker) filter (ticker <> '*') as tickers from quality.findings
where {_LAST_RUN} group by all order by all"""  # noqa: S608 - a constant
_DECLARED = {table.full_name: table for table in (*TABLES, PANEL)}
_CLOCKS = ("session", "observed_on", "date", "Date", "known_at", "fetched_at", "finished_at", "at")
"""Columns that say what a table reaches to where it has no year, the first that it has."""


def status(lake: Lake, settings: Settings, *, now: dt.datetime) -> Row:
    """Return the facts, ready for JSON: dates and instants as such, shares as fractions, sizes in bytes.

    What a damaged table would have told is null; `damage` says which. docs/architecture.md has a line a key.
    """
    snapshot = lake.snapshot()
    as_of = default_as_of(settings, now=now)
    facts = _Facts({"dataset": settings.dataset, "home": str(settings.dataset_home), "commit": snapshot.commit.id})
    facts.add("session_through", read=lambda: {"session_through": _one(snapshot, "select max(session) from core.accepted_bars")})
    facts.add(*_PREDICTIONS, read=lambda: _predictions(snapshot, as_of))
    facts.add(*_MODEL, read=lambda: _model(snapshot, settings, as_of))
    facts.add("universe", "by_source", "worst", read=lambda: sources_status.universe(snapshot, settings, as_of=as_of))
    facts.add("behind", read=lambda: {"behind": [{"table": n, "sessions": s} for n, s in staleness(lake, as_of=as_of).items()]})
    facts.add("tables", read=lambda: {"tables": [_table(snapshot, name, facts) for name in sorted(snapshot.commit.tables)]})
    facts.add("coverage", read=lambda: {"coverage": feature_coverage(snapshot)})
    facts.add("checks", read=lambda: {"checks": _checks(snapshot)})
    facts.add("findings", read=lambda: {"findings": _findings(snapshot)})
    facts.add("held", read=lambda: {"held": _held(snapshot)})
    facts.add(*_QUARANTINE, read=lambda: _quarantine(snapshot))
    facts.add("fetches", "last_run", read=lambda: sources_status.fetches(snapshot))
    facts.add("gates", read=lambda: sources_status.gates(settings, now=now))
    facts.add("ended", read=lambda: sources_status.ended(snapshot))
    facts.add("stand_ins", read=lambda: sources_status.stand_ins(snapshot, settings))
    return {**facts.known, **_daemon(settings, now), **_disk(settings), "damage": facts.damage}


class _Facts:
    """What could be read so far, and what could not."""

    def __init__(self, known: Row) -> None:
        self.known = known
        self.damage: list[Row] = []

    def add(self, *names: str, read: Callable[[], Row]) -> None:
        """Add what `read` returns; where its tables are damaged or of a strange shape, null under each of the names."""
        try:
            self.known |= read()
        except (TraderError, duckdb.Error) as error:
            self.known |= dict.fromkeys(names)
            self.lost(", ".join(names), error)

    def lost(self, what: str, error: Exception) -> None:
        """Remember what could not be read."""
        self.damage.append({"fact": what, "error": str(error).splitlines()[0]})


def _daemon(settings: Settings, now: dt.datetime) -> Row:
    """Return when the daemon's sensors were alive, in words too, and what each of them decided last."""
    beats = heartbeats.read(settings.heartbeats)
    seen = heartbeats.last_seen(beats)
    said = [{"sensor": beat.sensor, "at": beat.at, "said": beat.said} for beat in beats if beat.sensor != heartbeats.ALIVE]
    return {"daemon": heartbeats.in_words(seen, now, dataset=settings.dataset), "daemon_seen": seen, "sensors": said}


def _disk(settings: Settings) -> Row:
    usage = disk_usage(settings.home, settings.dataset_home)
    return {
        "disk": [{"folder": name, "bytes": size} for name, size in usage.dataset_folders.items()],
        "home_folders": [{"folder": name, "bytes": size} for name, size in usage.home_folders.items()],
        "free_bytes": usage.free_bytes,
        "disk_used": round(usage.used_ratio, 4),
        "disk_alert": usage.alert,
    }


def _one(snapshot: Snapshot, query: str) -> Any:
    return snapshot.sql(query).column(0)[0].as_py()


def _predictions(snapshot: Snapshot, as_of: dt.datetime) -> Row:
    """Return the newest predicted session and its state: fresh, stale (older than the newest accepted bars at `as_of`) or none."""
    newest = _one(snapshot, "select max(session) from predictions.daily")
    bars = snapshot.sql("select max(session) as session from core.accepted_bars where known_at <= ?", [as_of])["session"][0].as_py()
    found = snapshot.sql(
        "select count(*) as rows, count(*) filter (abstained) as abstained, max(made_at) as made_at "
        "from predictions.daily where session = ?",
        [newest],
    ).to_pylist()[0]
    state = "none" if newest is None else "fresh" if bars is None or newest >= bars else "stale"
    return {
        "predictions_session": newest,
        "predictions_state": state,
        "predictions": found["rows"],
        "predictions_abstained": found["abstained"],
        "predictions_made_at": found["made_at"],
    }


def _model(snapshot: Snapshot, settings: Settings, as_of: dt.datetime) -> Row:
    """Return the model that serves; null where none is approved."""
    run = next(iter(approved(snapshot, as_of)), {})
    attempts = snapshot.sql("select outcome, count(*) as n from training.attempts group by outcome order by outcome").to_pylist()
    return {
        "model": run.get("model_id"),
        "model_recipe": run.get("recipe"),
        "model_members": run.get("members"),
        "model_trained_through": run.get("trained_through"),
        "model_record": str(settings.dataset_home / "models" / run["model_id"] / RUN_FILE) if run else None,
        "trainings": {row["outcome"]: row["n"] for row in attempts},
    }


def _table(snapshot: Snapshot, name: str, facts: _Facts) -> Row:
    entry = snapshot.commit.tables[name]
    return {
        "table": name,
        "rows": snapshot.rows(name),
        "parts": len(entry.parts),
        "bytes": sum(part.size_bytes for part in entry.parts),
        "through": _through(snapshot, name, facts) if entry.parts else None,
    }


def _through(snapshot: Snapshot, name: str, facts: _Facts) -> Any:
    """Return the newest entry of a table by its clock; None where it has none or is damaged."""
    table = _DECLARED.get(name)
    columns = {column.name for column in table.columns} if table else set()
    clock = next((column for column in (table.year_of if table else None, *_CLOCKS) if column in columns), None)
    try:
        return _one(snapshot, f'select max("{clock}") from {name}') if clock else None  # noqa: S608 - names of the schema
    except (TraderError, duckdb.Error) as error:
        facts.lost(name, error)
        return None


def _quarantine(snapshot: Snapshot) -> Row:
    found = snapshot.sql("select count(distinct (ticker, session)), count(distinct ticker) from quality.quarantine")
    return dict(zip(_QUARANTINE, (found.column(i)[0].as_py() for i in range(2)), strict=True))


def _held(snapshot: Snapshot) -> list[Row]:
    """Return what each rule keeps out of what follows, most first."""
    rows: list[Row] = snapshot.sql(
        "select rule, count(distinct (ticker, session)) as ticker_days, count(distinct ticker) as tickers from quality.quarantine "
        "group by rule order by ticker_days desc, rule"
    ).to_pylist()
    return rows


def _checks(snapshot: Snapshot) -> Row | None:
    """Return how many rules the last checks ran, how many of them found errors, and how many block; None before the first."""
    found: Row = snapshot.sql(_VERDICTS).to_pylist()[0]
    return found if found["rules"] else None


def _findings(snapshot: Snapshot) -> list[Row]:
    """Return the findings of the last checks, counted by rule and severity."""
    rows: list[Row] = snapshot.sql(_FOUND).to_pylist()
    return rows
