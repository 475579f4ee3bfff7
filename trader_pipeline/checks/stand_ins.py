"""A later source may fill what the first choice lacks only where the two agree on what both have."""

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from trader_pipeline.checks.context import CheckContext
from trader_pipeline.checks.rule import Finding, Rule, RuleResult, counted
from trader_pipeline.checks.shared_sessions import add_shared_sessions
from trader_pipeline.schema.core import DAILY_BARS

OVERLAP_SESSIONS = 60
"""So many of the sessions that both have are compared."""

LEAST_COMMON = 5
"""Fewer common sessions than this show no agreement."""

OFF_LEVEL = ("price_unit", "split_applied", "split_jump")
"""Rows that these rules keep out are off by one factor: that another source differs from them does not speak against it."""

_REFUSED = """
create or replace temp table refused as
with good as (
  select b.ticker, b.source, b.session, l.place, l.lead
  from (
    select distinct ticker, source, session from bars
    semi join (select ticker from leads where source <> lead) using (ticker) where close is not null
  ) b
  join leads l using (ticker, source)
  anti join quarantined q on q.ticker = b.ticker and q.source = b.source and q.session = b.session
), standing_in as (
  select * from good g where source <> lead
  and not exists (from good e where e.ticker = g.ticker and e.session = g.session and e.place < g.place)
), common as (
  select c.* from shared_sessions c semi join (select distinct ticker, source from standing_in) using (ticker, source)
  anti join off_level q on q.ticker = c.ticker and q.session = c.session and q.source in (c.lead, c.source)
), until as (
  select *, count(*) over w as common, median(difference) over w as typical from common
  window w as (partition by ticker, source order by session rows between $sessions - 1 preceding and current row)
), since as (
  select *, count(*) over w as common, median(difference) over w as typical from common
  window w as (partition by ticker, source order by session rows between current row and $sessions - 1 following)
), judged as (
  select s.*, coalesce(u.common, 0) >= $least as by_past, coalesce(case when by_past then u.common else n.common end, 0) as common,
    case when by_past then u.typical else n.typical end as difference
  from standing_in s
  asof left join until u on s.ticker = u.ticker and s.source = u.source and s.session >= u.session
  asof left join since n on s.ticker = n.ticker and s.source = n.source and s.session <= n.session
)
select ticker, source, session, lead, common, difference from judged where common < $least or difference > $limit
"""


def stand_in_agrees(context: CheckContext) -> RuleResult:
    """Quarantine the rows with which a later source would stand in, unless its as-traded closes agree with the first choice's.

    They agree when the median of |close / first choice's close - 1| is at most `stand_in_difference` over the 60 sessions before
    the row's own that both have; where those are fewer than 5, over the first 60 after it. So a later day says nothing of a row
    that was judged by earlier ones, and a ticker that the first choice gave up goes on. Rows on another level are not compared. A
    ticker of which the first choice has nothing is not judged: the source that has it is its first choice.
    """
    limits = {"sessions": OVERLAP_SESSIONS, "least": LEAST_COMMON, "limit": context.settings.stand_in_difference}
    context.register_quarantined()
    context.connection.register("off_level", context.quarantine.filter(pc.is_in(context.quarantine["rule"], pa.array(OFF_LEVEL))))
    add_shared_sessions(context)
    context.connection.execute(_REFUSED, limits)
    rows = context.rows(
        "select ticker, source, lead, max_by(common, session) as common, arg_max_null(difference, session) as difference, "
        "list(session order by session) as days from refused group by all order by all"
    )
    return RuleResult(
        findings=tuple(_refused(row, context.settings.stand_in_difference) for row in rows),
        quarantine=context.table("select ticker, session, source, 'stand-in that does not agree with ' || lead as reason from refused"),
        metrics={"refused_stand_ins": len(rows), "refused_sessions": sum(len(row["days"]) for row in rows)},
    )


def _refused(row: dict[str, Any], limit: float) -> Finding:
    days = row["days"]
    fact = (
        f"only {counted(row['common'], 'session')} in common, {LEAST_COMMON} are needed"
        if row["common"] < LEAST_COMMON
        else f"closes differ by {row['difference']:.2%} in the median of {counted(row['common'], 'common session')}, limit {limit:.2%}"
    )
    return Finding(
        ticker=row["ticker"],
        source=row["source"],
        severity="error",
        scope="ticker",
        first_session=days[0],
        last_session=days[-1],
        sessions=len(days),
        value=row["difference"],
        message=f"{row['ticker']}: {row['source']} may not stand in for {row['lead']} on {counted(len(days), 'session')}: {fact}; "
        f"fetch the ticker from {row['lead']} again, or declare a rename in symbols.toml",
    )


RULES = (
    Rule(
        name="stand_in_agrees",
        table=DAILY_BARS,
        severity="error",
        scope="ticker",
        blocking=False,
        description="A later source fills what the first choice lacks only where their closes agree: 0.5 % in the median of 60.",
        run=stand_in_agrees,
        whole=True,
    ),
)
