"""Prices that cannot be."""

from typing import Any

from trader_pipeline.checks.context import CheckContext
from trader_pipeline.checks.rule import Finding, Rule, RuleResult, counted, listing, of_days
from trader_pipeline.schema.core import DAILY_BARS

TOLERANCE = 1e-6
"""Relative; smaller differences are a vendor's float32."""

_FAULTS = """
create or replace temp table price_faults as
with judged as (
  select ticker, session, source,
    coalesce(least(open, high, low, close) <= 0 or volume_shares < 0, false) as not_positive,
    coalesce(isinf(open) or isinf(high) or isinf(low) or isinf(close) or isinf(volume_shares), false) as not_finite,
    coalesce(low > least(open, close, high) * (1 + $tolerance), false) as low_above,
    coalesce(high < greatest(open, close, low) * (1 - $tolerance), false) as high_below
  from bars
)
select *, case when not_finite then 'a price or volume is infinite'
  when not_positive then 'a price is not positive, or volume is negative'
  when low_above and high_below then 'low is above and high below open or close'
  when low_above then 'low is above open, close or high'
  else 'high is below open, close or low' end as reason
from judged where not_finite or not_positive or low_above or high_below
"""
_BY_TICKER = """
select ticker, source, list(distinct session order by session) as days, list(distinct reason order by reason) as reasons
from price_faults group by all order by all
"""
_COUNTS = """
select count(*) as faulty_rows, count(*) filter (not_positive) as not_positive, count(*) filter (not_finite) as not_finite,
  count(*) filter (low_above) as low_above, count(*) filter (high_below) as high_below
from price_faults
"""


def ohlc_order(context: CheckContext) -> RuleResult:
    """Quarantine rows unless low <= open, close <= high (1e-6 relative), prices are > 0 and all values finite.

    Nulls are not judged here.
    """
    context.connection.execute(_FAULTS, {"tolerance": TOLERANCE})
    return RuleResult(
        findings=tuple(_of_ticker(row) for row in context.rows(_BY_TICKER)),
        quarantine=context.table("select distinct on (ticker, session, source) ticker, session, source, reason from price_faults"),
        metrics=context.rows(_COUNTS)[0],
    )


def _of_ticker(row: dict[str, Any]) -> Finding:
    days = row["days"]
    return of_days(
        row,
        value=float(len(days)),
        message=f"{row['ticker']}: {' / '.join(row['reasons'])} on {counted(len(days), 'session')}, first {listing(days)}; "
        "quarantined: fetch them again or correct the file",
    )


RULES = (
    Rule(
        name="ohlc_order",
        table=DAILY_BARS,
        severity="error",
        scope="ticker_day",
        blocking=False,
        description="low <= open, close <= high at 1e-6 relative; prices above 0; everything finite.",
        run=ohlc_order,
    ),
)
