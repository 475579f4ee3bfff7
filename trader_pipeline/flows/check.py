"""Judge the core tables, keep what was found, and publish the bars that passed."""

import datetime as dt
import hashlib
from collections.abc import Callable, Sequence
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

from trader_pipeline import calendar
from trader_pipeline.checks import CHECKS
from trader_pipeline.checks.context import BESIDE, DEFAULT_EXCHANGE, CheckContext, exchanges_without_calendar, open_lake_context
from trader_pipeline.checks.overrides import Override
from trader_pipeline.checks.report import CheckReport, run_rules, stored_report
from trader_pipeline.checks.window import Earlier
from trader_pipeline.errors import UsageError
from trader_pipeline.flows import vendor_prices
from trader_pipeline.flows.accept import SOURCE_ORDER, AcceptOutcome, accept
from trader_pipeline.flows.check_window import window_of
from trader_pipeline.lake import Change, Lake, Snapshot
from trader_pipeline.schema import Table
from trader_pipeline.schema.columns import INSTANT
from trader_pipeline.schema.core import DAILY_BARS, SECTORS, TICKER_MAP
from trader_pipeline.schema.quality import FINDINGS, JUDGED_PARTS, METRICS, QUARANTINE, REPAIRS
from trader_pipeline.settings import CheckSettings

__all__ = ["AcceptOutcome", "CheckReport", "accept", "check", "last_report"]

_MENDERS = ("price_unit", "split_applied")

_VERSION = "8"
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
    """Run every rule over what is known at `as_of` and publish metrics, findings and quarantine in one commit.

    `order` ranks the sources: a later one stands in for an earlier one. `overrides` are what people decided.

    Where the same rows were judged at the same last closed session by the same settings and decisions, nothing is written and the
    stored report comes back (`changed` False). With `settings.only_changed`, where only newer rows came, those and their neighbourhood are
    judged, and what was said of older ones stands, for 35 days. A report of the same `as_of` is replaced; all others are kept.
    """
    if unknown := sorted(set(settings.apply_repairs) - {rule.name for rule in CHECKS}):
        raise UsageError(f"TRADER_CHECKS__APPLY_REPAIRS names {unknown}, which are no rules; {', '.join(_MENDERS)} propose values of bars")
    snapshot = lake.snapshot()
    basis = _basis(snapshot, as_of, settings, order, overrides)
    inputs = f"{snapshot.data_version([DAILY_BARS])}:{basis}:{_known(snapshot, as_of)}"
    stored = snapshot.inputs(QUARANTINE)
    if stored and stored.startswith(f"{inputs}:"):
        return last_report(snapshot)
    earlier = _earlier(snapshot, settings, stored or "", basis, as_of)
    prices = vendor_prices.vendor_prices(snapshot, as_of)
    opened = partial(open_lake_context, snapshot, as_of=as_of, settings=settings, order=order, overrides=overrides, vendor_prices=prices)
    report = _judged(opened, earlier, run_id)
    rows = report.tables(snapshot.read(QUARANTINE), settings.apply_repairs)
    kept = {table: _without_instant(snapshot.read(table), as_of) for table in (METRICS, FINDINGS)}
    paths = [part.path for part in snapshot.parts(DAILY_BARS)]
    whole_at = earlier.whole_at if earlier else as_of
    seen = pa.table({"part": pa.array(paths, pa.string()), "whole_at": pa.array([whole_at] * len(paths), INSTANT)})
    lake.publish(
        Change.replace(METRICS, pa.concat_tables([kept[METRICS], rows[METRICS]])),
        Change.replace(FINDINGS, pa.concat_tables([kept[FINDINGS], rows[FINDINGS]])),
        Change.replace(REPAIRS, rows[REPAIRS]),
        Change.replace(JUDGED_PARTS, report.stamped(JUDGED_PARTS, seen)),
        Change.replace(QUARANTINE, rows[QUARANTINE], inputs=f"{inputs}:{run_id}"),
    )
    return report


def _judged(opened: Callable[..., CheckContext], earlier: Earlier | None, run_id: str) -> CheckReport:
    """Run the rules: over everything, or where they spoke `earlier` over what changed and its neighbourhood."""
    context = opened(values=earlier is None)
    if earlier is None:
        return run_rules(CHECKS, context, run_id=run_id)
    report = run_rules(CHECKS, context, run_id=run_id, near=opened(window=earlier.window), earlier=earlier)
    near_only = {rule.name for rule in CHECKS if not rule.whole}
    torn = earlier.torn(pa.concat_tables([result.findings for result in report.results if result.rule in near_only]))
    if not torn:
        return report
    earlier = earlier.with_whole(torn)
    return run_rules(CHECKS, context, run_id=run_id, near=opened(window=earlier.window), earlier=earlier)


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


def _basis(snapshot: Snapshot, as_of: dt.datetime, settings: CheckSettings, order: Sequence[str], overrides: Sequence[Override]) -> str:
    """Return the digest of what a verdict on any row depends on beside the rows: rules, settings, decisions, sectors."""
    decisions = [f"{override} {override.holds(as_of)}" for override in overrides]
    return _digest([_VERSION, settings.model_dump_json(), *order, *decisions, snapshot.data_version([SECTORS])])


def _known(snapshot: Snapshot, as_of: dt.datetime) -> str:
    """Return the digest of what is known at `as_of`: how many rows of each table, which sessions are closed, and which rows those are."""
    listed = snapshot.read(TICKER_MAP, ["exchange"]).to_pylist()
    exchanges = {DEFAULT_EXCHANGE, *(row["exchange"] for row in listed)}.difference(exchanges_without_calendar(listed))
    closed = sorted(f"{exchange} {calendar.last_closed_session(exchange, as_of)}" for exchange in exchanges)
    clocked = [table for table in (DAILY_BARS, *BESIDE) if "known_at" in table.arrow_schema.names and snapshot.rows(table)]
    counts = [f"{table.full_name} {_rows_known(snapshot, table, as_of)}" for table in clocked]
    return _digest([*counts, *closed, snapshot.data_version([TICKER_MAP, *BESIDE, *vendor_prices.TABLES])])


def _earlier(snapshot: Snapshot, settings: CheckSettings, stored: str, basis: str, as_of: dt.datetime) -> Earlier | None:
    """Return what the last checks said and what must be judged again, None where that is everything."""
    run_id = stored.rpartition(":")[2]
    if not settings.only_changed or stored.split(":")[1:2] != [basis]:
        return None
    judged = snapshot.read(JUDGED_PARTS)
    if not judged.num_rows:
        return None
    window = window_of(
        snapshot,
        seen=frozenset(judged["part"].to_pylist()),
        before=judged["known_at"][0].as_py(),
        whole_at=judged["whole_at"][0].as_py(),
        as_of=as_of,
        run_id=run_id,
        rules=[rule.name for rule in CHECKS if not rule.whole],
    )
    if window is None:
        return None
    return Earlier(
        window=window,
        whole_at=judged["whole_at"][0].as_py(),
        findings=_of_run(snapshot, FINDINGS, run_id),
        quarantine=snapshot.read(QUARANTINE),
        repairs=snapshot.read(REPAIRS),
    )


def _digest(facts: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()


def _rows_known(snapshot: Snapshot, table: Table, as_of: dt.datetime) -> int:
    rows = snapshot.sql(f"select count(*) as n from {table.full_name} where known_at <= ?", [as_of])  # noqa: S608 - identifiers come from the schema
    n: int = rows["n"][0].as_py()
    return n


def _without_instant(rows: pa.Table, as_of: dt.datetime) -> pa.Table:
    """Return the rows but those that these rules wrote at the same instant before."""
    same = pc.equal(rows["known_at"], pa.scalar(as_of, rows.schema.field("known_at").type))
    ours = pc.is_in(rows["rule"], pa.array([rule.name for rule in CHECKS]))
    return rows.filter(pc.invert(pc.and_(same, ours)))


def _of_run(snapshot: Snapshot, table: Table, run_id: str) -> pa.Table:
    rows = snapshot.read(table)
    return rows.filter(pc.equal(rows["run_id"], run_id))
