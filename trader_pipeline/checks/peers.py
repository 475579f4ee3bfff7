"""What a ticker's peers made of a session: the median return of its sector and of its exchange, and how far apart they were."""

import pyarrow as pa

from trader_pipeline.checks.context import CheckContext
from trader_pipeline.checks.steps import add_steps

MIN_PEERS = 8
"""Fewer others in the sector that session: the whole exchange is the peer group; fewer there: there are no peers."""

_PEERS = """
create temp table if not exists peer_moves as
with grouped as (
  select s.*, coalesce(k.sector, '') as sector
  from steps s left join sectors k on k.ticker = s.ticker and s.session between k.valid_from and coalesce(k.valid_to, s.session)
  where s.session > coalesce((select max(session) from earlier_moves), date '0001-01-01')
)
select exchange, sector, session, median(log_return) as typical, mad(log_return) as spread
from grouped where sector <> '' group by all having count(log_return) > $min_peers
union all
select exchange, '' as sector, session, median(log_return) as typical, mad(log_return) as spread
from grouped group by all having count(log_return) > $min_peers
union all
select exchange, sector, session, typical, spread from earlier_moves
"""


def add_peer_moves(context: CheckContext) -> None:
    """Add the table `peer_moves` unless it is there: exchange, sector ('' of the whole exchange), session, typical, spread.

    Both are of log returns with known splits undone: the median, and the median absolute deviation from it. A group with 8 returns
    or fewer that session is left out. Where the context shows the newest sessions alone, older ones are those of `earlier_moves`.
    """
    add_steps(context)
    context.connection.execute(_PEERS, {"min_peers": MIN_PEERS})


def peer_moves(context: CheckContext) -> pa.Table:
    """Return the rows of `peer_moves`."""
    add_peer_moves(context)
    return context.table("select exchange, sector, session, typical, spread from peer_moves order by all")
