"""Volume in the wrong unit: hundreds or thousands of shares among shares."""

from dataclasses import replace
from typing import Any

from trader_pipeline.checks.context import CheckContext
from trader_pipeline.checks.rule import Finding, Rule, RuleResult, counted, listing, of_days
from trader_pipeline.checks.steps import add_steps
from trader_pipeline.schema.core import CORPORATE_ACTIONS, DAILY_BARS

STEP = 12
"""A change of volume from one session to the next by this factor may be the edge of such a block."""

TOO_MUCH, TOO_LITTLE = 35, 20
"""A block is in another unit when its median is that many times the median of the 10 sessions before it, and of the 10 after it.

The largest real spikes among 150,000 sessions are 24 times both (ROP's entry into the S&P 500 in 2009 is 19), the deepest real
lull a tenth (a half day)."""

SPREADS = 9
"""Where volume itself jumps about, the factor is at least exp(9 MAD of the daily log step): 6 standard deviations."""

_BLOCKS = """
create or replace temp table volume_blocks as
with spreads as (
  select ticker, source, mad(log_volume_step) as spread from steps
  semi join (select ticker, source from steps where abs(log_volume_step) > ln($step)) using (ticker, source) group by all
), edges as (
  select ticker, source, place, log_volume_step > 0 as up,
    lead(place) over w as next_place, lead(log_volume_step) over w > 0 as next_up
  from steps where abs(log_volume_step) > ln($step) window w as (partition by ticker, source order by place)
), blocks as (
  select ticker, source, place as first_place, next_place - 1 as last_place, up from edges where up <> next_up
), levels as (
  select k.ticker, k.source, k.first_place, k.last_place, k.up,
    median(ln(s.volume_shares)) filter (s.place between first_place and last_place) as inside,
    median(ln(s.volume_shares)) filter (s.place < first_place) as before,
    median(ln(s.volume_shares)) filter (s.place > last_place) as after
  from blocks k join steps s
    on s.ticker = k.ticker and s.source = k.source and s.place between k.first_place - 10 and k.last_place + 10 and s.volume_shares > 0
    and isfinite(s.volume_shares)
  group by all
)
select *, inside - (before + after) / 2 as log_ratio
from levels join spreads using (ticker, source)
where abs(before - after) < ln($step)
  and case when up then least(inside - before, inside - after) > greatest(ln($too_much), $spreads * spread)
      else least(before - inside, after - inside) > greatest(ln($too_little), $spreads * spread) end
"""
_DAYS = """
select s.ticker, s.source, exp(median(log_ratio)) as ratio, list(distinct s.session order by s.session) as days
from volume_blocks k join steps s
  on s.ticker = k.ticker and s.source = k.source and s.place between k.first_place and k.last_place
group by s.ticker, s.source, up order by all
"""


def volume_unit(context: CheckContext) -> RuleResult:
    """Warn of rows and blocks whose volume is a hundredth, a thousandth, 100 or 1,000 times that on both sides.

    Both edges are jumps by 12 or more, and the medians of the 10 sessions on each side agree. Splits are taken into account.
    A warning, for the prices remain usable.
    """
    add_steps(context)
    limits = {"step": STEP, "too_much": TOO_MUCH, "too_little": TOO_LITTLE, "spreads": SPREADS}
    context.connection.execute(_BLOCKS, limits)
    rows = context.rows(_DAYS)
    return RuleResult(
        findings=tuple(_of_ticker(row) for row in rows),
        metrics={"rows_in_another_unit": sum(len(row["days"]) for row in rows), "tickers": len({row["ticker"] for row in rows})},
    )


def _of_ticker(row: dict[str, Any]) -> Finding:
    days, ratio = row["days"], row["ratio"]
    by = f"{ratio:,.0f} times" if ratio > 1 else f"1/{1 / ratio:,.0f} of"
    message = (
        f"{row['ticker']}: volume is {by} that before and after on {counted(len(days), 'session')}, first {listing(days)}; "
        "prices are used: fetch them again, or correct the unit of volume"
    )
    return replace(of_days(row, value=ratio, message=message), severity="warning")


RULES = (
    Rule(
        name="volume_unit",
        table=DAILY_BARS,
        severity="warning",
        scope="ticker_day",
        blocking=False,
        description="Volume 100 or 1,000 times too large or too small beside the sessions on both sides.",
        run=volume_unit,
        reads=(CORPORATE_ACTIONS,),
    ),
)
