"""What a quality rule is, and what it says."""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pyarrow as pa

from trader_pipeline.checks.context import CheckContext
from trader_pipeline.schema import Table
from trader_pipeline.schema.quality import FINDINGS

Severity = Literal["error", "warning"]
Scope = Literal["ticker_day", "ticker", "session", "table"]

EVERY = "*"
"""Ticker or source of a finding that speaks of the session or the whole table."""

FINDING_COLUMNS = tuple(c.name for c in FINDINGS.columns if c.name not in {"run_id", "known_at"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One objection: the fact and the mend. `sessions` counts the sessions concerned, `value` is in the rule's unit."""

    ticker: str
    source: str
    severity: Severity
    scope: Scope
    first_session: dt.date
    last_session: dt.date
    sessions: int
    value: float | None
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleResult:
    """What one rule found. `blocks` stops everything downstream.

    `quarantine` has ticker, session, source, reason, and item where the table has several rows a ticker and day. `repairs` has
    ticker, session, source, column_name, stored, proposed, reason: by which ratio a stored value is off, in the units of what the
    rule looked at.
    """

    findings: tuple[Finding, ...] = ()
    quarantine: pa.Table | None = None
    repairs: pa.Table | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    blocks: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A named check of one table. `severity` is the worst it can say; a `blocking` rule may fail at table scope.

    `reads` are the tables that it looks at beside its own. Where only newer rows changed, a rule judges those and their
    neighbourhood, unless it is `whole`: it speaks of a whole series, and sees of every bar its close and which values are there.
    """

    name: str
    table: Table
    severity: Severity
    scope: Scope
    blocking: bool
    description: str
    run: Callable[[CheckContext], RuleResult]
    reads: tuple[Table, ...] = ()
    whole: bool = False


def of_days(row: Mapping[str, Any], *, value: float, message: str) -> Finding:
    """Return the error-level finding of single days of one ticker, from a row of ticker, source and days (ascending)."""
    days: list[dt.date] = row["days"]
    return Finding(
        ticker=row["ticker"],
        source=row["source"],
        severity="error",
        scope="ticker_day",
        first_session=days[0],
        last_session=days[-1],
        sessions=len(days),
        value=value,
        message=message,
    )


def listing(days: list[dt.date], limit: int = 3) -> str:
    """Return the first days as text: "2009-11-12, 2009-11-13 and 4 more"."""
    shown = ", ".join(day.isoformat() for day in days[:limit])
    return shown if len(days) <= limit else f"{shown} and {len(days) - limit} more"


def counted(n: int, noun: str) -> str:
    """Return "1 session", "3 sessions"."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"
