"""core tables -> features.panel and features.targets, in one commit."""

import datetime as dt
import hashlib
import logging
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trader_pipeline import calendar
from trader_pipeline.features import FEATURES, PANEL
from trader_pipeline.features.assemble import CoreTables, assemble
from trader_pipeline.features.build import build_panel
from trader_pipeline.features.market import Market
from trader_pipeline.features.targets import build_targets
from trader_pipeline.lake import Change, Lake, Snapshot
from trader_pipeline.schema import Table
from trader_pipeline.schema.core import ACCEPTED_BARS, CHARACTERISTICS, CORPORATE_ACTIONS, MACRO, SECTORS, TICKER_MAP
from trader_pipeline.schema.features import TARGETS

CODE_VERSION = "2"
"""Rises when a formula changes without its declaration."""

_CLOCKED = (ACCEPTED_BARS, CORPORATE_ACTIONS, CHARACTERISTICS, MACRO)
_INPUTS = (*_CLOCKED, SECTORS, TICKER_MAP)
_HELD_MACRO = "select distinct ticker as series, session as observed_on, source from quality.quarantine where table_name = 'core.macro'"
_HELD = """
select table_name, ticker, session, item, source, rule, null::double as ratio from quality.quarantine
where table_name in ('core.macro', 'core.corporate_actions')
union all
select table_name, ticker, session, column_name, source, rule, proposed / stored from quality.repairs
where applied and applied_since <= ? and table_name = 'core.corporate_actions' order by all
"""
"""What of the tables beside the bars is kept out, or repaired by then: core.accepted_bars has its own version."""
_USABLE_MACRO = f"""
with usable as (
    select * from core.macro anti join ({_HELD_MACRO}) using (series, observed_on, source) where known_at <= ? and vintage <> 'latest'
),
chosen as (
    select series, source from usable group by series, source
    qualify row_number() over (partition by series order by bool_or(vintage = 'released') desc, source) = 1
)
select * from usable semi join chosen using (series, source)
"""  # noqa: S608 - a constant
"""Every version of a series from one source, one with vintages first, but for what the checks hold.

What was revised since, without vintages, is look-ahead."""

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


def read_market(snapshot: Snapshot, as_of: dt.datetime) -> Market:
    """Return the dense market of what was known at `as_of`, on the sessions of the tickers' exchanges and any others that bars have."""
    tables = CoreTables(
        accepted_bars=snapshot.known(ACCEPTED_BARS, as_of),
        corporate_actions=snapshot.actions(as_of),
        ticker_map=snapshot.read(TICKER_MAP),
        sectors=snapshot.read(SECTORS),
        characteristics=_known_versions(snapshot, CHARACTERISTICS, as_of),
        macro=snapshot.sql(_USABLE_MACRO, [as_of]),
    )
    exchange = _exchange(tables)
    sessions = _sessions(tables, exchange)
    return assemble(tables, sessions, calendar.known_at_array(exchange, sessions))


def _inputs_version(snapshot: Snapshot, as_of: dt.datetime) -> str:
    """Return what the panel depends on: the parts, how far `as_of` reaches into them, what is held, and the code."""
    newest = [
        snapshot.sql(f"select epoch_us(max(known_at)) n from {table.full_name} where known_at <= ?", [as_of])["n"][0].as_py()  # noqa: S608 - identifiers come from the schema
        for table in _CLOCKED
    ]
    declared = hashlib.sha256(repr([feature.column for feature in FEATURES]).encode()).hexdigest()[:16]
    held = hashlib.sha256(repr(snapshot.sql(_HELD, [as_of]).to_pylist()).encode()).hexdigest()[:16]
    return f"{snapshot.data_version(_INPUTS)}:{newest}:{held}:{declared}:{CODE_VERSION}"


def _known_versions(snapshot: Snapshot, table: Table, as_of: dt.datetime) -> pa.Table:
    return snapshot.sql(f"select * from {table.full_name} where known_at <= ?", [as_of])  # noqa: S608 - identifiers come from the schema


def _exchange(tables: CoreTables) -> str:
    """Return the exchange that most tickers are listed on; XNYS where the map names none."""
    counts = pc.value_counts(tables.ticker_map["exchange"]).to_pylist()
    return str(max(counts, key=lambda c: (c["counts"], c["values"]))["values"]) if counts else "XNYS"


def _sessions(tables: CoreTables, exchange: str) -> calendar.Days:
    days = tables.accepted_bars["session"].to_numpy().astype("datetime64[D]")
    if not len(days):
        return np.empty(0, "datetime64[D]")
    return np.union1d(calendar.sessions(exchange, days.min().item(), days.max().item()), days)


def _outcome(snapshot: Snapshot, *, changed: bool) -> FeatureOutcome:
    if not snapshot.rows(PANEL):
        return FeatureOutcome(rows=0, sessions=0, tickers=0, changed=changed)
    found = snapshot.sql(
        f"select count(*) r, count(distinct session) s, count(distinct ticker) t from {PANEL.full_name}"  # noqa: S608 - identifiers come from the schema
    ).to_pylist()[0]
    return FeatureOutcome(rows=found["r"], sessions=found["s"], tickers=found["t"], changed=changed)
