"""Two sources that do not say the same of one ticker-session."""

from typing import Any

from trader_pipeline.checks.context import CheckContext
from trader_pipeline.checks.rule import Finding, Rule, RuleResult, Severity, counted, listing
from trader_pipeline.checks.shared_sessions import add_shared_sessions
from trader_pipeline.schema.core import DAILY_BARS

MOST = 0.5
"""Over this share of the common sessions, the two do not speak of the same thing."""

LEAST_COMMON = 5
"""Fewer common sessions than this are days, not a series."""

_DISAGREEMENTS = """
select ticker, source, lead, count(*) as common, median(difference) filter (difference > $limit) as difference,
  list(session order by session) filter (difference > $limit) as days
from shared_sessions group by all having count(*) filter (difference > $limit) > 0 order by all
"""


def source_disagreement(context: CheckContext) -> RuleResult:
    """Warn of sessions on which a source's as-traded close is over `stand_in_difference` from that of the ticker's first source.

    Where that is so on most of the sessions that both have, it is an error of the ticker. Nothing is quarantined: which of the
    two is wrong is not known here, the first source is used, and stand_in_agrees keeps the other from standing in for it.
    """
    add_shared_sessions(context)
    rows = context.rows(_DISAGREEMENTS, {"limit": context.settings.stand_in_difference})
    common = context.rows("select count(*) as n from shared_sessions")[0]["n"]
    apart = sum(len(row["days"]) for row in rows)
    return RuleResult(
        findings=tuple(_of_ticker(row, context.settings.stand_in_difference) for row in rows),
        metrics={"common_sessions": common, "disagreements": apart, "disagreement_ratio": apart / common if common else 0.0},
    )


def _of_ticker(row: dict[str, Any], limit: float) -> Finding:
    days, common = row["days"], row["common"]
    most = common >= LEAST_COMMON and len(days) > MOST * common
    severity: Severity = "error" if most else "warning"
    mend = "they speak of different securities, units or adjustments: look at both" if most else "look at both, fetch the wrong one again"
    return Finding(
        ticker=row["ticker"],
        source=row["source"],
        severity=severity,
        scope="ticker" if most else "ticker_day",
        first_session=days[0],
        last_session=days[-1],
        sessions=len(days),
        value=row["difference"],
        message=f"{row['ticker']}: {row['source']} and {row['lead']} differ by more than {limit:.2%} on {counted(len(days), 'session')} of "
        f"{common} in common, typically by {row['difference']:.2%}, first {listing(days)}; {mend}",
    )


RULES = (
    Rule(
        name="source_disagreement",
        table=DAILY_BARS,
        severity="error",
        scope="ticker",
        blocking=False,
        description="Closes of two sources over 0.5 % apart: a warning, an error where most of what both have disagrees.",
        run=source_disagreement,
        whole=True,
    ),
)
