"""The gate before training and before predictions: what the last checks block, and what is too old, stops them unless they are forced."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from trader_pipeline import calendar
from trader_pipeline.errors import BlockedByDataError
from trader_pipeline.features import PANEL
from trader_pipeline.lake import Snapshot
from trader_pipeline.schema.core import ACCEPTED_BARS
from trader_pipeline.schema.quality import QUARANTINE
from trader_pipeline.settings import CheckSettings

EXCHANGE = "XNYS"
FORCE = "--force (in the Launchpad: force) goes on all the same, and the run says so"
REFETCH = "`trader run` fetches and checks again, --as-of speaks of an earlier session"

_FAILED = """
with failed as (select distinct table_name, rule from quality.metrics where run_id = $run_id and not passed)
select table_name, rule, string_agg(f.message, '; ' order by f.message) as fact
from failed left join (
  select * from quality.findings where run_id = $run_id and scope = 'table' and severity = 'error'
) f using (table_name, rule)
group by table_name, rule order by table_name, rule"""


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
            found.append(Block(table=table.full_name, rule="staleness", fact=fact))
    return tuple(found)


def require(blocks: Sequence[Block], *, what: str, force: bool) -> tuple[Block, ...]:
    """Raise `BlockedByDataError` that names what blocks; with `force` return it, for the run to record."""
    if blocks and not force:
        raise BlockedByDataError(f"{what} is refused: {'; '.join(map(str, blocks))}. {REFETCH}; {FORCE}")
    return tuple(blocks)
