"""Headlines from the future, without words, or told twice under one id."""

from trader_pipeline.checks.context import CheckContext
from trader_pipeline.checks.faults import judge
from trader_pipeline.checks.rule import Rule, RuleResult
from trader_pipeline.schema.core import NEWS

_CLOCK = """
select ticker, source, (published_at at time zone 'UTC')::date as day, news_id as item, 'error' as severity,
  if(published_at > known_at, 'published after it was known', 'published in the future') as fact
from news where published_at > known_at or published_at > $as_of
"""
_TEXT = """
select ticker, source, (published_at at time zone 'UTC')::date as day, news_id as item, 'warning' as severity, 'no title' as fact
from news where title is null or trim(title) = ''
union all
select ticker, source, (max(published_at) at time zone 'UTC')::date, news_id, 'warning', 'one id given more than once'
from news group by ticker, source, news_id having count(*) > 1
"""


def news_clock(context: CheckContext) -> RuleResult:
    """Object to headlines published after they were known, or after `as_of`."""
    return judge(context, _CLOCK, mend="correct the vendor's clock or time zone, fetch them again", limits={"as_of": context.as_of})


def news_text(context: CheckContext) -> RuleResult:
    """Warn of headlines without a title, and of one id that a source gives a ticker more than once."""
    return judge(context, _TEXT, mend="fetch them again; scores of them count for nothing or twice")


RULES = (
    Rule(
        name="news_clock",
        table=NEWS,
        severity="error",
        scope="ticker_day",
        blocking=False,
        description="Published after it was known, or in the future.",
        run=news_clock,
        whole=True,
    ),
    Rule(
        name="news_text",
        table=NEWS,
        severity="warning",
        scope="ticker_day",
        blocking=False,
        description="No title, or one id more than once.",
        run=news_text,
        whole=True,
    ),
)
