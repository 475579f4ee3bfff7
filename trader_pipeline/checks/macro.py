"""Macro observations that were known before their day, of a vintage that nobody knows, or in percent among fractions."""

from trader_pipeline.checks.context import CheckContext
from trader_pipeline.checks.faults import judge
from trader_pipeline.checks.rule import Rule, RuleResult
from trader_pipeline.schema.core import MACRO
from trader_pipeline.schema.vintages import FINAL, LATEST, RELEASED

JUMP = 20
"""Percent among fractions is off by 100; that much of it has to be left beside what the series does of itself."""

STEPS = 6
"""A value that is off lies farther from the middle of its two neighbours than six times the usual step on the calmer side: near zero,
where a spread of yields comes by, a ratio says little."""

_VERSIONS = """
select series as ticker, source, observed_on as day, '' as item, 'error' as severity, 'unknown vintage ' || vintage as fact
from macro where not list_contains($vintages, vintage)
union all
select series, source, observed_on, '', 'error', 'one version given more than once'
from macro
group by series, source, observed_on, known_at having count(*) > 1
"""
_CLOCK = """
select series as ticker, source, observed_on as day, '' as item, 'error' as severity, 'known before the day it speaks of' as fact
from macro where observed_on > (known_at at time zone 'UTC')::date
"""
_JUMPS = """
with stepped as (
  select *, abs(value - lag(value) over w) as step, lag(value) over w as before, lead(value) over w as after
  from macro window w as (partition by series, source order by observed_on)
), beside as (
  select *, median(abs(value)) over past as a, median(abs(value)) over future as b, count(*) over past as n_a, count(*) over future as n_b,
    least(median(step) over past, median(step) over later) as usual
  from stepped
  window past as (partition by series, source order by observed_on rows between 5 preceding and 1 preceding),
    future as (partition by series, source order by observed_on rows between 1 following and 5 following),
    later as (partition by series, source order by observed_on rows between 2 following and 6 following)
), judged as (
  select *, ln(abs(value) / nullif(a, 0)) as r, ln(abs(value) / nullif(b, 0)) as s, n_a = 0 or n_b = 0 as at_end,
    coalesce((before + after) / 2, before, after) as middle
  from beside where value <> 0 and isfinite(value) and n_a + n_b >= 5
)
select series as ticker, source, observed_on as day, '' as item, if(at_end, 'warning', 'error') as severity,
  'far ' || if(coalesce(r, s) > 0, 'larger', 'smaller') || ' than beside it, as in another unit' as fact
from judged
where coalesce(least(abs(r), abs(s)), abs(r), abs(s)) > ln($jump) and coalesce(sign(r) = sign(s), true)
  and abs(value - middle) > $steps * coalesce(usual, 0)
union all
select series, source, observed_on, '', 'error', 'infinite' from macro where isinf(value)
"""


def macro_clock(context: CheckContext) -> RuleResult:
    """Object to observations known before the day that they speak of."""
    return judge(context, _CLOCK, mend="nothing may be known before it was: fetch the series again")


def macro_versions(context: CheckContext) -> RuleResult:
    """Object to vintages that are none of released, latest and final, and to one version given more than once."""
    return judge(
        context, _VERSIONS, mend="fetch the series again, or map the vendor's vintage", limits={"vintages": [RELEASED, LATEST, FINAL]}
    )


def macro_unit(context: CheckContext) -> RuleResult:
    """Object to values 20 times or a 20th of the 5 before and the 5 after, and more than six usual steps away; at the ends a warning."""
    return judge(context, _JUMPS, mend="look at the unit, fetch the series again", limits={"jump": JUMP, "steps": STEPS})


RULES = (
    Rule(
        name="macro_clock",
        table=MACRO,
        severity="error",
        scope="ticker_day",
        blocking=False,
        description="An observation known before the day that it speaks of.",
        run=macro_clock,
        whole=True,
    ),
    Rule(
        name="macro_versions",
        table=MACRO,
        severity="error",
        scope="ticker_day",
        blocking=False,
        description="A vintage that is none of released, latest and final; one version given twice.",
        run=macro_versions,
        whole=True,
    ),
    Rule(
        name="macro_unit",
        table=MACRO,
        severity="error",
        scope="ticker_day",
        blocking=False,
        description="A value 100 times too large or too small beside its neighbours: percent among fractions.",
        run=macro_unit,
        whole=True,
    ),
)
