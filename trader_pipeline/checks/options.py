"""Option quotes that cannot be."""

from trader_pipeline.checks.context import CheckContext
from trader_pipeline.checks.faults import judge
from trader_pipeline.checks.rule import Rule, RuleResult
from trader_pipeline.schema.core import OPTION_QUOTES

HIGHEST_VOLATILITY = 5.0
"""500 % a year."""

_VOLATILITY = """
select ticker, source, session as day, expiry || ' ' || kind || ' ' || strike as item, 'warning' as severity,
  if(implied_volatility <= 0, 'implied volatility not above 0', 'implied volatility above 500 %') as fact
from option_quotes where implied_volatility <= 0 or implied_volatility > $highest
"""
_QUOTES = """
select ticker, source, session as day, expiry || ' ' || kind || ' ' || strike as item, 'error' as severity,
  'expired before the session' as fact
from option_quotes where expiry < session
union all
select ticker, source, session, expiry || ' ' || kind || ' ' || strike, 'error', 'a negative price' from option_quotes
where least(bid, ask, last, underlying) < 0 or strike <= 0
union all
select ticker, source, session, expiry || ' ' || kind || ' ' || strike, 'warning', 'the ask below the bid'
from option_quotes where bid > 0 and ask > 0 and ask < bid
"""


def option_volatility(context: CheckContext) -> RuleResult:
    """Warn of implied volatilities at or below 0 and above 500 % a year; null is not judged."""
    return judge(context, _VOLATILITY, mend="do not read them: volatility is made from bid and ask", limits={"highest": HIGHEST_VOLATILITY})


def option_quotes(context: CheckContext) -> RuleResult:
    """Object to contracts that expired before the session and to negative prices; warn of an ask below the bid."""
    return judge(context, _QUOTES, mend="fetch the chain again while the market is open")


RULES = (
    Rule(
        name="option_volatility",
        table=OPTION_QUOTES,
        severity="warning",
        scope="ticker_day",
        blocking=False,
        description="Implied volatility at or below 0, or above 500 %.",
        run=option_volatility,
        whole=True,
    ),
    Rule(
        name="option_quotes",
        table=OPTION_QUOTES,
        severity="error",
        scope="ticker_day",
        blocking=False,
        description="Expired before the session, a negative price, an ask below the bid.",
        run=option_quotes,
        whole=True,
    ),
)
