"""The gate before training and before predictions: what the last checks block, and what is too old, stops them unless they are forced."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from trader_pipeline import calendar
from trader_pipeline.checks.rule import EVERY, counted
from trader_pipeline.errors import BlockedByDataError
from trader_pipeline.features import PANEL
from trader_pipeline.lake import Change, Snapshot
from trader_pipeline.schema.core import ACCEPTED_BARS
from trader_pipeline.schema.outputs import DAILY
from trader_pipeline.schema.quality import FINDINGS, FORCED, QUARANTINE
from trader_pipeline.settings import CheckSettings

EXCHANGE = "XNYS"
FORCE = "--force (in the Launchpad: force) goes on all the same, and the run says so"
HELD_MEND = "`trader run` lets through what a fetch heals, overrides.toml what you know to be right (README, When a check objects)"
REFETCH = "`trader run` fetches and checks again, --as-of speaks of an earlier session"

_FAILED = """
with failed as (select distinct table_name, rule from quality.metrics where run_id = $run_id and not passed)
select table_name, rule, string_agg(f.message, '; ' order by f.message) as fact
from failed left join (
  select * from quality.findings where run_id = $run_id and scope = 'table' and severity = 'error'
) f using (table_name, rule)
group by table_name, rule order by table_name, rule"""


_HELD = """
select rule, count(*) as days, list(distinct ticker order by ticker) as tickers from (
  select distinct rule, ticker, session from quality.quarantine
  where table_name = 'core.daily_bars' and session between ? and ?
) anti join core.accepted_bars using (ticker, session)
group by rule order by days desc, rule"""
_SHOWN = 5
"""Tickers that a message names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Why nothing may follow: the table, the rule, the fact."""

    table: str
    rule: str
    fact: str

    def __str__(self) -> str:
        return f"{self.table}: {self.rule}: {self.fact}"


def failed_checks(snapshot: Snapshot) -> tuple[Block, ...]:
    """Return the rules that failed at table scope when the tables were checked last, also where what they left is of another version."""
    newest = snapshot.sql("select run_id from quality.metrics order by known_at desc, run_id desc limit 1")["run_id"].to_pylist()
    run_id = (snapshot.inputs(QUARANTINE) or "").rpartition(":")[2] or next(iter(newest), "")
    rows = snapshot.sql(_FAILED, {"run_id": run_id}).to_pylist()
    return tuple(Block(table=r["table_name"], rule=r["rule"], fact=r["fact"] or "failed in the last checks") for r in rows)


def too_old(snapshot: Snapshot, session: dt.date, checks: CheckSettings) -> tuple[Block, ...]:
    """Return the tables that training reads and that end `stale_error` sessions or more before `session`; one that is empty is not old."""
    found = []
    for table in (ACCEPTED_BARS, PANEL):
        query = f"select max(session) as day from {table.full_name} where session <= ?"  # noqa: S608 - a table of the schema
        newest = snapshot.sql(query, [session])["day"][0].as_py() if snapshot.rows(table) else None
        behind = len(calendar.sessions(EXCHANGE, newest + dt.timedelta(days=1), session)) if newest else 0
        if newest and behind >= checks.stale_error:
            fact = f"ends {newest}, {behind} sessions before {session}, {checks.stale_error} are too many (checks.stale_error)"
            if held := held_back(snapshot, newest + dt.timedelta(days=1), session):
                fact += f"; {held}"
            found.append(Block(table=table.full_name, rule="staleness", fact=fact))
    return tuple(found)


def held_back(snapshot: Snapshot, first: dt.date, last: dt.date) -> str:
    """Return which rules hold how many ticker-days of which tickers from `first` to `last`, and the mend; empty where none does.

    Days that another source stands in for are not held.
    """
    rows = snapshot.sql(_HELD, [first, last]).to_pylist()
    if not rows:
        return ""
    held = [f"{row['rule']} {counted(row['days'], 'ticker-day')} of {_named(row['tickers'])}" for row in rows]
    return f"the checks hold {'; '.join(held)}; {HELD_MEND}"


def _named(tickers: Sequence[str]) -> str:
    more = f" and {len(tickers) - _SHOWN} more" if len(tickers) > _SHOWN else ""
    return ", ".join(tickers[:_SHOWN]) + more


def require(blocks: Sequence[Block], *, what: str, force: bool) -> tuple[Block, ...]:
    """Raise `BlockedByDataError` that names what blocks; with `force` return it, for the run to record."""
    if blocks and not force:
        raise BlockedByDataError(f"{what} is refused: {'; '.join(map(str, blocks))}. {REFETCH}; {FORCE}")
    return tuple(blocks)


def forced_session(blocks: Sequence[Block], *, session: dt.date, as_of: dt.datetime, run_id: str) -> Change:
    """Return what makes quality.findings say which blocks the session's predictions were made in spite of; none takes back what it said."""
    about = {"table_name": DAILY.full_name, "rule": FORCED, "first_session": session}
    said = {"run_id": run_id, "ticker": EVERY, "source": EVERY, "severity": "warning", "scope": "session", "last_session": session}
    row = about | said | {"sessions": 1, "value": None, "message": "; ".join(map(str, blocks)), "known_at": as_of}
    rows = pa.Table.from_pylist([row] if blocks else [], schema=FINDINGS.arrow_schema)
    return Change.replace_where(
        FINDINGS, rows, pa.Table.from_pylist([about], schema=pa.schema([FINDINGS.arrow_schema.field(n) for n in about]))
    )
