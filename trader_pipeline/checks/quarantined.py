"""How much of the market is left after the other rules."""

from trader_pipeline.checks.context import CheckContext
from trader_pipeline.checks.rule import EVERY, Finding, Rule, RuleResult
from trader_pipeline.schema.core import DAILY_BARS

LEAST_LISTED = 20
"""Of fewer tickers a share says nothing: one is more than 5 %. These block when all of them are lost."""

_LOST = """
with suspect as (
  select distinct ticker from quarantined
), left_over as (
  select distinct b.ticker from bars b semi join suspect using (ticker)
  anti join quarantined q on q.ticker = b.ticker and q.source = b.source and q.session = b.session
), listed as (
  select s.ticker, max(s.last_session) as last_session, coalesce(min(d.behind_newest_sessions), 0) as behind
  from (select ticker, max(last) as last_session from spans group by all) s left join daily_series d using (ticker) group by all
)
select l.ticker, l.ticker in (select ticker from suspect) and l.ticker not in (select ticker from left_over) as lost, l.last_session
from listed l where l.behind < ? order by all
"""


def quarantined_tickers(context: CheckContext) -> RuleResult:
    """Block when more than `quarantined_tickers` of the listed tickers have every row quarantined; of fewer than 20, when all have.

    Listed is what still trades: tickers presumed delisted do not count. A single ticker never blocks the others.
    """
    context.register_quarantined()
    listed = context.rows(_LOST, [context.settings.stale_error])
    if not listed:
        return RuleResult()
    lost = [row["ticker"] for row in listed if row["lost"]]
    share = len(lost) / len(listed)
    nothing_left = len(lost) == len(listed)
    blocks = nothing_left or (len(listed) >= LEAST_LISTED and len(lost) > 1 and share > context.settings.quarantined_tickers)
    metrics = {"quarantined_tickers": len(lost), "listed_tickers": len(listed), "quarantined_ratio": share}
    if not blocks:
        return RuleResult(metrics=metrics)
    newest = max(row["last_session"] for row in listed)
    shown = ", ".join(lost[:5]) + (f" and {len(lost) - 5} more" if len(lost) > 5 else "")  # noqa: PLR2004 - a message shows five names
    finding = Finding(
        ticker=EVERY,
        source=EVERY,
        severity="error",
        scope="table",
        first_session=newest,
        last_session=newest,
        sessions=0,
        value=share,
        message=f"{len(lost)} of {len(listed)} listed tickers are quarantined ({share:.1%}, "
        f"limit {context.settings.quarantined_tickers:.0%}): {shown}; mend the source"
        + ("" if nothing_left else ", or raise TRADER_CHECKS__QUARANTINED_TICKERS"),
    )
    return RuleResult(findings=(finding,), metrics=metrics, blocks=True)


RULES = (
    Rule(
        name="quarantined_tickers",
        table=DAILY_BARS,
        severity="error",
        scope="table",
        blocking=True,
        description="More than 5 % of the listed tickers (of fewer than 20: all) quarantined as a whole blocks what follows.",
        run=quarantined_tickers,
        whole=True,
    ),
)
