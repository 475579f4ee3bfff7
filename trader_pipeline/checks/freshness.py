"""How old the data is, judged on its own last session and never on when a file was written."""

import datetime as dt
from typing import Any

from trader_pipeline import calendar
from trader_pipeline.checks.context import CheckContext
from trader_pipeline.checks.prepared import DEFAULT_EXCHANGE
from trader_pipeline.checks.rule import EVERY, Finding, Rule, RuleResult, Severity, counted
from trader_pipeline.schema.core import DAILY_BARS

_NEWEST = """
select min(behind_sessions) as behind, arg_min(newest_session, behind_sessions) as newest,
  arg_min(last_closed, behind_sessions) as last_closed, arg_min(exchange, behind_sessions) as exchange
from daily_series
"""
_LAGGING = """
select ticker, source, last_session, behind_sessions as behind, last_closed from daily_series
where behind_newest_sessions > 0 and behind_sessions >= ? and (valid_to is null or valid_to > last_session)
order by ticker, source
"""


def sessions_behind(newest_session: dt.date, exchange: str, as_of: dt.datetime) -> int:
    """Return how many sessions are closed (+ 30 min) at `as_of` and after `newest_session`."""
    return calendar.staleness(exchange, newest_session, as_of)


def staleness(context: CheckContext) -> RuleResult:
    """Judge the newest session of the table; single tickers that lag behind it are warnings.

    `stale_warning` sessions behind the last closed one warn, `stale_error` block everything downstream. A ticker that is
    `stale_error` behind is presumed delisted. Weekly, monthly and intraday series have no daily sessions to lag behind.
    """
    if context.is_empty:
        return _nothing(context)
    row = context.rows(_NEWEST)[0]
    if row["newest"] is None:
        return RuleResult()
    behind = sessions_behind(row["newest"], row["exchange"], context.as_of)
    findings = [_of_ticker(context, lagging) for lagging in context.rows(_LAGGING, [context.settings.stale_warning])]
    blocks = behind >= context.settings.stale_error
    if behind >= context.settings.stale_warning:
        findings.append(_of_table(row, behind, "error" if blocks else "warning"))
    delisted = sum(finding.value >= context.settings.stale_error for finding in findings if finding.ticker != EVERY and finding.value)
    return RuleResult(
        findings=tuple(findings),
        metrics={"sessions_behind": behind, "lagging_tickers": len(findings), "presumed_delisted": delisted},
        blocks=blocks,
    )


def _of_table(row: dict[str, Any], behind: int, severity: Severity) -> Finding:
    return Finding(
        ticker=EVERY,
        source=EVERY,
        severity=severity,
        scope="table",
        first_session=row["newest"],
        last_session=row["last_closed"],
        sessions=behind,
        value=float(behind),
        message=f"{DAILY_BARS.full_name} ends {row['newest']}, {counted(behind, 'session')} before {row['last_closed']}, "
        "the last closed one; fetch again, or pass --as-of of a session that the data has",
    )


def _of_ticker(context: CheckContext, row: dict[str, Any]) -> Finding:
    behind = row["behind"]
    fate = "presumed delisted, one source cannot tell: " if behind >= context.settings.stale_error else ""
    return Finding(
        ticker=row["ticker"],
        source=row["source"],
        severity="warning",
        scope="ticker",
        first_session=row["last_session"],
        last_session=row["last_closed"],
        sessions=behind,
        value=float(behind),
        message=f"{row['ticker']}: last session {row['last_session']}, {behind} behind {row['last_closed']}; "
        f"{fate}fetch it again, or close its row in core.ticker_map",
    )


def _nothing(context: CheckContext) -> RuleResult:
    closed = calendar.last_closed_session(DEFAULT_EXCHANGE, context.as_of)
    finding = Finding(
        ticker=EVERY,
        source=EVERY,
        severity="error",
        scope="table",
        first_session=closed,
        last_session=closed,
        sessions=0,
        value=None,
        message=f"{DAILY_BARS.full_name} holds no rows known at {context.as_of:%Y-%m-%d %H:%M} UTC; fetch a source first",
    )
    return RuleResult(findings=(finding,), blocks=True)


RULES = (
    Rule(
        name="staleness",
        table=DAILY_BARS,
        severity="error",
        scope="table",
        blocking=True,
        description="Sessions between the newest bar and the last closed session: 2 warn, 5 block what follows.",
        run=staleness,
        whole=True,
    ),
)
