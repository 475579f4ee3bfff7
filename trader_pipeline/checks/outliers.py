"""Returns far from those of the ticker's peers that come back at once: a wrong price. A move that stays is news."""

import math
from dataclasses import replace
from typing import Any

import pyarrow as pa

from trader_pipeline.checks.bursts import CALM, burst
from trader_pipeline.checks.context import CheckContext
from trader_pipeline.checks.moves import moves_of
from trader_pipeline.checks.peers import add_peer_moves
from trader_pipeline.checks.rule import Finding, Rule, RuleResult, Severity, of_days
from trader_pipeline.checks.series import LEAST_NOISE, Series, local_noise, series_of
from trader_pipeline.checks.unlisted import GREAT_MOVE
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
"""Where a part of the bar is in place no smaller residual (log return) is told, unless it is 25 MAD: closes do run away and come back."""

NOISES = 8
"""A whole bar that stands apart is wrong if its residual is eight times what the rows around it move, tails included, or 25 MAD."""

LEAST_APART = NOISES * LEAST_NOISE

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
    coalesce(b.typical, e.typical) is not null as has_peers,
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
  select *, abs(residual) > $surely or abs(residual) > $surely_mads * scale as surely
  from scaled where abs(residual) > $mads * scale and (abs(residual) > $least_apart or abs(residual) > $surely_mads * scale)
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
from outliers where (newest and surely) or sign(residual) <> sign(residual_after)
"""
_TEXT = {
    "displaced": ("the whole bar stands apart and the price is back the next session", "quarantined: fetch it again"),
    "traded": ("the price is back the next session, and people traded there", "compare with another source"),
    "back": ("the close is back the next session", "compare with another source"),
    "newest": ("it is the newest session", "compare with another source before you act on it"),
}


def outlier_returns(context: CheckContext) -> RuleResult:
    """Judge returns over 8 MAD from the peers' median (the sector's, else the exchange's; known splits undone).

    One MAD is the largest of the ticker's own, that session's among the peers, one tick, and 0.2 %. A whole bar apart that comes
    back the next session quarantines the day if it is eight times what the rows around it move, or 25 MAD, and no more than three
    times the usual volume was traded there. Over 18 %, or 25 MAD, one with more volume, one that comes back within a wide bar, and one
    on the newest session, where nobody can tell yet, is a warning. A move that stays is news, and only counted.
    """
    add_peer_moves(context)
    limits = {"mads": MADS, "least_mad": LEAST_MAD, "surely": SURELY, "surely_mads": SURELY_MADS}
    limits |= {"tick_share": TICK_SHARE, "least_moves": LEAST_MOVES, "least_apart": LEAST_APART}
    context.connection.execute(_OUTLIERS, limits)
    context.connection.execute(_VERDICTS, {"comes_back": COMES_BACK, "comes_back_mads": COMES_BACK_MADS})
    rows = _judged(context, context.rows("select * from judged_outliers where kind is not null order by ticker, source, session"))
    far = context.rows("select count(*) as n from outliers where surely")[0]["n"]
    away = [
        {name: row[name] for name in ("ticker", "session", "source")} | {"reason": "return far from the peers, and back the next session"}
        for row in rows
        if row["kind"] == "displaced"
    ]
    return RuleResult(
        findings=tuple(_of_day(row) for row in rows),
        quarantine=pa.Table.from_pylist(away) if away else None,
        metrics={
            "outliers": far,
            "came_back": sum(row["kind"] != "newest" for row in rows),
            "stayed": far - sum(row["surely"] for row in rows),
        },
    )


def _judged(context: CheckContext, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows that are told, displaced bars among them judged by the series around them: `traded` where they may be real."""
    apart = {(row["ticker"], row["source"], row["session"]): row for row in rows if row["kind"] == "displaced"}
    for series in series_of(context, {key[:2] for key in apart}):
        step_T = moves_of(series).step_T
        for t, day in enumerate(series.day_T.tolist()):
            row = apart.get((series.ticker, series.source, day))
            if row and _may_be_real(series, t, row, local_noise(step_T, t, t + 1)):
                row["kind"] = "traded"
    return [row for row in rows if row["surely"] or row["kind"] == "displaced"]


def _may_be_real(series: Series, t: int, row: dict[str, Any], sigma: float) -> bool:
    """Say whether people may have traded at a bar that stands apart: not so far off, or on a burst of volume; five times off, never."""
    far = abs(row["residual"])
    return bool(far < min(NOISES * sigma, SURELY_MADS * row["scale"]) or (burst(series, t) > CALM and far < GREAT_MOVE))


def _of_day(row: dict[str, Any]) -> Finding:
    fact, mend = _TEXT[row["kind"]]
    severity: Severity = "error" if row["kind"] == "displaced" else "warning"
    apart = math.expm1(row["residual"])
    mads = abs(row["residual"]) / row["scale"]
    beyond = "beyond its peers" if row["has_peers"] else "beyond what it usually moves"
    message = f"{row['ticker']}: {row['session']} moves {apart:+.1%} {beyond}, {mads:.0f} MAD; {fact}; {mend}"
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
