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

SIDE_ROWS, LEAST_SIDE = 20, 10
"""A level that stays is the median of 20 rows on each side, of which 10 trade."""

_EDGES = """
create or replace temp table volume_edges as
with spreads as (
  select ticker, source, mad(log_volume_step) as spread from steps
  semi join (select ticker, source from steps where abs(log_volume_step) > ln($step)) using (ticker, source) group by all
)
select ticker, source, place, log_volume_step > 0 as up, spread from steps join spreads using (ticker, source)
where abs(log_volume_step) > ln($step)
"""
_BLOCKS = """
create or replace temp table volume_blocks as
with edges as (
  select *, lead(place) over w as next_place, lead(up) over w as next_up
  from volume_edges window w as (partition by ticker, source order by place)
), blocks as (
  select ticker, source, place as first_place, next_place - 1 as last_place, up, spread from edges where up <> next_up
), levels as (
  select k.ticker, k.source, k.first_place, k.last_place, k.up, k.spread,
    median(ln(s.volume_shares)) filter (s.place between first_place and last_place) as inside,
    median(ln(s.volume_shares)) filter (s.place < first_place) as before,
    median(ln(s.volume_shares)) filter (s.place > last_place) as after
  from blocks k join steps s
    on s.ticker = k.ticker and s.source = k.source and s.place between k.first_place - 10 and k.last_place + 10 and s.volume_shares > 0
    and isfinite(s.volume_shares)
  group by all
)
select *, inside - (before + after) / 2 as log_ratio
from levels
where abs(before - after) < ln($step)
  and case when up then least(inside - before, inside - after) > greatest(ln($too_much), $spreads * spread)
      else least(before - inside, after - inside) > greatest(ln($too_little), $spreads * spread) end
"""
_STAYS = """
with free as (
  select * from volume_edges e anti join volume_blocks k
    on k.ticker = e.ticker and k.source = e.source and e.place in (k.first_place, k.last_place + 1)
), sides as (
  select e.ticker, e.source, e.place, e.spread, any_value(s.session) filter (s.place = e.place) as session,
    median(ln(s.volume_shares)) filter (s.place < e.place) as before, median(ln(s.volume_shares)) filter (s.place >= e.place) as after,
    count(*) filter (s.place < e.place) as n_before, count(*) filter (s.place >= e.place) as n_after
  from free e join steps s
    on s.ticker = e.ticker and s.source = e.source and s.place between e.place - $side_rows and e.place + $side_rows - 1
    and s.volume_shares > 0 and isfinite(s.volume_shares)
  group by all
)
select ticker, source, exp(after - before) as ratio, [session] as days from sides
where least(n_before, n_after) >= $least_side and abs(after - before) > greatest(ln($too_much), $spreads * spread)
qualify row_number() over (partition by ticker, source order by abs(after - before) desc) = 1
order by all
"""
_DAYS = """
select s.ticker, s.source, exp(median(log_ratio)) as ratio, list(distinct s.session order by s.session) as days
from volume_blocks k join steps s
  on s.ticker = k.ticker and s.source = k.source and s.place between k.first_place and k.last_place
group by s.ticker, s.source, up order by all
"""


def volume_unit(context: CheckContext) -> RuleResult:
    """Warn of rows, blocks and whole stretches whose volume is a hundredth, a thousandth, 100 or 1,000 times that beside them.

    Both edges of a block are jumps by 12 or more, and the medians of the 10 sessions on each side agree. A jump that stays is told where
    the medians of 20 sessions on its two sides are 35 times apart: no stock gains or loses so much trade overnight and for good.
    Splits are taken into account. A warning, for the prices remain usable.
    """
    add_steps(context)
    context.connection.execute(_EDGES, {"step": STEP})
    context.connection.execute(_BLOCKS, {"step": STEP, "too_much": TOO_MUCH, "too_little": TOO_LITTLE, "spreads": SPREADS})
    rows = context.rows(_DAYS)
    sides = {"too_much": TOO_MUCH, "spreads": SPREADS, "side_rows": SIDE_ROWS, "least_side": LEAST_SIDE}
    lasting = context.rows(_STAYS, sides)
    return RuleResult(
        findings=(*(_of_ticker(row) for row in rows), *(_lasting(row) for row in lasting)),
        metrics={
            "rows_in_another_unit": sum(len(row["days"]) for row in rows),
            "lasting": len(lasting),
            "tickers": len({row["ticker"] for row in (*rows, *lasting)}),
        },
    )


def _times(ratio: float) -> str:
    return f"{ratio:,.0f} times" if ratio > 1 else f"1/{1 / ratio:,.0f} of"


def _lasting(row: dict[str, Any]) -> Finding:
    message = (
        f"{row['ticker']}: volume from {row['days'][0]} on is {_times(row['ratio'])} that before, and stays so; prices are used: "
        "one of the two is in hundreds or thousands, correct the unit of volume"
    )
    return replace(of_days(row, value=row["ratio"], message=message), severity="warning")


def _of_ticker(row: dict[str, Any]) -> Finding:
    days, ratio = row["days"], row["ratio"]
    message = (
        f"{row['ticker']}: volume is {_times(ratio)} that before and after on {counted(len(days), 'session')}, first {listing(days)}; "
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
        description="Volume 100 or 1,000 times too large or too small beside the sessions on both sides, or on one side for good.",
        run=volume_unit,
        reads=(CORPORATE_ACTIONS,),
    ),
)
