"""Sessions that should be there and are not, and sessions that should not be there."""

import datetime as dt
from typing import Any

import pyarrow as pa

from trader_pipeline.checks.context import CheckContext
from trader_pipeline.checks.rule import EVERY, Finding, Rule, RuleResult, Severity, counted, listing, of_days
from trader_pipeline.schema.core import DAILY_BARS

MIN_LISTED_FOR_OUTAGE = 5
"""With fewer tickers listed, a provider's outage cannot be told from a ticker's own hole."""

_MISSING = """
create or replace temp table missing as
with placed as (
  select b.ticker, l.lead as source, b.position from bars b join leads l using (ticker, source) where b.position is not null
), steps as (
  select ticker, source, position, lead(position) over (partition by ticker, source order by position) as next_position from placed
), holes as (
  select ticker, source, position + 1 as low, coalesce(next_position, until_position + 1) - 1 as high
  from steps join daily_series using (ticker, source)
  where coalesce(next_position, until_position + 1) > position + 1 and position < until_position
)
select h.ticker, h.source, s.exchange, s.last_closed, s.newest_session, c.session, c.position, c.position <= s.last_position as in_range
from holes h join daily_series s using (ticker, source)
join sessions c on c.exchange = s.exchange and c.position between h.low and least(h.high, s.until_position)
"""
_LISTED = """
create or replace temp table listed as
with steps as (
  select exchange, source, first_position as position, 1 as step from daily_series where first_position is not null
  union all select exchange, source, until_position + 1, -1 from daily_series where first_position is not null
), net as (
  select exchange, source, position, sum(step) as step from steps group by all
)
select exchange, source, position, (sum(step) over (partition by exchange, source order by position))::bigint as listed from net
"""
_OUTAGES = """
create or replace temp table outages as
with lost as (
  select m.source, m.exchange, m.session, m.position, count(*) as missing, any_value(m.newest_session) as newest_session,
    c.position - m.position as behind_sessions
  from missing m asof join sessions c on c.exchange = m.exchange and c.session <= m.last_closed
  group by m.source, m.exchange, m.session, m.position, c.position
)
select o.source, o.exchange, o.session, o.position, o.missing, l.listed, o.behind_sessions, o.newest_session,
  row_number() over (partition by o.source, o.exchange order by o.position) as nth
from lost o asof join listed l on l.exchange = o.exchange and l.source = o.source and o.position >= l.position
where o.missing > $ratio * l.listed and l.listed >= $min_listed
"""
_HOLES = """
with judged as (
  select m.ticker, m.source, m.session, m.position - coalesce(o.nth, 0) as place
  from (select * from missing where in_range) m
  anti join outages a on a.source = m.source and a.exchange = m.exchange and a.position = m.position
  asof left join outages o on o.source = m.source and o.exchange = m.exchange and m.position >= o.position
), runs as (
  select *, place - row_number() over (partition by ticker, source order by place) as island from judged
), longest as (
  select ticker, source, max(n) as longest_run
  from (select ticker, source, island, count(*) as n from runs group by all) group by all
), totals as (
  select ticker, source, last_position - first_position + 1 - (select count(*) from outages o
    where o.source = s.source and o.exchange = s.exchange and o.position between s.first_position and s.last_position) as expected
  from daily_series s semi join judged using (ticker, source)
)
select ticker, source, list(session order by session) as days, any_value(expected) as expected, any_value(longest_run) as longest_run
from runs join totals using (ticker, source) join longest using (ticker, source)
group by all order by all
"""
_MISPLACED = """
create or replace temp table misplaced as
select distinct b.ticker, b.source, b.session, s.exchange,
  case when b.session > s.last_closed then 'future' else 'closed' end as kind,
  case when b.session > s.last_closed then 'the session is not closed yet' else s.exchange || ' was closed' end as reason
from bars b
join series s using (ticker, source)
join closed k on k.exchange = s.exchange
where s.spacing = 'daily' and b.session >= k.judged_from and (b.position is null or b.session > s.last_closed)
"""


def missing_dates(context: CheckContext) -> RuleResult:
    """Judge each ticker against its exchange's sessions between its own first and last one.

    Over `missing_ratio`, and more than one, or over `missing_run` in a row quarantines every row of the ticker. A session that more than
    `outage_ratio` of the tickers listed that day miss is the provider's outage: it counts against no ticker, is a warning
    where it is history, and an error that holds the watermark where it is newer than what was published (on a first load:
    where no session follows it), until `stale_error` sessions have closed after it.
    """
    settings = context.settings
    context.connection.execute(_MISSING)
    context.connection.execute(_LISTED)
    context.connection.execute(_OUTAGES, {"ratio": settings.outage_ratio, "min_listed": MIN_LISTED_FOR_OUTAGE})
    outages = context.rows("select * from outages order by session, exchange, source")
    holes = context.rows(_HOLES)
    bad = [h for h in holes if _too_many(h, context)]
    findings = [_outage(context, row) for row in outages] + [_hole(context, row) for row in holes]
    expected = context.rows("select coalesce(sum(last_position - first_position + 1), 0)::bigint as n from daily_series")[0]["n"]
    missing = sum(len(h["days"]) for h in holes)
    return RuleResult(
        findings=tuple(findings),
        quarantine=_whole_tickers(context, bad),
        metrics={
            "missing_sessions": missing,
            "missing_ratio": missing / expected if expected else 0.0,
            "tickers_with_holes": len(holes),
            "quarantined_tickers": len(bad),
            "outage_sessions": len(outages),
            "held_sessions": sum(f.scope == "session" and f.severity == "error" for f in findings),
        },
    )


def _too_many(hole: dict[str, Any], context: CheckContext) -> bool:
    many = len(hole["days"]) > max(1, context.settings.missing_ratio * hole["expected"])
    return bool(many or hole["longest_run"] > context.settings.missing_run)


def _hole(context: CheckContext, row: dict[str, Any]) -> Finding:
    days, expected = row["days"], row["expected"]
    bad = _too_many(row, context)
    fact = f"{row['ticker']}: {len(days)} of {expected} sessions missing ({len(days) / expected:.1%}, longest run {row['longest_run']})"
    limits = f"more than {context.settings.missing_ratio:.0%} or {context.settings.missing_run} in a row"
    mend = f"quarantined ({limits}): fetch the ticker again or drop it from the universe" if bad else "fetch them again, or leave them"
    return Finding(
        ticker=row["ticker"],
        source=row["source"],
        severity="error" if bad else "warning",
        scope="ticker",
        first_session=days[0],
        last_session=days[-1],
        sessions=len(days),
        value=len(days) / expected,
        message=f"{fact}, first {listing(days)}; {mend}",
    )


def _outage(context: CheckContext, row: dict[str, Any]) -> Finding:
    session: dt.date = row["session"]
    news = session > context.published_through if context.published_through else session == row["newest_session"]
    held = news and row["behind_sessions"] < context.settings.stale_error
    severity: Severity = "error" if held else "warning"
    mend = "nothing from it on is accepted until it is fetched again" if held else "no ticker is judged by it; fetch it again if you can"
    return Finding(
        ticker=EVERY,
        source=row["source"],
        severity=severity,
        scope="session",
        first_session=session,
        last_session=session,
        sessions=1,
        value=row["missing"] / row["listed"],
        message=f"{session}: {row['missing']} of {row['listed']} listed tickers missing, an outage of {row['source']}; {mend}",
    )


def _whole_tickers(context: CheckContext, holes: list[dict[str, Any]]) -> pa.Table | None:
    if not holes:
        return None
    chosen = {
        "ticker": [h["ticker"] for h in holes],
        "source": [h["source"] for h in holes],
        "reason": [f"{len(h['days'])} of {h['expected']} sessions missing, longest run {h['longest_run']}" for h in holes],
    }
    context.connection.register("chosen", pa.table(chosen))
    return context.table(
        "select distinct b.ticker, b.session, b.source, c.reason from bars b join leads l using (ticker, source) "
        "join chosen c on c.ticker = b.ticker and c.source = l.lead"
    )


def off_calendar(context: CheckContext) -> RuleResult:
    """Quarantine rows on days when the exchange did not trade, and rows of sessions that are not closed at `as_of`.

    Days before the exchange's calendar begins are not judged.
    """
    context.connection.execute(_MISPLACED)
    rows = context.rows(
        "select ticker, source, kind, any_value(exchange) as exchange, list(session order by session) as days from misplaced "
        "group by all order by all"
    )
    findings = [_misplaced(context, row) for row in rows]
    return RuleResult(
        findings=tuple(findings),
        quarantine=context.table("select ticker, session, source, reason from misplaced"),
        metrics={
            "off_calendar_rows": sum(len(r["days"]) for r in rows if r["kind"] == "closed"),
            "future_rows": sum(len(r["days"]) for r in rows if r["kind"] == "future"),
        },
    )


def _misplaced(context: CheckContext, row: dict[str, Any]) -> Finding:
    days = row["days"]
    fact = (
        f"{counted(len(days), 'row')} of sessions that are not closed at {context.as_of:%Y-%m-%d %H:%M} UTC"
        if row["kind"] == "future"
        else f"{counted(len(days), 'row')} on days when {row['exchange']} was closed"
    )
    mend = "correct the dates, or fetch again after the close" if row["kind"] == "future" else "correct the dates or the ticker's exchange"
    return of_days(
        row,
        value=float(len(days)),
        message=f"{row['ticker']}: {fact}, first {listing(days)}; quarantined: {mend}",
    )


RULES = (
    Rule(
        name="missing_dates",
        table=DAILY_BARS,
        severity="error",
        scope="ticker",
        blocking=False,
        description="Sessions missing against the exchange calendar, between a ticker's own first and last session.",
        run=missing_dates,
        whole=True,
    ),
    Rule(
        name="off_calendar",
        table=DAILY_BARS,
        severity="error",
        scope="ticker_day",
        blocking=False,
        description="Rows on days without a session, and rows of sessions that are not closed yet.",
        run=off_calendar,
        whole=True,
    ),
)
