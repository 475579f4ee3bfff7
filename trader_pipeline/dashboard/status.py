"""What the data status page asks: freshness of every table, findings, quarantine, fetch outcomes, disk, runs."""

import datetime as dt
import shutil
from pathlib import Path
from typing import Any

from trader_pipeline import calendar, champion, durable, heartbeats
from trader_pipeline.dashboard.queries import Row, ask
from trader_pipeline.dashboard.trend import trends
from trader_pipeline.lake import Snapshot
from trader_pipeline.schema import TABLES, Table, core, outputs, raw
from trader_pipeline.schema.features import TARGETS

FINDINGS_A_RULE = 50
"""Findings listed under one rule; the count beside it is of all."""

FAILURES_LISTED = 50
"""Failed fetches listed."""

_LAST_FINDINGS = """
select rule, severity, ticker, table_name, scope, first_session, last_session, sessions, message from quality.findings
where run_id = (select run_id from quality.metrics order by known_at desc, run_id desc limit 1)
order by rule, severity, last_session desc, ticker"""
_LAST_VERDICTS = """
select rule, bool_and(passed) as passed from quality.metrics
where run_id = (select run_id from quality.metrics order by known_at desc, run_id desc limit 1) group by 1"""
_LAST_ATTEMPTS = """
select *, coalesce(kind, 'bars') as asked from raw.fetch_attempts
qualify row_number() over (partition by source, asked, ticker order by "at" desc) = 1"""
_OUTCOMES = f"""
with last as ({_LAST_ATTEMPTS})
select source, asked as kind, outcome, count(*) as tickers, max("at") as "at", sum("rows")::bigint as "rows",
       sum(requests)::bigint as requests, sum(retries)::bigint as retries, coalesce(sum(throttled), 0)::bigint as throttled
from last group by source, asked, outcome order by source, kind, outcome <> 'ok', outcome"""  # noqa: S608 - a constant
_FAILED = f"""
with last as ({_LAST_ATTEMPTS})
select * from last where outcome <> 'ok' order by outcome = 'no_data', "at" desc, ticker limit ?"""  # noqa: S608 - a constant
_LAGGING = """
select ticker, max(last_session) filter (outcome = 'ok') as last_session, arg_max(source, "at") as source,
       arg_max(outcome, "at") as outcome, arg_max(coalesce(detail, ''), "at") as detail, max("at") as "at"
from raw.fetch_attempts where kind is null or kind = 'bars'
group by ticker having last_session is null or last_session < $target
order by last_session nulls first, ticker limit $limit"""
_BY_SOURCE = """
select source, count(*) as rows, count(distinct ticker) as tickers, max(session) as last_session
from core.accepted_bars group by source order by rows desc, source"""
_ENDED = """
select ticker, symbol, name, ended, valid_to from core.ticker_map where ended in ('delisted', 'presumed') order by valid_to desc, ticker"""

_EVERY_SESSION = {
    *(table.full_name for table in (core.DAILY_BARS, core.ACCEPTED_BARS, TARGETS, outputs.DAILY, outputs.DECISIONS)),
    *(table.full_name for table in raw.TABLES if table.name.endswith("_bars")),
    "features.panel",
}
"""Tables that gain rows with every session, so that being behind means something."""

_CLOCKS = ("session", "observed_on", "date", "Date", "known_at", "fetched_at", "made_at", "finished_at", "at")


def tables(snapshot: Snapshot, exchange: str, as_of: dt.datetime) -> list[Row]:
    """Return a row a table that the lake holds: rows, parts, bytes, newest entry, sessions behind `as_of` where it has sessions."""
    declared = {table.full_name: table for table in TABLES}
    return [
        _table(snapshot, name, declared.get(name), exchange, as_of) for name, entry in sorted(snapshot.commit.tables.items()) if entry.parts
    ]


def _table(snapshot: Snapshot, name: str, table: Table | None, exchange: str, as_of: dt.datetime) -> Row:
    columns = {column.name for column in table.columns} if table else {"session"}
    clock = next((c for c in (table.year_of if table else None, *_CLOCKS) if c in columns), None)
    newest = ask(snapshot, f'select max("{clock}") as newest from {name}')[0]["newest"] if clock else None  # noqa: S608 - both names come from the schema
    return {
        "name": name,
        "description": table.description if table else "One row a ticker-session: every declared feature.",
        "rows": snapshot.rows(name),
        "parts": len(snapshot.files(name)),
        "bytes": sum(part.size_bytes for part in snapshot.commit.tables[name].parts),
        "newest": newest,
        "behind": calendar.staleness(exchange, newest, as_of) if name in _EVERY_SESSION and newest else None,
    }


def rules(snapshot: Snapshot) -> list[Row]:
    """Return the last checks by rule: passed at table scope, errors, warnings, tickers, its first findings and its trend, worst first."""
    listed = ask(snapshot, _LAST_FINDINGS)
    passed = {row["rule"]: row["passed"] for row in ask(snapshot, _LAST_VERDICTS)}
    names = sorted({*passed, *(finding["rule"] for finding in listed)})
    past = trends(snapshot)
    found = [_rule(name, passed.get(name, True), [f for f in listed if f["rule"] == name]) | {"trend": past.get(name)} for name in names]
    return sorted(found, key=lambda row: (row["passed"], -row["errors"], -row["warnings"], row["rule"]))


def _rule(name: str, passed: bool, found: list[Row]) -> Row:  # noqa: FBT001 - a row's field
    return {
        "rule": name,
        "passed": passed,
        "errors": sum(f["severity"] == "error" for f in found),
        "warnings": sum(f["severity"] == "warning" for f in found),
        "tickers": len({f["ticker"] for f in found} - {"*"}),
        "findings": found[:FINDINGS_A_RULE],
        "more": max(0, len(found) - FINDINGS_A_RULE),
    }


def checked(snapshot: Snapshot) -> Row | None:
    """Return the last run of the checks: run id and what was known, or None when nothing was checked."""
    rows = ask(snapshot, "select run_id, max(known_at) as known_at from quality.metrics group by 1 order by 2 desc, 1 desc limit 1")
    return rows[0] if rows else None


def quarantine(snapshot: Snapshot) -> list[Row]:
    """Return what is quarantined by table, ticker and rule, largest first, with how long it has been."""
    query = """select table_name, ticker, rule, count(*) as sessions, min(session) as first_session, max(session) as last_session,
                      any_value(reason) as reason, min(first_seen) as first_seen, max(strikes) as strikes
               from quality.quarantine group by 1, 2, 3 order by sessions desc, ticker, rule"""
    return ask(snapshot, query)


def fetches(snapshot: Snapshot) -> tuple[list[Row], list[Row]]:
    """Return (outcomes counted over each ticker's last attempt by source and kind, the last attempts that did not end well)."""
    return ask(snapshot, _OUTCOMES), ask(snapshot, _FAILED, [FAILURES_LISTED])


def lagging(snapshot: Snapshot, exchange: str, as_of: dt.datetime) -> list[Row]:
    """Return the tickers whose fetched bars end before the last closed session, worst first, with what was said of them last."""
    target = calendar.last_closed_session(exchange, as_of)
    rows = ask(snapshot, _LAGGING, {"target": target, "limit": FAILURES_LISTED})
    return [row | {"behind": calendar.staleness(exchange, row["last_session"], as_of) if row["last_session"] else None} for row in rows]


def bars_by_source(snapshot: Snapshot) -> list[Row]:
    """Return how many accepted bars each source gave; beside the first choice they are stand-ins."""
    return ask(snapshot, _BY_SOURCE)


def ended(snapshot: Snapshot) -> list[Row]:
    """Return the securities that are delisted or presumed to be."""
    return ask(snapshot, _ENDED)


def training_runs(snapshot: Snapshot, as_of: dt.datetime) -> list[Row]:
    """Return the newest training runs, each with its state at `as_of` and the last decision on it: its reason, and who made it."""
    runs = ask(snapshot, "select * from training.runs order by finished_at desc limit 10")
    decisions, serves = champion.decisions_at(snapshot, as_of), champion.serving(snapshot, as_of)
    last = {row["model_id"]: row for row in reversed(decisions)}
    nobody = {"why": None, "who": None, "decided_at": None}
    return [
        run
        | {"state": champion.state_of(run["model_id"], decisions, serves)}
        | {name: last.get(run["model_id"], nobody)[name] for name in nobody}
        for run in runs
    ]


def prediction_runs(snapshot: Snapshot) -> list[Row]:
    """Return the newest sessions predicted, with model, rows and abstentions."""
    query = """select session, max(made_at) as made_at, max(model_id) as model_id, count(*) as rows,
                      count(*) filter (abstained) as abstained
               from predictions.daily group by 1 order by 1 desc limit 10"""
    return ask(snapshot, query)


def disk(home: Path, dataset_home: Path) -> dict[str, Any]:
    """Return bytes per folder of the dataset, of the whole home, and free; `alert` at 85 % used."""
    existing = next(path for path in (home, *home.parents) if path.exists())
    usage = shutil.disk_usage(existing)
    return {
        "folders": durable.folder_sizes(dataset_home),
        "home": home,
        "home_bytes": sum(durable.folder_sizes(home).values()),
        "free": usage.free,
        "total": usage.total,
        "used_share": 1 - usage.free / usage.total,
        "alert": usage.free < 0.15 * usage.total,
    }


def daemon(folder: Path, dataset: str, now: dt.datetime) -> Row:
    """Return whether schedule and sensors are alive, when they were last, in words, and what each sensor decided last."""
    beats = heartbeats.read(folder)
    seen = heartbeats.last_seen(beats)
    return {
        "alive": heartbeats.is_alive(seen, now),
        "seen": seen,
        "words": heartbeats.in_words(seen, now, dataset=dataset),
        "sensors": [beat for beat in beats if beat.sensor != heartbeats.ALIVE],
    }


def bar_span(snapshot: Snapshot) -> Row:
    """Return what core.accepted_bars spans: tickers, sessions, first and last."""
    query = """select count(distinct ticker) as tickers, count(distinct session) as sessions,
                      min(session) as first_session, max(session) as last_session
               from core.accepted_bars"""
    return ask(snapshot, query)[0]
