"""Publish core.accepted_bars: what passed the checks, one source a ticker-session."""

import datetime as dt
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from trader_pipeline.checks.mended import FACTORS, VALUES
from trader_pipeline.errors import BlockedByDataError
from trader_pipeline.flows.judged import judged_bars
from trader_pipeline.lake import Change, Lake, Part, Snapshot
from trader_pipeline.parts import by_year
from trader_pipeline.schema.core import ACCEPTED_BARS, DAILY_BARS
from trader_pipeline.schema.quality import QUARANTINE

SOURCE_ORDER = ("sample", "own", "simulated", "yahoo", "fmp", "tiingo")
"""First source wins; a later one stands in where no earlier one has a row that passes. Of live data the settings say the order."""

_VERSION = "4"

_PASSED = f"""
with known as (
  select * from core.daily_bars
  where known_at <= $as_of and session between make_date($years[1], 1, 1) and make_date($years[-1], 12, 31) and year(session) in $years
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
_BY_YEAR = """
with facts as (
  select session, 1 as bar, 0::ubigint as told from core.daily_bars where known_at <= $as_of
  union all
  select session, 0, hash(ticker, session, source, rule) from quality.quarantine where table_name = 'core.daily_bars'
  union all
  select session, 0, hash(ticker, session, source, rule, column_name, stored, proposed, applied_since) from quality.repairs
  where table_name = 'core.daily_bars' and applied_since <= $as_of
)
select year(session) as year, sum(bar)::bigint as bars, sum(told)::varchar as told from facts group by year order by year
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

    A row whose repair the settings apply carries the repaired values, and the rule's name, from the instant on at which the repair was
    first applied. What other rules hold against the repaired row keeps it out all the same. Benchmarks are included.

    Raises `BlockedByDataError` when core.daily_bars changed since it was checked, when other rows are known or other sessions closed at
    `as_of` than at the instant of the checks, or when the last checks failed at table scope and `force` is not set; core.accepted_bars
    then stays as it was. Only the years are made again of which bars, quarantine or repairs changed.
    """
    snapshot = lake.snapshot()
    run = _require_pass(snapshot, as_of, force=force)
    held_from = _held_from(snapshot, run)
    inputs = _inputs_by_year(snapshot, as_of, held_from, order)
    before = snapshot.inputs(ACCEPTED_BARS)
    changed = before != " ".join(inputs.values())
    if changed:
        years = [year for year, of_year in inputs.items() if of_year not in (before or "").split()]
        kept = [part for part in snapshot.parts(ACCEPTED_BARS) if part.year in inputs and part.year not in years]
        new: tuple[Part, ...] = ()
        if years:
            new = lake.stage(
                ACCEPTED_BARS, snapshot.sql(_PASSED, {"as_of": as_of, "held_from": held_from, "order": list(order), "years": years})
            )
        lake.publish(Change.replace_staged(ACCEPTED_BARS, (*kept, *new), inputs=" ".join(inputs.values())))
        snapshot = lake.snapshot()
    counts = snapshot.sql(
        "select (select count(*) from core.accepted_bars) as n, (select count(distinct ticker) from core.accepted_bars) as tickers, "
        "(select count(*) from (select distinct ticker, session, source from quality.quarantine "
        "where table_name = 'core.daily_bars')) as quarantined"
    ).to_pylist()[0]
    return AcceptOutcome(
        rows=counts["n"], tickers=counts["tickers"], quarantined=counts["quarantined"], held_from=held_from, changed=changed
    )


def _inputs_by_year(snapshot: Snapshot, as_of: dt.datetime, held_from: dt.date | None, order: Sequence[str]) -> dict[int, str]:
    """Return what the accepted bars of each year are made from, as one word that begins with the year: no year rests on another."""
    parts = by_year(snapshot.parts(DAILY_BARS))
    found = {}
    for row in snapshot.sql(_BY_YEAR, {"as_of": as_of}).to_pylist():
        year = row["year"]
        held = held_from if held_from and held_from.year <= year else None
        facts = [_VERSION, *order, str(held), str(row["bars"]), row["told"], *(part.sha256 for part in parts.get(year, ()))]
        found[year] = f"{year}:{hashlib.sha256(' '.join(facts).encode()).hexdigest()[:32]}"
    return found


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
