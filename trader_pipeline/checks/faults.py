"""Rows of the tables beside the bars that cannot be: one finding a ticker and source names all of them, errors are kept out."""

from collections.abc import Mapping
from typing import Any

from trader_pipeline.checks.context import CheckContext
from trader_pipeline.checks.rule import Finding, RuleResult, Severity, counted, listing

_BY_TICKER = """
with faults as ({query})
select ticker, source, max(severity = 'error') as wrong, count(*) as rows, list(distinct day order by day) as days,
  list(distinct fact order by fact) as facts
from faults group by all order by all
"""
_WRONG = """
with faults as ({query})
select ticker, day as session, source, item, string_agg(distinct fact, '; ' order by fact) as reason
from faults where severity = 'error' group by all order by all
"""
_FACTS_SHOWN = 3


def judge(context: CheckContext, query: str, *, mend: str, limits: Mapping[str, Any] | None = None) -> RuleResult:
    """Run a SELECT of the rows at fault (ticker, source, day, severity, fact) and return a finding a ticker and source.

    Its severity is the worst of its rows. In tables without tickers the series stands in the place of one. Where the SELECT tells
    the `item` too, rows in error are quarantined: nothing downstream may read them.
    """
    rows = context.rows(_BY_TICKER.format(query=query), limits or {})
    return RuleResult(
        findings=tuple(_of_ticker(row, mend) for row in rows),
        quarantine=context.table(_WRONG.format(query=query), limits or {}) if " as item" in query else None,
        metrics={"faulty_rows": sum(row["rows"] for row in rows), "tickers": len(rows)},
    )


def _of_ticker(row: dict[str, Any], mend: str) -> Finding:
    days, facts = row["days"], row["facts"]
    severity: Severity = "error" if row["wrong"] else "warning"
    shown = "; ".join(facts[:_FACTS_SHOWN]) + (f"; {len(facts) - _FACTS_SHOWN} more kinds" if len(facts) > _FACTS_SHOWN else "")
    return Finding(
        ticker=row["ticker"],
        source=row["source"],
        severity=severity,
        scope="ticker_day",
        first_session=days[0],
        last_session=days[-1],
        sessions=len(days),
        value=float(row["rows"]),
        message=f"{row['ticker']}: {shown}: {counted(row['rows'], 'row')}, first {listing(days)}; {mend}",
    )
