"""Each daily bar beside the one before it and the one after it: what the rules on returns and volumes compare."""

from trader_pipeline.checks.context import CheckContext

_STEPS = """
create temp table if not exists steps as
with splits as (
  select ticker, session, product(value) as ratio from corporate_actions where kind = 'split' and value > 0 group by all
), chosen as (
  select b.ticker, b.source, s.exchange, b.session, b.low, b.high, b.close, b.volume_shares, coalesce(p.ratio, 1) as ratio,
    b.open = b.high and b.high = b.low and b.low = b.close as flat
  from bars b
  join (select ticker, source, exchange from series where spacing = 'daily') s using (ticker, source)
  left join splits p using (ticker, session)
), beside as (
  select *, lag(close) over w as close_before, lag(volume_shares) over w as volume_before, row_number() over w as place
  from chosen window w as (partition by ticker, source order by session)
)
select * exclude (ratio, close_before, volume_before),
  if(close > 0 and close_before > 0 and isfinite(close) and isfinite(close_before), ln(close * ratio / close_before), null) as log_return,
  if(volume_shares > 0 and volume_before > 0 and isfinite(volume_shares) and isfinite(volume_before),
     ln(volume_shares / volume_before / ratio), null) as log_volume_step
from beside
"""


def add_steps(context: CheckContext) -> None:
    """Add the table `steps` unless it is there: the rows of daily series, counted by `place`, with log_return and log_volume_step.

    Both are natural logarithms against the row before, as known splits make them comparable; null where a price or a volume is
    null, infinite or not positive, and on the first row. `flat`: open, high, low and close are one price.
    """
    context.connection.execute(_STEPS)
