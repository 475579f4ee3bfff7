"""Publish core.accepted_bars: what passed the checks, one source a ticker-session."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from trader_pipeline.checks.mended import FACTORS, VALUES
from trader_pipeline.errors import BlockedByDataError
from trader_pipeline.flows.judged import judged_bars, rows_known
from trader_pipeline.lake import Change, Lake, Snapshot
from trader_pipeline.schema.core import ACCEPTED_BARS, DAILY_BARS
from trader_pipeline.schema.quality import QUARANTINE, REPAIRS

SOURCE_ORDER = ("sample", "own", "simulated", "yahoo", "fmp", "tiingo")
"""First source wins; a later one stands in where no earlier one has a row that passes. Of live data the settings say the order."""

_VERSION = "4"

_PASSED = f"""
with known as (
  select * from core.daily_bars where known_at <= $as_of
  qualify row_number() over (partition by ticker, session, source order by known_at desc) = 1
), repaired as (
  select ticker, session, source, max(applied_since) as repaired_at, string_agg(distinct rule, ', ' order by rule) as rules, {FACTORS}
  from quality.repairs
  where applied_since <= $as_of and table_name = 'core.daily_bars' and stored <> 0 and column_name in {VALUES}
  group by all
), mended as (
  select k.* replace (
      greatest(k.known_at, r.repaired_at) as known_at, {", ".join(f"k.{name} * coalesce(r.{name}, 1) as {name}" for name in VALUES)}),
    r.rules as repaired
  from known k left join repaired r using (ticker, session, source)
), barred as (
  select q.ticker, q.session, q.source from quality.quarantine q left join mended m using (ticker, session, source)
  where q.table_name = 'core.daily_bars' and not coalesce(list_contains(string_split(m.repaired, ', '), q.rule), false)
)
select ticker, session, known_at, source, open, high, low, close, volume_shares,
  case when currency = 'USD' and price_unit = 'USD' then close end as close_usd, repaired
from mended anti join barred using (ticker, session, source)
where $held_from is null or session < $held_from
qualify row_number() over (partition by ticker, session order by list_position($order, source)) = 1
order by ticker, session
"""  # noqa: S608 - names of the schema
_HELD = """
select min(first_session) as day from quality.findings
where run_id = ? and rule = 'missing_dates' and scope = 'session' and severity = 'error'
"""
_BLOCKS = """
select distinct f.rule, f.message from quality.findings f
join (select distinct rule from quality.metrics where run_id = $run_id and not passed) using (rule)
where f.run_id = $run_id and f.scope = 'table' and f.severity = 'error' order by all
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptOutcome:
    """What is accepted now: rows, tickers, and ticker-days kept out. `held_from` is the session of an outage that stops the rest."""

    rows: int
    tickers: int
    quarantined: int
    held_from: dt.date | None
    changed: bool


def accept(lake: Lake, *, as_of: dt.datetime, run_id: str, order: Sequence[str] = SOURCE_ORDER, force: bool = False) -> AcceptOutcome:  # noqa: ARG001 - every flow takes the run's id
    """Publish the newest version known at `as_of` of the first source in `order` that passes, for each ticker and session.

    A row whose repair the settings apply carries the repaired values, and the rule's name, from the instant on at which the repair was
    first applied. What other rules hold against the repaired row keeps it out all the same. Benchmarks are included.

    Raises `BlockedByDataError` when core.daily_bars changed since it was checked, when other rows are known or other sessions closed at
    `as_of` than at the instant of the checks, or when the last checks failed at table scope and `force` is not set; core.accepted_bars
    then stays as it was.
    """
    snapshot = lake.snapshot()
    run = _require_pass(snapshot, as_of, force=force)
    held_from = _held_from(snapshot, run)
    known = rows_known(snapshot, DAILY_BARS, as_of)
    inputs = f"{snapshot.data_version([DAILY_BARS, QUARANTINE, REPAIRS])}:{known}:{held_from}:{' '.join(order)}:{_VERSION}"
    changed = snapshot.inputs(ACCEPTED_BARS) != inputs
    if changed:
        rows = snapshot.sql(_PASSED, {"as_of": as_of, "held_from": held_from, "order": list(order)})
        lake.publish(Change.replace(ACCEPTED_BARS, rows, inputs=inputs))
        snapshot = lake.snapshot()
    counts = snapshot.sql(
        "select (select count(*) from core.accepted_bars) as n, (select count(distinct ticker) from core.accepted_bars) as tickers, "
        "(select count(*) from (select distinct ticker, session, source from quality.quarantine "
        "where table_name = 'core.daily_bars')) as quarantined"
    ).to_pylist()[0]
    return AcceptOutcome(
        rows=counts["n"], tickers=counts["tickers"], quarantined=counts["quarantined"], held_from=held_from, changed=changed
    )


def outage_hold(snapshot: Snapshot) -> dt.date | None:
    """Return the session from which on the last checks hold everything back, None where no outage does."""
    return _held_from(snapshot, (snapshot.inputs(QUARANTINE) or "").rpartition(":")[2])


def _held_from(snapshot: Snapshot, run_id: str) -> dt.date | None:
    day: dt.date | None = snapshot.sql(_HELD, [run_id])["day"][0].as_py()
    return day


def _require_pass(snapshot: Snapshot, as_of: dt.datetime, *, force: bool) -> str:
    """Return the id of the last checks' run, or raise."""
    version, _, rest = (snapshot.inputs(QUARANTINE) or "").partition(":")
    if version != snapshot.data_version([DAILY_BARS]):
        raise BlockedByDataError(f"{DAILY_BARS.full_name} changed since it was checked; run the checks (`trader run`) before accepting")
    run: str = rest.rpartition(":")[2]
    judged_at = snapshot.sql("select max(known_at) as at from quality.metrics where run_id = ?", [run])["at"][0].as_py()
    if judged_bars(snapshot, judged_at) != judged_bars(snapshot, as_of):
        raise BlockedByDataError(
            f"the last checks judged what was known at {judged_at:%Y-%m-%d %H:%M} UTC, {DAILY_BARS.full_name} is to be accepted as "
            f"known at {as_of:%Y-%m-%d %H:%M} UTC; run the checks of that session (`trader run --as-of`) before accepting"
        )
    blocks = snapshot.sql(_BLOCKS, {"run_id": run}).to_pylist()
    if blocks and not force:
        raise BlockedByDataError("; ".join(f"{b['rule']}: {b['message']}" for b in blocks))
    return run
