"""Judge core.daily_bars, keep what was found, and publish the bars that passed."""

import datetime as dt
import hashlib
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from trader_pipeline import calendar
from trader_pipeline.checks import CHECKS
from trader_pipeline.checks.context import DEFAULT_EXCHANGE, open_lake_context
from trader_pipeline.checks.overrides import Override
from trader_pipeline.checks.report import CheckReport, run_rules, stored_report
from trader_pipeline.flows.accept import SOURCE_ORDER, AcceptOutcome, accept
from trader_pipeline.lake import Change, Lake, Snapshot
from trader_pipeline.schema import Table
from trader_pipeline.schema.core import DAILY_BARS, TICKER_MAP
from trader_pipeline.schema.quality import FINDINGS, METRICS, QUARANTINE, REPAIRS
from trader_pipeline.settings import CheckSettings

__all__ = ["AcceptOutcome", "CheckReport", "accept", "check", "last_report"]

_VERSION = "3"
"""Raise it when a rule changes its mind about the same rows."""


def check(
    lake: Lake,
    *,
    as_of: dt.datetime,
    settings: CheckSettings,
    run_id: str,
    order: Sequence[str] = SOURCE_ORDER,
    overrides: Sequence[Override] = (),
) -> CheckReport:
    """Run every rule over the bars known at `as_of` and publish metrics, findings and quarantine in one commit.

    `order` ranks the sources: a later one stands in for an earlier one. `overrides` are what people decided.

    Where the same rows were judged at the same last closed session by the same settings and decisions, nothing is written and the stored
    report comes back (`changed` False). A report of the same `as_of` is replaced; all others are kept.
    """
    snapshot = lake.snapshot()
    inputs = _inputs(snapshot, as_of, settings, order, overrides)
    stored = snapshot.inputs(QUARANTINE)
    if stored and stored.startswith(f"{inputs}:"):
        return last_report(snapshot)
    context = open_lake_context(snapshot, as_of=as_of, settings=settings, order=order, overrides=overrides)
    report = run_rules(CHECKS, context, run_id=run_id)
    rows = report.tables(snapshot.read(QUARANTINE), settings.apply_repairs)
    kept = {table: _without_instant(snapshot.read(table), as_of) for table in (METRICS, FINDINGS)}
    stamp = f"{inputs}:{run_id}"
    lake.publish(
        Change.replace(METRICS, pa.concat_tables([kept[METRICS], rows[METRICS]])),
        Change.replace(FINDINGS, pa.concat_tables([kept[FINDINGS], rows[FINDINGS]])),
        Change.replace(REPAIRS, rows[REPAIRS]),
        Change.replace(QUARANTINE, rows[QUARANTINE], inputs=stamp),
    )
    return report


def last_report(snapshot: Snapshot) -> CheckReport:
    """Return the report of the run that checked last. There must be one."""
    run_id = (snapshot.inputs(QUARANTINE) or "").rpartition(":")[2]
    metrics = _of_run(snapshot, METRICS, run_id)
    return stored_report(
        CHECKS,
        metrics,
        _of_run(snapshot, FINDINGS, run_id),
        snapshot.read(QUARANTINE),
        snapshot.read(REPAIRS),
        run_id=run_id,
        as_of=metrics["known_at"][0].as_py(),
    )


def _inputs(snapshot: Snapshot, as_of: dt.datetime, settings: CheckSettings, order: Sequence[str], overrides: Sequence[Override]) -> str:
    """Everything that the verdict depends on: rows known, sessions closed, settings, decisions, code."""
    exchanges = {DEFAULT_EXCHANGE, *snapshot.read(TICKER_MAP, ["exchange"])["exchange"].to_pylist()}
    facts = [
        _VERSION,
        settings.model_dump_json(),
        " ".join(order),
        *(f"{override} {override.holds(as_of)}" for override in overrides),
        str(snapshot.sql("select count(*) as n from core.daily_bars where known_at <= ?", [as_of])["n"][0].as_py()),
        *sorted(f"{exchange} {calendar.last_closed_session(exchange, as_of)}" for exchange in exchanges),
    ]
    digest = hashlib.sha256("\n".join(facts).encode()).hexdigest()
    return f"{snapshot.data_version([DAILY_BARS])}:{snapshot.data_version([TICKER_MAP])}:{digest}"


def _without_instant(rows: pa.Table, as_of: dt.datetime) -> pa.Table:
    """Return the rows but those that these rules wrote at the same instant before."""
    same = pc.equal(rows["known_at"], pa.scalar(as_of, rows.schema.field("known_at").type))
    ours = pc.is_in(rows["rule"], pa.array([rule.name for rule in CHECKS]))
    return rows.filter(pc.invert(pc.and_(same, ours)))


def _of_run(snapshot: Snapshot, table: Table, run_id: str) -> pa.Table:
    rows = snapshot.read(table)
    return rows.filter(pc.equal(rows["run_id"], run_id))
