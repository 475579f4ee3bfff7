"""What two sources say of the same ticker-session."""

from trader_pipeline.checks.context import CheckContext

_SHARED = """
create temp table if not exists shared_sessions as
select l.ticker, l.source, l.lead, b.session, abs(b.close / f.close - 1) as difference
from leads l
join bars b using (ticker, source)
join bars f on f.ticker = b.ticker and f.session = b.session and f.source = l.lead
where l.source <> l.lead and b.close > 0 and f.close > 0
"""


def add_shared_sessions(context: CheckContext) -> None:
    """Add the table `shared_sessions` unless it is there: the sessions that a later source shares with its lead.

    `difference` is |close / lead's close - 1| of the as-traded closes. Without an order of sources there are none.
    """
    context.connection.execute(_SHARED)
