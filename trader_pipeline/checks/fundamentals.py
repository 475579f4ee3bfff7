"""Filed figures that cannot be: negative where nothing can be, known before they were, or in another unit than their neighbours."""

from trader_pipeline.checks.context import CheckContext
from trader_pipeline.checks.faults import judge
from trader_pipeline.checks.rule import Rule, RuleResult
from trader_pipeline.schema.core import FUNDAMENTALS

NEVER_NEGATIVE = (
    "shares_diluted",
    "shares_basic",
    "shares_outstanding",
    "total_assets",
    "current_assets",
    "cash_and_equivalents",
    "inventory",
    "receivables",
    "goodwill",
    "total_liabilities",
    "current_liabilities",
    "long_term_debt",
    "total_debt",
)
LEVELS = (
    "total_revenue",
    "cost_of_revenue",
    "total_assets",
    "total_liabilities",
    "shares_diluted",
    "shares_basic",
    "shares_outstanding",
)
"""Figures that stay far from zero, so that a ratio to the period before means something."""

JUMP = 200
"""A figure in thousands among units is off by 1,000; no company grows or shrinks by 200 from one period to the next and back."""

_NEIGHBOURS = """
select *, lag(value) over w as a1, lag(value, 2) over w as a2, lead(value) over w as b1, lead(value, 2) over w as b2
from fundamentals window w as (partition by ticker, metric, months, source, unit order by period_end)
"""
_VALUES = f"""
with beside as (select * from ({_NEIGHBOURS}) where metric = 'total_revenue')
select ticker, source, period_end as day, metric || ' ' || months as item, 'error' as severity, metric || ' is negative' as fact
from fundamentals where value < 0 and list_contains($never_negative, metric)
union all
select ticker, source, period_end, metric || ' ' || months, 'error', metric || ' is infinite' from fundamentals where isinf(value)
union all
select ticker, source, period_end, metric || ' ' || months, 'warning', 'total_revenue changes its sign for one period'
from beside where value <> 0 and (
  (value * a1 < 0 and value * b1 < 0)
  or (b1 is null and value * a1 < 0 and value * a2 < 0)
  or (a1 is null and value * b1 < 0 and value * b2 < 0))
"""  # noqa: S608 - our own text
_DATES = """
select ticker, source, period_end as day, metric || ' ' || months as item, 'error' as severity,
  case when period_end > filed_on then metric || ' of a period that ends after its filing'
    else metric || ' known before its period ended' end as fact
from fundamentals where period_end > filed_on or period_end > (known_at at time zone 'UTC')::date
"""
_JUMPS = f"""
with beside as (select * from ({_NEIGHBOURS}) where list_contains($levels, metric) and value <> 0),
ratios as (
  select *, ln(abs(value / nullif(a1, 0))) as r1, ln(abs(value / nullif(a2, 0))) as r2, ln(abs(value / nullif(b1, 0))) as s1,
    ln(abs(value / nullif(b2, 0))) as s2
  from beside
), pairs as (
  select *, coalesce(r1, s1) as one, case when r1 is null then s2 when s1 is null then r2 else s1 end as other,
    r1 is null or s1 is null as at_end
  from ratios
)
select ticker, source, period_end as day, metric || ' ' || months as item, if(at_end, 'warning', 'error') as severity,
  metric || if(one > 0, ' far larger', ' far smaller') || ' than beside it, as in another unit' as fact
from pairs where sign(one) = sign(other) and least(abs(one), abs(other)) > ln($jump)
"""  # noqa: S608 - the same


def fundamentals_values(context: CheckContext) -> RuleResult:
    """Object to negative shares, assets, debts and the like, to infinite figures, and to a revenue of the other sign for one period."""
    return judge(context, _VALUES, mend="look at the filing, fetch it again", limits={"never_negative": list(NEVER_NEGATIVE)})


def fundamentals_dates(context: CheckContext) -> RuleResult:
    """Object to figures of periods that end after the filing, or after the moment at which they were known."""
    return judge(context, _DATES, mend="nothing may be known before it was: fetch the filing again")


def fundamentals_unit(context: CheckContext) -> RuleResult:
    """Object to revenue, assets, liabilities and shares 200 times or a 200th of those of the period before and after.

    At the ends the two nearest are compared, and it is a warning.
    """
    return judge(context, _JUMPS, mend="look at the unit of the filing, fetch it again", limits={"levels": list(LEVELS), "jump": JUMP})


RULES = (
    Rule(
        name="fundamentals_values",
        table=FUNDAMENTALS,
        severity="error",
        scope="ticker_day",
        blocking=False,
        description="Negative shares, assets or debts; infinite figures; a revenue that changes its sign for one period.",
        run=fundamentals_values,
        whole=True,
    ),
    Rule(
        name="fundamentals_dates",
        table=FUNDAMENTALS,
        severity="error",
        scope="ticker_day",
        blocking=False,
        description="A period that ends after its filing, or after the figure was known.",
        run=fundamentals_dates,
        whole=True,
    ),
    Rule(
        name="fundamentals_unit",
        table=FUNDAMENTALS,
        severity="error",
        scope="ticker_day",
        blocking=False,
        description="Revenue, assets, liabilities or shares off by about 1,000 beside the periods around.",
        run=fundamentals_unit,
        whole=True,
    ),
)
