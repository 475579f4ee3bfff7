"""Which symbol meant which security, and who belonged to which universe: intervals that contradict each other."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from trader_pipeline import calendar
from trader_pipeline.checks.context import CheckContext
from trader_pipeline.checks.faults import judge
from trader_pipeline.checks.prepared import DEFAULT_EXCHANGE, exchanges_without_calendar
from trader_pipeline.checks.rule import EVERY, Finding, Rule, RuleResult, counted
from trader_pipeline.schema.core import DAILY_BARS, TICKER_MAP, UNIVERSE

FOLLOWED = 0.5
"""A universe of which fewer members than this share have a row in core.ticker_map is looked up, not followed."""

_MAP = """
with spans as (
  select ticker, min(valid_from) as first, case when count(*) = count(valid_to) then max(valid_to) end as last from ticker_map group by all
)
select ticker, '*' as source, valid_from as day, 'error' as severity, 'ends before it begins' as fact
from ticker_map where valid_to < valid_from
union all
select b.ticker, '*', b.valid_from, 'error', 'two rows of the ticker hold at once'
from ticker_map a join ticker_map b
  on a.ticker = b.ticker and a.valid_from < b.valid_from and b.valid_from <= coalesce(a.valid_to, b.valid_from)
union all
select b.ticker, '*', b.valid_from, 'error', 'the symbol ' || b.symbol || ' means two securities at once'
from ticker_map a join ticker_map b on a.symbol = b.symbol and a.ticker <> b.ticker and (a.valid_from, a.ticker) < (b.valid_from, b.ticker)
  and b.valid_from <= coalesce(a.valid_to, b.valid_from) and b.valid_from <= coalesce(b.valid_to, b.valid_from)
union all
select ticker, '*', valid_from, 'error', 'no calendar is known for the exchange ' || exchange
from ticker_map where list_contains($without_calendar, exchange)
union all
select ticker, '*', valid_from, 'warning', 'the exchange ' || exchange || ' is not written as its MIC'
from ticker_map where list_contains($aliases, exchange)
union all
select ticker, '*', if(s.first_session < first, s.first_session, s.last_session), 'warning',
  'bars of ' || source || if(s.first_session < first, ' before the first row', ' after the last row')
from spans join series s using (ticker) where s.first_session < first or s.last_session > last
"""
_GUESSED = r"""
select list(distinct ticker order by ticker) as tickers, min(valid_from) as first, max(valid_from) as last
from ticker_map where exchange = $default and regexp_matches(symbol, '\.[A-Z]{2,}$')
"""
"""Suffixes of one letter are share classes."""
_SHOWN = 5
_UNIVERSE = """
select ticker, '*' as source, valid_from as day, 'error' as severity, universe || ' ends before it begins' as fact
from universe where valid_to < valid_from
union all
select b.ticker, '*', b.valid_from, 'error', 'a member of ' || b.universe || ' twice at once'
from universe a join universe b on a.universe = b.universe and a.ticker = b.ticker and a.valid_from < b.valid_from
  and b.valid_from <= coalesce(a.valid_to, b.valid_from)
"""
_UNMAPPED = """
select universe, count(distinct ticker) as members, count(distinct ticker) filter (m.ticker is null) as unmapped, min(valid_from) as first,
  max(valid_from) as last, list(distinct ticker order by ticker) filter (m.ticker is null) as tickers
from universe u left join (select distinct ticker from ticker_map) m using (ticker) group by all order by all
"""


def ticker_map(context: CheckContext) -> RuleResult:
    """Object to intervals that overlap or end before they begin, to exchanges without a calendar, and to bars outside the intervals.

    Symbols whose suffix is no exchange that we know are told once, together.
    """
    listed = context.rows("select distinct exchange from ticker_map")
    without_calendar = exchanges_without_calendar(listed)
    aliases = [row["exchange"] for row in listed if calendar.mic(row["exchange"]) not in {None, row["exchange"]}]
    limits = {"without_calendar": without_calendar, "aliases": aliases}
    result = judge(context, _MAP, mend="correct symbols.toml or the source's listing", limits=limits)
    (guessed,) = context.rows(_GUESSED, {"default": DEFAULT_EXCHANGE})
    return replace(result, findings=(*result.findings, _guessed(guessed))) if guessed["tickers"] else result


def _guessed(row: Mapping[str, Any]) -> Finding:
    shown = ", ".join(row["tickers"][:_SHOWN]) + (f" and {len(row['tickers']) - _SHOWN} more" if len(row["tickers"]) > _SHOWN else "")
    return Finding(
        ticker=EVERY,
        source=EVERY,
        severity="warning",
        scope="table",
        first_session=row["first"],
        last_session=row["last"],
        sessions=0,
        value=float(len(row["tickers"])),
        message=f"{shown}: no calendar is known for the suffix, they are judged by {DEFAULT_EXCHANGE}; "
        "accept in overrides.toml what missing_dates and off_calendar say of their own holidays",
    )


def universe(context: CheckContext) -> RuleResult:
    """Object to memberships that overlap or end before they begin; warn of members of a followed universe that no ticker_map row knows.

    Of a universe that hardly has a member with bars, as an index's whole past has not, the members are counted only.
    """
    result = judge(context, _UNIVERSE, mend="correct the universe's file or its source")
    rows = context.rows(_UNMAPPED)
    told = [row for row in rows if 0 < row["unmapped"] <= (1 - FOLLOWED) * row["members"]]
    findings = [
        Finding(
            ticker=EVERY,
            source=row["universe"],
            severity="warning",
            scope="table",
            first_session=row["first"],
            last_session=row["last"],
            sessions=0,
            value=row["unmapped"] / row["members"],
            message=f"{row['universe']}: {row['unmapped']} of {counted(row['members'], 'member')} have no row in core.ticker_map "
            f"({', '.join(row['tickers'][:_SHOWN])}); fetch their bars, or drop them",
        )
        for row in told
    ]
    metrics = {**result.metrics, "members": sum(r["members"] for r in rows), "unmapped_members": sum(r["unmapped"] for r in rows)}
    return replace(result, findings=(*result.findings, *findings), metrics=metrics)


RULES = (
    Rule(
        name="ticker_map",
        table=TICKER_MAP,
        severity="error",
        scope="ticker",
        blocking=False,
        description="Intervals that overlap or end before they begin; exchanges and suffixes without a calendar; bars outside.",
        run=ticker_map,
        whole=True,
        reads=(DAILY_BARS,),
    ),
    Rule(
        name="universe",
        table=UNIVERSE,
        severity="error",
        scope="ticker",
        blocking=False,
        description="Memberships that overlap or end before they begin; members that core.ticker_map does not know.",
        run=universe,
        whole=True,
        reads=(TICKER_MAP,),
    ),
)
