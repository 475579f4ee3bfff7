"""What people decided, as findings: a decision is never silent, and one that ended is said to have ended."""

import pyarrow as pa

from trader_pipeline.checks.context import BESIDE, CheckContext
from trader_pipeline.checks.overrides import FILE, RULE, Override
from trader_pipeline.checks.rule import Finding, Rule, RuleResult
from trader_pipeline.schema.core import DAILY_BARS, MACRO, TICKER_MAP

_REJECTED = """
select distinct ticker, session, source, $reason as reason from bars
where session between $first and $last and $ticker in ('*', ticker::varchar) and $source in ('*', source::varchar)
"""
_TICKERS = " union ".join(
    f"select {'series' if table is MACRO else 'ticker'}::varchar as ticker from {name}"  # noqa: S608 - identifiers of the schema
    for table, name in ((DAILY_BARS, "bars"), *((table, table.name) for table in (TICKER_MAP, *BESIDE)))
)
_STRANGE = ", but no table has that ticker: correct it or take it out"


def overrides(context: CheckContext) -> RuleResult:
    """Quarantine the bars that a person rejected; tell of every decision, of those that ended and of tickers that are nowhere."""
    rejected = [o for o in context.overrides if o.kind == "reject" and not o.ended]
    found = [
        context.table(_REJECTED, {"reason": f"{FILE}: {o.reason}", **{k: getattr(o, k) for k in ("first", "last", "ticker", "source")}})
        for o in rejected
    ]
    named = {override.ticker for override in context.overrides} - {"*"}
    unknown = named - {row["ticker"] for row in context.rows(_TICKERS)}
    return RuleResult(
        findings=tuple(_told(override, strange=override.ticker in unknown) for override in context.overrides),
        quarantine=pa.concat_tables(found) if found else None,
        metrics={
            "standing": sum(not o.ended for o in context.overrides),
            "ended": sum(o.ended for o in context.overrides),
        },
    )


def _told(override: Override, *, strange: bool) -> Finding:
    days = f"{override.first}" if override.first == override.last else f"{override.first} to {override.last}"
    what = f"{override.rule} is overruled" if override.kind == "accept" else "kept out by hand"
    until = f"but that ended {override.expires}: renew it or take it out" if override.ended else f"until {override.expires}"
    return Finding(
        ticker=override.ticker,
        source=override.source,
        severity="warning",
        scope="ticker_day",
        first_session=override.first,
        last_session=override.last,
        sessions=0,
        value=None,
        message=f"{override.ticker} {days}: {what} ({override.reason}) {until}; {FILE}{_STRANGE if strange else ''}",
    )


RULES = (
    Rule(
        name=RULE,
        table=DAILY_BARS,
        severity="warning",
        scope="ticker_day",
        blocking=False,
        description="Rows that a person let through or keeps out (overrides.toml), each with its reason and its end.",
        run=overrides,
        whole=True,
    ),
)
