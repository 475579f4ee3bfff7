"""Returns far from those of the ticker's peers that come back at once: a wrong price. A move that stays is news."""

import math
from dataclasses import replace
from typing import Any

from trader_pipeline.checks.context import CheckContext
from trader_pipeline.checks.peers import add_peer_moves
from trader_pipeline.checks.rule import Finding, Rule, RuleResult, Severity, of_days
from trader_pipeline.schema.core import CORPORATE_ACTIONS, DAILY_BARS, SECTORS

MADS = 8
"""Median absolute deviations from the peers' median that make a return an outlier."""

LEAST_MAD = 0.002
"""A smaller deviation (log return) than this counts as this: on a quiet day not everything is an outlier."""

TICK_SHARE = 0.1
"""The smallest tenth of a ticker's moves is taken for its tick: a penny stock that goes from 12 cents to 11 made one step, not 40 MAD."""

LEAST_MOVES = 20
"""Fewer moves than this show no tick."""

SURELY, SURELY_MADS = 0.18, 25
"""No smaller residual (log return) is judged, unless it is 25 MAD: real moves came back from 0.15 (TSLA 2018-09-28)."""

COMES_BACK = 0.25
"""The residuals of the two sessions cancel to this share of the first: the price came back."""

COMES_BACK_MADS = 6
"""... or to this many MAD, the moves that two ordinary sessions bring anyway."""

_OUTLIERS = """
create or replace temp table outliers as
with grouped as (
  select s.*, coalesce(k.sector, '') as sector
  from steps s left join sectors k on k.ticker = s.ticker and s.session between k.valid_from and coalesce(k.valid_to, s.session)
), residuals as (
  select ticker, source, exchange, session, place, high, low, close, log_return - coalesce(b.typical, e.typical, 0) as residual,
    coalesce(b.spread, e.spread, 0) as spread
  from grouped g
  left join (select * from peer_moves where sector <> '') b using (exchange, sector, session)
  left join (select * from peer_moves where sector = '') e using (exchange, session)
), own as (
  select ticker, source, mad(residual) as own from residuals group by all
), suspect as (
  select *, greatest(own, spread, $least_mad) as spreads from residuals join own using (ticker, source)
  where abs(residual) > $mads * greatest(own, spread, $least_mad)
), moves as (
  select ticker, source, abs(close * (1 - exp(-log_return))) as moved from steps semi join suspect using (ticker, source)
), ticks as (
  select ticker, source, quantile_cont(moved, $tick_share) as tick from moves where moved > 0 group by all having count(*) >= $least_moves
), scaled as (
  select s.*, greatest(spreads, coalesce(tick / close, 0)) as scale from suspect s left join ticks using (ticker, source)
), far as (
  select * from scaled where abs(residual) > $mads * scale and (abs(residual) > $surely or abs(residual) > $surely_mads * scale)
)
select f.*, n.residual as residual_after, n.session is null and f.session = d.newest_session as newest,
  if(f.high > f.low and f.low > 0, ln(f.high / f.low), 0) as height
from far f
left join residuals n on n.ticker = f.ticker and n.source = f.source and n.place = f.place + 1
left join (select distinct exchange, newest_session from daily_series) d on d.exchange = f.exchange
"""
_VERDICTS = """
create or replace temp table judged_outliers as
select *, case when newest then 'newest'
  when height < abs(residual) / 2 and abs(residual + residual_after) < greatest($comes_back * abs(residual), $comes_back_mads * scale)
    then 'displaced'
  when abs(residual + residual_after) < $comes_back * abs(residual) then 'back' end as kind
from outliers where newest or sign(residual) <> sign(residual_after)
"""
_TEXT = {
    "displaced": ("the whole bar stands apart and the price is back the next session", "quarantined: fetch it again"),
    "back": ("the close is back the next session", "compare with another source"),
    "newest": ("it is the newest session", "compare with another source before you act on it"),
}


def outlier_returns(context: CheckContext) -> RuleResult:
    """Judge returns over 8 MAD from the peers' median (the sector's, else the exchange's; known splits undone).

    One MAD is the largest of the ticker's own, that session's among the peers, one tick, and 0.2 %. Of those that are over 18 %, or 25 MAD,
    one that comes back the next session with the whole bar apart quarantines the day; one that comes back within a wide bar,
    or on the newest session, where nobody can tell yet, is a warning. A move that stays is news, and only counted.
    """
    add_peer_moves(context)
    limits = {"mads": MADS, "least_mad": LEAST_MAD, "surely": SURELY, "surely_mads": SURELY_MADS}
    context.connection.execute(_OUTLIERS, limits | {"tick_share": TICK_SHARE, "least_moves": LEAST_MOVES})
    context.connection.execute(_VERDICTS, {"comes_back": COMES_BACK, "comes_back_mads": COMES_BACK_MADS})
    rows = context.rows("select * from judged_outliers where kind is not null order by ticker, source, session")
    far = context.rows("select count(*) as n from outliers")[0]["n"]
    return RuleResult(
        findings=tuple(_of_day(row) for row in rows),
        quarantine=context.table(
            "select distinct ticker, session, source, 'return far from the peers, and back the next session' as reason "
            "from judged_outliers where kind = 'displaced'"
        ),
        metrics={
            "outliers": far,
            "came_back": sum(row["kind"] != "newest" for row in rows),
            "stayed": far - len(rows),
        },
    )


def _of_day(row: dict[str, Any]) -> Finding:
    fact, mend = _TEXT[row["kind"]]
    severity: Severity = "error" if row["kind"] == "displaced" else "warning"
    apart = math.expm1(row["residual"])
    mads = abs(row["residual"]) / row["scale"]
    message = f"{row['ticker']}: {row['session']} moves {apart:+.1%} beyond its peers, {mads:.0f} MAD; {fact}; {mend}"
    return replace(of_days(row | {"days": [row["session"]]}, value=apart, message=message), severity=severity)


RULES = (
    Rule(
        name="outlier_returns",
        table=DAILY_BARS,
        severity="error",
        scope="ticker_day",
        blocking=False,
        description="A return over 8 MAD from the peers' median that comes back the next session.",
        run=outlier_returns,
        reads=(SECTORS, CORPORATE_ACTIONS),
    ),
)
