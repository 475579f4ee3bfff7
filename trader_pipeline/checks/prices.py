"""Prices that cannot be."""

from dataclasses import replace
from typing import Any

from trader_pipeline.checks.context import CheckContext
from trader_pipeline.checks.rule import Finding, Rule, RuleResult, counted, listing, of_days
from trader_pipeline.schema.core import DAILY_BARS

TOLERANCE = 1e-6
"""Relative; smaller differences are a vendor's float32."""

USUAL_HEIGHTS = 5
"""A print outside the session's range by at most this many usual heights of the ticker's bars is a print: a warning."""

LEAST_LINE, MOST_LINE = 0.05, 0.25
"""... and at least 5 %, at most 25 % of the price: exchanges halt trading when an auction strays farther than that."""

_FAULTS = """
create or replace temp table price_faults as
with tall as (
  select ticker, source, coalesce(median(height) filter (volume_shares > 0), median(height)) as height
  from (select *, greatest(open, high, low, close) / least(open, high, low, close) - 1 as height from bars
        where least(open, high, low, close) > 0 and isfinite(greatest(open, high, low, close)))
  group by all
), judged as (
  select ticker, session, source,
    greatest(greatest(open, close) / high, low / least(open, close)) - 1 as excess, high < low * (1 - $tolerance) as upside_down,
    coalesce(least(open, high, low, close) <= 0, false) as not_positive, coalesce(volume_shares < 0, false) as negative_volume,
    coalesce(isinf(open) or isinf(high) or isinf(low) or isinf(close) or isinf(volume_shares), false) as not_finite,
    coalesce(low > least(open, close, high) * (1 + $tolerance), false) as low_above,
    coalesce(high < greatest(open, close, low) * (1 - $tolerance), false) as high_below
  from bars
)
select j.*, coalesce(not_finite or not_positive or negative_volume or upside_down
    or excess > least(greatest($heights * t.height, $least_line), $most_line), true) as grave,
  case when not_finite then 'a price or volume is infinite'
  when not_positive then 'price_positive: a price is 0 or negative'
  when negative_volume then 'volume is negative'
  when low_above and high_below then 'low is above and high below open or close'
  when low_above then 'low is above open, close or high'
  else 'high is below open, close or low' end as reason
from judged j left join tall t using (ticker, source) where not_finite or not_positive or negative_volume or low_above or high_below
"""
_BY_TICKER = """
select ticker, source, list(distinct session order by session) as days, list(distinct reason order by reason) as reasons,
  bool_or(grave) as grave, max(excess) as excess
from price_faults group by all order by all
"""
_COUNTS = """
select count(*) as faulty_rows, count(*) filter (not_positive or negative_volume) as not_positive,
  count(*) filter (not_finite) as not_finite,
  count(*) filter (low_above) as low_above, count(*) filter (high_below) as high_below
from price_faults
"""


def ohlc_order(context: CheckContext) -> RuleResult:
    """Quarantine rows unless low <= open, close <= high (1e-6 relative), prices are > 0 and all values finite.

    An open or close outside the range by no more than 5 usual heights of the ticker's bars, traded ones where there are any (at
    least 5 %, at most 25 % of the price), is a warning: an auction or a quote that the vendor's range leaves out. Anything else is
    an error. Nulls are not judged here.
    """
    limits = {"tolerance": TOLERANCE, "heights": USUAL_HEIGHTS, "least_line": LEAST_LINE, "most_line": MOST_LINE}
    context.connection.execute(_FAULTS, limits)
    return RuleResult(
        findings=tuple(_of_ticker(row) for row in context.rows(_BY_TICKER)),
        quarantine=context.table("select distinct on (ticker, session, source) ticker, session, source, reason from price_faults"),
        metrics=context.rows(_COUNTS)[0],
    )


def _of_ticker(row: dict[str, Any]) -> Finding:
    days = row["days"]
    how_far = "" if row["grave"] else f", by {row['excess']:.2%} at most: a print that the vendor's range leaves out"
    finding = of_days(
        row,
        value=float(len(days)),
        message=f"{row['ticker']}: {' / '.join(row['reasons'])} on {counted(len(days), 'session')}, first {listing(days)}{how_far}; "
        "quarantined: fetch them again or correct the file",
    )
    return finding if row["grave"] else replace(finding, severity="warning")


RULES = (
    Rule(
        name="ohlc_order",
        table=DAILY_BARS,
        severity="error",
        scope="ticker_day",
        blocking=False,
        description="low <= open, close <= high at 1e-6 relative (a print just outside warns); prices above 0; everything finite.",
        run=ohlc_order,
    ),
)
