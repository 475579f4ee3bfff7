"""The same ticker-session twice."""

from typing import Any

from trader_pipeline.checks.context import CheckContext
from trader_pipeline.checks.rule import Finding, Rule, RuleResult, counted, listing, of_days
from trader_pipeline.schema.core import DAILY_BARS

_REPEATS = """
create or replace temp table repeats as
select ticker, source, session, count(*) as rows,
  if(count(distinct (open, high, low, close, volume_shares)) = 1, 'identical', 'different') as kind
from bars
semi join (select ticker, source from series where spacing <> 'intraday' and repeats > 0) using (ticker, source)
group by all having count(*) > 1
"""
_BY_TICKER = """
select ticker, source, list(session order by session) as days, max(rows) as most, min(kind) as kind
from repeats group by all order by all
"""


def duplicates(context: CheckContext) -> RuleResult:
    """Quarantine a ticker-session that one source gives more than once in one version; intraday series are not judged."""
    context.connection.execute(_REPEATS)
    by_ticker = context.rows(_BY_TICKER)
    return RuleResult(
        findings=tuple(_of_ticker(row) for row in by_ticker),
        quarantine=context.table("select ticker, session, source, rows || ' rows with ' || kind || ' values' as reason from repeats"),
        metrics={"repeated_sessions": sum(len(row["days"]) for row in by_ticker), "tickers": len(by_ticker)},
    )


def _of_ticker(row: dict[str, Any]) -> Finding:
    days = row["days"]
    return of_days(
        row,
        value=float(row["most"]),
        message=f"{row['ticker']}: {counted(len(days), 'session')} given up to {row['most']} times with {row['kind']} values, "
        f"first {listing(days)}; quarantined: keep one row of each",
    )


RULES = (
    Rule(
        name="duplicates",
        table=DAILY_BARS,
        severity="error",
        scope="ticker_day",
        blocking=False,
        description="A ticker-session that one source gives more than once.",
        run=duplicates,
    ),
)
