"""Publish core.accepted_bars: what passed the checks, one source a ticker-session."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from trader_pipeline.errors import BlockedByDataError
from trader_pipeline.lake import Change, Lake, Snapshot
from trader_pipeline.schema.core import ACCEPTED_BARS, DAILY_BARS
from trader_pipeline.schema.quality import QUARANTINE, REPAIRS

SOURCE_ORDER = ("sample", "own", "simulated", "yahoo", "fmp", "tiingo")
"""First source wins; a later one stands in where no earlier one has a row that passes. Of live data the settings say the order."""

_VERSION = "3"

_PASSED = """
with known as (
  select * from core.daily_bars where known_at <= $as_of
  qualify row_number() over (partition by ticker, session, source order by known_at desc) = 1
), repaired as (
  select ticker, session, source, max(known_at) as repaired_at, string_agg(distinct rule, ', ' order by rule) as rules,
    product(proposed / stored) filter (column_name = 'open') as open, product(proposed / stored) filter (column_name = 'high') as high,
    product(proposed / stored) filter (column_name = 'low') as low, product(proposed / stored) filter (column_name = 'close') as close,
    product(proposed / stored) filter (column_name = 'volume_shares') as volume_shares
  from quality.repairs where applied and table_name = 'core.daily_bars' group by all
), mended as (
  select k.* replace (
      greatest(k.known_at, r.repaired_at) as known_at, k.open * coalesce(r.open, 1) as open, k.high * coalesce(r.high, 1) as high,
      k.low * coalesce(r.low, 1) as low, k.close * coalesce(r.close, 1) as close,
      k.volume_shares * coalesce(r.volume_shares, 1) as volume_shares),
    r.rules as repaired
  from known k left join repaired r using (ticker, session, source)
), barred as (
  select q.ticker, q.session, q.source from quality.quarantine q left join mended m using (ticker, session, source)
  where q.table_name = 'core.daily_bars' and not coalesce(
    (m.repaired is not null and q.rule = 'ohlc_order' or list_contains(string_split(m.repaired, ', '), q.rule))
    and m.low <= least(m.open, m.close) and m.high >= greatest(m.open, m.close) and m.low > 0, false)
)
select ticker, session, known_at, source, open, high, low, close, volume_shares,
  case when currency = 'USD' and price_unit = 'USD' then close end as close_usd, repaired
from mended anti join barred using (ticker, session, source)
where $held_from is null or session < $held_from
qualify row_number() over (partition by ticker, session order by list_position($order, source)) = 1
order by ticker, session
"""
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

    A row whose repair the settings apply carries the repaired values from the instant of the repair on, and the rule's name. What
    other rules than `ohlc_order` hold against it keeps it out all the same. Benchmarks are included.

    Raises `BlockedByDataError` when core.daily_bars changed since it was checked, or when the last checks failed at table scope and
    `force` is not set; core.accepted_bars then stays as it was.
    """
    snapshot = lake.snapshot()
    run = _require_pass(snapshot, force=force)
    held_from = _held_from(snapshot, run)
    known = snapshot.sql("select count(*) as n from core.daily_bars where known_at <= ?", [as_of])["n"][0].as_py()
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


def _require_pass(snapshot: Snapshot, *, force: bool) -> str:
    """Return the id of the last checks' run, or raise."""
    version, _, rest = (snapshot.inputs(QUARANTINE) or "").partition(":")
    if version != snapshot.data_version([DAILY_BARS]):
        raise BlockedByDataError(f"{DAILY_BARS.full_name} changed since it was checked; run the checks (`trader run`) before accepting")
    run: str = rest.rpartition(":")[2]
    blocks = snapshot.sql(_BLOCKS, {"run_id": run}).to_pylist()
    if blocks and not force:
        raise BlockedByDataError("; ".join(f"{b['rule']}: {b['message']}" for b in blocks))
    return run
