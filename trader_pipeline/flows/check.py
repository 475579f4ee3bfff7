"""Judge the core tables, keep what was found, and publish the bars that passed."""

import datetime as dt
import hashlib
from collections.abc import Callable, Sequence
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

from trader_pipeline.checks import CHECKS
from trader_pipeline.checks.context import BESIDE, CheckContext, open_lake_context
from trader_pipeline.checks.overrides import Override
from trader_pipeline.checks.peers import peer_moves
from trader_pipeline.checks.report import CheckReport, run_rules, stored_report
from trader_pipeline.checks.window import Window
from trader_pipeline.errors import UsageError, near
from trader_pipeline.flows import vendor_prices
from trader_pipeline.flows.accept import SOURCE_ORDER, AcceptOutcome, accept
from trader_pipeline.flows.check_window import ACTIONS_KNOWN, spoken_of, window_of
from trader_pipeline.flows.judged import judged_bars, published_through, rows_known
from trader_pipeline.lake import Change, Lake, Snapshot
from trader_pipeline.schema import Table
from trader_pipeline.schema.columns import INSTANT
from trader_pipeline.schema.core import DAILY_BARS, SECTORS, TICKER_MAP
from trader_pipeline.schema.quality import FINDINGS, JUDGED_ACTIONS, JUDGED_PARTS, METRICS, PEER_MOVES, QUARANTINE, REPAIRS
from trader_pipeline.settings import CheckSettings

__all__ = ["AcceptOutcome", "CheckReport", "accept", "check", "last_report"]

_MENDERS = ("price_unit", "split_applied", "split_jump", "dividend_adjustment", "dividend_size", "dividend_repeated")

_NO_RETURN_YET = dt.timedelta(days=10)
"""The first session that a window sees has no return, and exchanges differ in which that is."""

_VERSION = "13"
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
    stored report comes back (`changed` False), unless less is published than there was then: an outage may be news again. With
    `settings.only_changed`, where only newer rows came, those and their neighbourhood are judged, and the whole of every ticker of
    which more is to be said. A report of the same `as_of` is replaced; all others are kept.
    """
    require_rules(settings)
    snapshot = lake.snapshot()
    basis = _basis(snapshot, settings, order, overrides)
    inputs = f"{snapshot.data_version([DAILY_BARS])}:{basis}:{_known(snapshot, as_of)}"
    published = published_through(snapshot, as_of)
    stored = snapshot.inputs(QUARANTINE) or ""
    if stored.startswith(f"{inputs}:") and stored.split(":")[3] <= str(published or ""):
        return last_report(snapshot)
    prices = vendor_prices.vendor_prices(snapshot, as_of)
    opened = partial(
        open_lake_context,
        snapshot,
        as_of=as_of,
        settings=settings,
        published_through=published,
        order=order,
        overrides=overrides,
        vendor_prices=prices,
    )
    window = _window(snapshot, settings, stored, basis, as_of)
    report, moves = _judged(opened, window, snapshot.read(PEER_MOVES), run_id)
    rows = report.tables(snapshot.read(QUARANTINE), snapshot.read(REPAIRS), settings.apply_repairs)
    same_instant = _same_instant(as_of)
    paths = [part.path for part in snapshot.parts(DAILY_BARS)]
    whole_at = snapshot.read(JUDGED_PARTS, ["whole_at"])["whole_at"][0].as_py() if window else as_of
    seen = pa.table({"part": pa.array(paths, pa.string()), "whole_at": pa.array([whole_at] * len(paths), INSTANT)})
    lake.publish(
        Change.replace_where(METRICS, rows[METRICS], same_instant),
        Change.replace_where(FINDINGS, rows[FINDINGS], same_instant),
        Change.replace(REPAIRS, rows[REPAIRS]),
        Change.replace(JUDGED_PARTS, report.stamped(JUDGED_PARTS, seen)),
        Change.replace(JUDGED_ACTIONS, report.stamped(JUDGED_ACTIONS, snapshot.sql(ACTIONS_KNOWN, {"as_of": as_of}))),
        Change.replace(PEER_MOVES, report.stamped(PEER_MOVES, moves)),
        Change.replace(QUARANTINE, rows[QUARANTINE], inputs=f"{inputs}:{published or ''}:{run_id}"),
    )
    return report


def require_rules(settings: CheckSettings) -> None:
    """Raise `UsageError` where a name in `apply_repairs` is no rule."""
    for name in sorted(set(settings.apply_repairs) - {rule.name for rule in CHECKS}):
        raise UsageError(f"TRADER_CHECKS__APPLY_REPAIRS: {name!r} is no rule that proposes values; {near(name, _MENDERS)}")


def _judged(opened: Callable[..., CheckContext], window: Window | None, moves: pa.Table, run_id: str) -> tuple[CheckReport, pa.Table]:
    """Run the rules, over everything or through a window, and return what they say with the peers' moves that they saw.

    `moves` are those of the checks before. A rule that said anything of a ticker without its whole history says it again with that.
    """
    context = opened(values=window is None or window.old_changed)
    if window is None:
        return run_rules(CHECKS, context, run_id=run_id), peer_moves(context)
    before = peer_moves(context) if window.old_changed else moves
    before = before.filter(pc.less(before["session"], pa.scalar(window.seen_from + _NO_RETURN_YET)))
    near = opened(window=window, earlier_moves=before)
    spoken = spoken_of(run_rules([rule for rule in CHECKS if not rule.whole], near, run_id=run_id))
    if spoken - window.whole or near.settings.apply_repairs:  # what was repaired is in its bars
        near = opened(window=window.with_whole(spoken), earlier_moves=before)
    return run_rules(CHECKS, context, run_id=run_id, near=near), peer_moves(near)


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


def _basis(snapshot: Snapshot, settings: CheckSettings, order: Sequence[str], overrides: Sequence[Override]) -> str:
    """Return the digest of what a verdict on any row depends on beside the rows: rules, settings, decisions, sectors, listings."""
    return _digest([_VERSION, settings.model_dump_json(), *order, *map(str, overrides), snapshot.data_version([SECTORS, TICKER_MAP])])


def _known(snapshot: Snapshot, as_of: dt.datetime) -> str:
    """Return the digest of what is known at `as_of`: how many rows of each table, which sessions are closed, and which rows those are."""
    clocked = [table for table in BESIDE if "known_at" in table.arrow_schema.names and snapshot.rows(table)]
    counts = [f"{table.full_name} {rows_known(snapshot, table, as_of)}" for table in clocked]
    return _digest([*judged_bars(snapshot, as_of), *counts, snapshot.data_version([TICKER_MAP, *BESIDE, *vendor_prices.TABLES])])


def _window(snapshot: Snapshot, settings: CheckSettings, stored: str, basis: str, as_of: dt.datetime) -> Window | None:
    """Return what must be judged again, None where that is everything."""
    if not settings.only_changed or stored.split(":")[1:2] != [basis]:
        return None
    rules = [rule.name for rule in CHECKS if not rule.whole]
    window = window_of(snapshot, as_of=as_of, run_id=stored.rpartition(":")[2], rules=rules)
    return None if window and window.old_changed and settings.apply_repairs else window  # peers' old moves are of repaired bars


def _digest(facts: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()


def _same_instant(as_of: dt.datetime) -> pa.Table:
    """Return what tells the rows that these rules wrote at the same instant before."""
    rules = [rule.name for rule in CHECKS]
    return pa.table({"known_at": pa.array([as_of] * len(rules), INSTANT), "rule": pa.array(rules, pa.string())})


def _of_run(snapshot: Snapshot, table: Table, run_id: str) -> pa.Table:
    rows = snapshot.read(table)
    return rows.filter(pc.equal(rows["run_id"], run_id))
