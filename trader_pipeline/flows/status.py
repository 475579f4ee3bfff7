"""What `trader status` prints: how far data and predictions reach, what the checks found, what is on the disk."""

import datetime as dt
from typing import Any

from trader_pipeline.features import FEATURES, PANEL
from trader_pipeline.flows.due import default_as_of
from trader_pipeline.flows.freshness import staleness
from trader_pipeline.lake import Lake, Snapshot
from trader_pipeline.operations.disk import disk_usage
from trader_pipeline.schema import TABLES
from trader_pipeline.settings import Settings

Row = dict[str, Any]
_CLOCKS = ("session", "observed_on", "date", "Date", "known_at", "fetched_at", "finished_at", "at")
"""Columns that say what a table reaches to, the first that it has."""


def status(lake: Lake, settings: Settings, *, now: dt.datetime) -> Row:
    """Return the facts, ready for JSON: dates and instants as such, shares as fractions, sizes in bytes."""
    snapshot = lake.snapshot()
    as_of = default_as_of(settings, now=now)
    usage = disk_usage(settings.home, settings.dataset_home)
    return {
        "dataset": settings.dataset,
        "home": str(settings.dataset_home),
        "commit": snapshot.commit.id,
        "session_through": _one(snapshot, "select max(session) from core.accepted_bars"),
        **_predictions(snapshot, as_of),
        **_model(snapshot),
        "behind": [{"table": name, "sessions": sessions} for name, sessions in staleness(lake, as_of=as_of).items()],
        "tables": _tables(snapshot),
        "coverage": _coverage(snapshot),
        "findings": _findings(snapshot),
        "quarantined_ticker_days": _one(snapshot, "select count(distinct (ticker, session)) from quality.quarantine"),
        "quarantined_tickers": _one(snapshot, "select count(distinct ticker) from quality.quarantine"),
        "fetches": _fetches(snapshot),
        "disk": [{"folder": name, "bytes": size} for name, size in usage.dataset_folders.items()],
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


def _model(snapshot: Snapshot) -> Row:
    rows = snapshot.sql(
        "select model_id, recipe, members, trained_through from training.runs order by finished_at desc limit 1"
    ).to_pylist()
    run = rows[0] if rows else {}
    return {
        "model": run.get("model_id"),
        "model_recipe": run.get("recipe"),
        "model_members": run.get("members"),
        "model_trained_through": run.get("trained_through"),
    }


def _tables(snapshot: Snapshot) -> list[Row]:
    declared = {table.full_name: table for table in (*TABLES, PANEL)}
    rows = []
    for name, entry in sorted(snapshot.commit.tables.items()):
        columns = {column.name for column in declared[name].columns} if name in declared else set()
        clock = next((column for column in _CLOCKS if column in columns), None)
        newest = _one(snapshot, f'select max("{clock}") from {name}') if clock and entry.parts else None  # noqa: S608 - names of the schema
        rows.append(
            {
                "table": name,
                "rows": snapshot.rows(name),
                "parts": len(entry.parts),
                "bytes": sum(part.size_bytes for part in entry.parts),
                "through": newest,
            }
        )
    return rows


def _coverage(snapshot: Snapshot) -> list[Row]:
    """Return, by feature family, the share of values that are there: in the newest session and in the year up to it."""
    if not snapshot.rows(PANEL):
        return []
    stored = set(snapshot.sql("select * from features.panel limit 0").column_names)
    families: dict[str, list[str]] = {}
    for feature in FEATURES:
        if feature.name in stored:
            families.setdefault(feature.family, []).append(feature.name)
    sums = ", ".join(f'{" + ".join(f"count({_quoted(name)})" for name in names)} as "{family}"' for family, names in families.items())
    newest = "(select max(session) from features.panel)"
    spans = {"newest": f"session = {newest}", "year": f"session > {newest} - interval 1 year"}
    counted = {
        span: snapshot.sql(f"select count(*) as n, {sums} from features.panel where {where}").to_pylist()[0]  # noqa: S608 - declared features
        for span, where in spans.items()
    }
    return [
        {
            "family": family,
            "features": len(names),
            **{span: round(found[family] / (found["n"] * len(names)), 4) for span, found in counted.items()},
        }
        for family, names in families.items()
    ]


def _quoted(name: str) -> str:
    return '"' + name + '"'


def _findings(snapshot: Snapshot) -> list[Row]:
    """Return the findings of the last checks, counted by rule and severity."""
    rows: list[Row] = snapshot.sql(
        "select rule, severity, count(*) as findings, count(distinct ticker) filter (ticker <> '*') as tickers from quality.findings "
        "where run_id = (select run_id from quality.metrics order by known_at desc, run_id desc limit 1) group by all order by all"
    ).to_pylist()
    return rows


def _fetches(snapshot: Snapshot) -> list[Row]:
    """Return the outcomes of each ticker's last fetch, counted by source and outcome."""
    rows: list[Row] = snapshot.sql(
        'with last as (select * from raw.fetch_attempts qualify row_number() over (partition by source, ticker order by "at" desc) = 1) '
        'select source, outcome, count(*) as tickers, max("at") as "at" from last group by all order by source, outcome'
    ).to_pylist()
    return rows
