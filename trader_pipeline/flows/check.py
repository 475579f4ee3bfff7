"""Judge the core tables, keep what was found, and publish the bars that passed."""

import datetime as dt
import hashlib
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from trader_pipeline import calendar
from trader_pipeline.checks import CHECKS
from trader_pipeline.checks.context import BESIDE, DEFAULT_EXCHANGE, exchanges_without_calendar, open_context
from trader_pipeline.checks.report import CheckReport, run_rules, stored_report
from trader_pipeline.flows import vendor_prices
from trader_pipeline.flows.accept import SOURCE_ORDER, AcceptOutcome, accept
from trader_pipeline.lake import Change, Lake, Snapshot
from trader_pipeline.schema import Table
from trader_pipeline.schema.core import CORPORATE_ACTIONS, DAILY_BARS, TICKER_MAP
from trader_pipeline.schema.quality import FINDINGS, METRICS, QUARANTINE
from trader_pipeline.settings import CheckSettings

__all__ = ["AcceptOutcome", "CheckReport", "accept", "check", "last_report"]

_VERSION = "4"
"""Raise it when a rule changes its mind about the same rows."""

_KNOWN = """
select * from core.daily_bars where known_at <= ?
qualify rank() over (partition by ticker, session, source order by known_at desc) = 1
order by ticker, session, source
"""
_ACTIONS = """
with leads as (
  select ticker, source as lead, min(session) as low, max(session) as high from core.daily_bars where known_at <= $as_of
  group by ticker, source
  qualify row_number() over (partition by ticker order by coalesce(list_position($order::varchar[], source), 1000), source) = 1
), newest as (
  select * from core.corporate_actions where known_at <= $as_of
  qualify row_number() over (partition by ticker, session, kind, source order by known_at desc) = 1
), placed as (
  select a.*, coalesce(a.session between l.low and l.high, false) as inside, a.source = l.lead as led,
    coalesce(list_position($order::varchar[], a.source), 1000) as place
  from newest a left join leads l using (ticker)
  where a.value <> case a.kind when 'split' then 1.0 else 0.0 end
)
select * exclude (inside, led, place) from placed where led or not inside
qualify row_number() over (partition by ticker, session, kind order by place, source) = 1 order by ticker, session, kind
"""
"""Of a ticker's first source while it has bars, of whichever source has some outside: two sources may date one split a session apart."""


def check(lake: Lake, *, as_of: dt.datetime, settings: CheckSettings, run_id: str, order: Sequence[str] = SOURCE_ORDER) -> CheckReport:
    """Run every rule over what core knows at `as_of` and publish metrics, findings and quarantine in one commit.

    `order` ranks the sources: a later one stands in for an earlier one.

    Where the same rows were judged at the same last closed session by the same settings, nothing is written and the stored
    report comes back (`changed` False). A report of the same `as_of` is replaced; all others are kept.
    """
    snapshot = lake.snapshot()
    inputs = _inputs(snapshot, as_of, settings, order)
    stored = snapshot.inputs(QUARANTINE)
    if stored and stored.startswith(f"{inputs}:"):
        return last_report(snapshot)
    context = open_context(
        snapshot.sql(_KNOWN, [as_of]),
        snapshot.read(TICKER_MAP),
        as_of=as_of,
        settings=settings,
        published_through=snapshot.sql("select max(session) as day from core.accepted_bars")["day"][0].as_py(),
        order=order,
        beside={table: _beside(snapshot, table, as_of, order) for table in BESIDE if snapshot.rows(table)},
        vendor_prices=vendor_prices.vendor_prices(snapshot, as_of),
    )
    report = run_rules(CHECKS, context, run_id=run_id)
    rows = report.tables()
    kept = {table: _without_instant(snapshot.read(table), as_of) for table in (METRICS, FINDINGS)}
    stamp = f"{inputs}:{run_id}"
    lake.publish(
        Change.replace(METRICS, pa.concat_tables([kept[METRICS], rows[METRICS]])),
        Change.replace(FINDINGS, pa.concat_tables([kept[FINDINGS], rows[FINDINGS]])),
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
        run_id=run_id,
        as_of=metrics["known_at"][0].as_py(),
    )


def _beside(snapshot: Snapshot, table: Table, as_of: dt.datetime, order: Sequence[str]) -> pa.Table:
    """Return the rows of a table as known at `as_of`; one without a clock as it is."""
    if table is CORPORATE_ACTIONS:
        return snapshot.sql(_ACTIONS, {"as_of": as_of, "order": list(order)})
    return snapshot.known(table, as_of) if _has_clock(table) else snapshot.read(table)


def _has_clock(table: Table) -> bool:
    return "known_at" in table.arrow_schema.names


def _inputs(snapshot: Snapshot, as_of: dt.datetime, settings: CheckSettings, order: Sequence[str]) -> str:
    """Everything that the verdict depends on: rows known, sessions closed, settings, code."""
    listed = snapshot.read(TICKER_MAP, ["exchange"]).to_pylist()
    exchanges = {DEFAULT_EXCHANGE, *(row["exchange"] for row in listed)}.difference(exchanges_without_calendar(listed))
    tables = [table for table in (DAILY_BARS, *BESIDE) if snapshot.rows(table)]
    facts = [
        _VERSION,
        settings.model_dump_json(),
        " ".join(order),
        snapshot.data_version([*tables, *vendor_prices.TABLES]),
        *(f"{table.full_name} {_known(snapshot, table, as_of)}" for table in tables if _has_clock(table)),
        *sorted(f"{exchange} {calendar.last_closed_session(exchange, as_of)}" for exchange in exchanges),
    ]
    digest = hashlib.sha256("\n".join(facts).encode()).hexdigest()
    return f"{snapshot.data_version([DAILY_BARS])}:{snapshot.data_version([TICKER_MAP])}:{digest}"


def _known(snapshot: Snapshot, table: Table, as_of: dt.datetime) -> int:
    """Return how many rows of a table are known at `as_of`."""
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
