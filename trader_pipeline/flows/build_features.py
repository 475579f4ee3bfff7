"""core tables -> features.panel, features.targets and features.coverage, in one commit."""

import datetime as dt
import hashlib
import logging
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from trader_pipeline.features import FEATURES, PANEL
from trader_pipeline.features.assemble import CoreTables, assemble
from trader_pipeline.features.build import blocks, build_panel
from trader_pipeline.features.coverage import count_coverage
from trader_pipeline.features.targets import LOOKBACK_SESSIONS, build_targets
from trader_pipeline.flows.feature_past import Past, past
from trader_pipeline.flows.feature_tables import CLOCKED, HELD, INPUTS, History, read_history, read_market, read_tables
from trader_pipeline.flows.known_facts import held_facts
from trader_pipeline.lake import Change, Lake, Part, Snapshot
from trader_pipeline.schema.columns import HORIZONS_SESSIONS
from trader_pipeline.schema.features import COVERAGE, TARGETS

__all__ = ["INPUTS", "FeatureOutcome", "build_features", "read_market"]

CODE_VERSION = "5"
"""Rises when a formula changes without its declaration."""

_MARGIN = 10
"""A dividend on a day without a close is reinvested at the last one before: as far as that may lie before what a feature looks at."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureOutcome:
    """What the panel holds now; `changed` says whether this run wrote it, `added` how many sessions it added to what was there."""

    rows: int
    sessions: int
    tickers: int
    changed: bool
    added: int = 0


def build_features(lake: Lake, *, as_of: dt.datetime, run_id: str) -> FeatureOutcome:
    """Publish features and labels from what was known at `as_of`; do nothing when neither data nor code changed.

    Where new sessions are all that is new, their rows are added, bitwise those of a panel that is made as a whole; and the labels
    that they end are made again.
    """
    snapshot = lake.snapshot()
    version = _inputs_version(snapshot, as_of)
    stored = snapshot.inputs(PANEL) or ""
    together = all(snapshot.inputs(table) == stored for table in (TARGETS, COVERAGE))
    if stored.partition("|")[0] == version and together:
        return _outcome(snapshot, changed=False)
    history = read_history(snapshot, as_of)
    before = Past.read(stored.partition("|")[2]) if together and _same_code(stored, version) else None
    added = _added(lake, snapshot, history, before, as_of=as_of, version=version) if before else 0
    if not added:
        _publish_whole(lake, snapshot, history, as_of=as_of, version=version)
    outcome = _outcome(lake.snapshot(), changed=True, added=added)
    _log.info(
        "run %s built %d features of %d tickers x %d sessions, %s",
        run_id,
        len(FEATURES),
        outcome.tickers,
        outcome.sessions,
        f"{added} of them new" if added else "all anew",
    )
    return outcome


def _publish_whole(lake: Lake, snapshot: Snapshot, history: History, *, as_of: dt.datetime, version: str) -> None:
    tables = read_tables(snapshot, as_of)
    market = assemble(tables, history.sessions, history.known_at)
    staged: list[Part] = []
    counted = []
    for start, stop in blocks(market, FEATURES):
        rows = build_panel(market, FEATURES, start=start, stop=stop)
        staged += lake.stage(PANEL, rows)
        counted.append(count_coverage(rows, FEATURES))
    inputs = _inputs(snapshot, tables, history, version, as_of)
    lake.publish(
        Change.replace_staged(PANEL, tuple(staged), inputs=inputs),
        Change.replace(TARGETS, build_targets(market), inputs=inputs),
        Change.replace(COVERAGE, pa.concat_tables(counted) if counted else COVERAGE.empty(), inputs=inputs),
    )


def _added(lake: Lake, snapshot: Snapshot, history: History, before: Past, *, as_of: dt.datetime, version: str) -> int:
    """Add the rows of the sessions after `before`, and return how many sessions those are; 0 where more than that changed."""
    sessions = history.sessions
    old = int(np.searchsorted(sessions, np.datetime64(before.last), "right"))
    labels = max(0, old - max(HORIZONS_SESSIONS))
    begin = min(old - max(feature.lookback_sessions for feature in FEATURES), labels - LOOKBACK_SESSIONS) - _MARGIN
    if not (begin > 0 and old < len(sessions) and before.as_of <= as_of):
        return 0
    tables = read_tables(snapshot, as_of, since=sessions[begin].item())
    if changed := past(snapshot, tables, history, last=before.last, as_of=as_of).differing(before):
        _log.info("older rows of %s changed: the panel is made anew", ", ".join(changed))
        return 0
    market = assemble(tables, sessions, history.known_at, start=begin, first_bars=history.first_bars)
    inputs = _inputs(snapshot, tables, history, version, as_of)
    rows = build_panel(market, FEATURES, start=old - begin)
    lake.publish(
        Change.append(PANEL, rows, inputs=inputs),
        Change.upsert(TARGETS, build_targets(market, start=labels - begin), inputs=inputs),
        Change.append(COVERAGE, count_coverage(rows, FEATURES), inputs=inputs),
    )
    return len(sessions) - old


def _inputs(snapshot: Snapshot, tables: CoreTables, history: History, version: str, as_of: dt.datetime) -> str:
    """Return the version with what the rows up to the newest session were made from."""
    if not len(history.sessions):
        return version
    return f"{version}|{past(snapshot, tables, history, last=history.sessions[-1].item(), as_of=as_of)}"


def _same_code(stored: str, version: str) -> bool:
    return stored.partition("|")[0].split(":")[-2:] == version.split(":")[-2:]


def _inputs_version(snapshot: Snapshot, as_of: dt.datetime) -> str:
    """Return what the panel depends on: the parts, how far `as_of` reaches into them, what is held, and the code."""
    newest = [
        snapshot.sql(f"select epoch_us(max(known_at)) n from {table.full_name} where known_at <= ?", [as_of])["n"][0].as_py()  # noqa: S608 - identifiers come from the schema
        for table in CLOCKED
    ]
    declared = hashlib.sha256(repr([feature.column for feature in FEATURES]).encode()).hexdigest()[:16]
    held = hashlib.sha256(repr([*snapshot.sql(HELD, [as_of]).to_pylist(), *held_facts(snapshot)]).encode()).hexdigest()[:16]
    return f"{snapshot.data_version(INPUTS)}:{newest}:{held}:{declared}:{CODE_VERSION}"


def _outcome(snapshot: Snapshot, *, changed: bool, added: int = 0) -> FeatureOutcome:
    if not snapshot.rows(PANEL):
        return FeatureOutcome(rows=0, sessions=0, tickers=0, changed=changed)
    found = snapshot.sql(
        f"select count(*) r, count(distinct session) s, count(distinct ticker) t from {PANEL.full_name}"  # noqa: S608 - identifiers come from the schema
    ).to_pylist()[0]
    return FeatureOutcome(rows=found["r"], sessions=found["s"], tickers=found["t"], changed=changed, added=added)
