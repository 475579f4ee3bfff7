"""core tables -> features.panel and features.targets, in one commit."""

import datetime as dt
import hashlib
import logging
from dataclasses import dataclass

from trader_pipeline.features import FEATURES, PANEL
from trader_pipeline.features.build import build_panel
from trader_pipeline.features.targets import build_targets
from trader_pipeline.flows.feature_tables import CLOCKED, HELD, INPUTS, read_market
from trader_pipeline.lake import Change, Lake, Snapshot
from trader_pipeline.schema.features import TARGETS

__all__ = ["INPUTS", "FeatureOutcome", "build_features", "read_market"]

CODE_VERSION = "2"
"""Rises when a formula changes without its declaration."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureOutcome:
    """What the panel holds now; `changed` says whether this run wrote it."""

    rows: int
    sessions: int
    tickers: int
    changed: bool


def build_features(lake: Lake, *, as_of: dt.datetime, run_id: str) -> FeatureOutcome:
    """Publish features and labels from what was known at `as_of`; do nothing when neither data nor code changed."""
    snapshot = lake.snapshot()
    inputs = _inputs_version(snapshot, as_of)
    if snapshot.inputs(PANEL) == inputs and snapshot.inputs(TARGETS) == inputs:
        return _outcome(snapshot, changed=False)
    market = read_market(snapshot, as_of)
    lake.publish(
        Change.replace(PANEL, build_panel(market, FEATURES), inputs=inputs),
        Change.replace(TARGETS, build_targets(market), inputs=inputs),
    )
    outcome = _outcome(lake.snapshot(), changed=True)
    _log.info("run %s built %d features of %d tickers x %d sessions", run_id, len(FEATURES), outcome.tickers, outcome.sessions)
    return outcome


def _inputs_version(snapshot: Snapshot, as_of: dt.datetime) -> str:
    """Return what the panel depends on: the parts, how far `as_of` reaches into them, what is held, and the code."""
    newest = [
        snapshot.sql(f"select epoch_us(max(known_at)) n from {table.full_name} where known_at <= ?", [as_of])["n"][0].as_py()  # noqa: S608 - identifiers come from the schema
        for table in CLOCKED
    ]
    declared = hashlib.sha256(repr([feature.column for feature in FEATURES]).encode()).hexdigest()[:16]
    held = hashlib.sha256(repr(snapshot.sql(HELD).to_pylist()).encode()).hexdigest()[:16]
    return f"{snapshot.data_version(INPUTS)}:{newest}:{held}:{declared}:{CODE_VERSION}"


def _outcome(snapshot: Snapshot, *, changed: bool) -> FeatureOutcome:
    if not snapshot.rows(PANEL):
        return FeatureOutcome(rows=0, sessions=0, tickers=0, changed=changed)
    found = snapshot.sql(
        f"select count(*) r, count(distinct session) s, count(distinct ticker) t from {PANEL.full_name}"  # noqa: S608 - identifiers come from the schema
    ).to_pylist()[0]
    return FeatureOutcome(rows=found["r"], sessions=found["s"], tickers=found["t"], changed=changed)
