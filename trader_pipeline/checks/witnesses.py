"""What the other tickers and the other sources say of a step without an action."""

from dataclasses import replace
from typing import Any, Literal

import pyarrow as pa

from trader_pipeline.checks.bursts import LEAST_AFTER
from trader_pipeline.checks.context import CheckContext
from trader_pipeline.checks.jumps import Jump
from trader_pipeline.checks.series import Series

MIN_PEERS = 5
PEER_SHARE = 1 / 3
"""When the others' median moved this share of the step that session, the step is the market's."""

LEVEL_ROWS, LEVEL_DAYS = 5, 30
"""Levels are compared on up to so many common sessions on either side, no farther off than so many days: one stale close says nothing."""

Jumps = list[tuple[Series, Jump]]

_CLOSES = """
create or replace temp table closes_beside as
select ticker, source, session, close from every_close
where close > 0 and (session in (select unnest([before, day]) from unlisted) or ticker in (select ticker from unlisted))
"""
_PEERS = """
select u.place, count(*) as peers, median(ln(b.close / p.close)) as typical
from unlisted u
join closes_beside b on b.source = u.source and b.session = u.day and b.ticker <> u.ticker
join closes_beside p on p.ticker = b.ticker and p.source = b.source and p.session = u.before
group by all
"""
_LEVELS = """
with common as (
  select u.place, u.least, b.source, b.session >= u.day as later, ln(a.close / b.close) as apart,
    row_number() over (partition by u.place, b.source, b.session >= u.day order by abs(b.session - u.day)) as nth
  from unlisted u
  join closes_beside a on a.ticker = u.ticker and a.source = u.source and a.session between u.day - $days and u.until
  join closes_beside b on b.ticker = u.ticker and b.source <> u.source and b.session = a.session
)
select place, source, median(apart) filter (not later) as before, median(apart) filter (later) as after,
  arg_min(apart, nth) filter (not later) as last
from common where nth <= $rows group by place, source
having count(*) filter (later) >= max(least) and count(*) filter (not later) >= max(least) order by all
"""


def with_witnesses(context: CheckContext, found: Jumps) -> Jumps:
    """Return the jumps but those that the other tickers made.

    Where every other source that has closes on both sides agrees on one side alone, the other side is at fault: an error. Where they
    made the step days before, the closes until then were stale: a warning.
    """
    if not found:
        return []
    context.connection.register("unlisted", pa.Table.from_pylist([_place(place, *pair) for place, pair in enumerate(found)]))
    context.connection.execute(_CLOSES)
    peers = {row["place"]: row for row in context.rows(_PEERS)}
    levels: dict[int, list[dict[str, Any]]] = {}
    for row in context.rows(_LEVELS, {"rows": LEVEL_ROWS, "days": LEVEL_DAYS}):
        levels.setdefault(row["place"], []).append(row)
    context.connection.unregister("unlisted")
    return [
        (series, _witnessed(jump, levels.get(place, [])))
        for place, (series, jump) in enumerate(found)
        if not _peers_moved(jump, peers.get(place))
    ]


def _place(place: int, series: Series, jump: Jump) -> dict[str, Any]:
    day_T = series.day_T
    last = day_T[jump.t] + LEVEL_DAYS if jump.t_end is None else day_T[jump.t_end]
    return {
        "place": place,
        "ticker": series.ticker,
        "source": series.source,
        "day": day_T[jump.t].item(),
        "before": day_T[jump.t - 1].item(),
        "until": last.item(),
        "least": LEAST_AFTER if jump.t_end is None else min(LEAST_AFTER, jump.t_end + 1 - jump.t),
    }


def _peers_moved(jump: Jump, row: dict[str, Any] | None) -> bool:
    return bool(row and row["peers"] >= MIN_PEERS and row["typical"] * jump.step > 0 and abs(row["typical"]) > PEER_SHARE * abs(jump.step))


def _witnessed(jump: Jump, levels: list[dict[str, Any]]) -> Jump:
    """Return the jump as all other sources' levels tell it; unchanged where they step too, agree on no side, or contradict each other."""
    told = {_told(jump, row) for row in levels}
    against = tuple(row["source"] for row in levels)
    if told == {"stale"}:
        return replace(jump, severity="warning")
    if told == {"before"}:
        return replace(jump, severity="error", against=against) if jump.t_end is None else jump
    return replace(jump, severity="error", against=against, onwards=jump.t_end is None) if told == {"after"} else jump


def _told(jump: Jump, row: dict[str, Any]) -> Literal["before", "after", "stale"] | None:
    """Say on which side of the step the levels disagree, or that the other source stepped days before; None where neither is so."""
    before, after, last = (abs(row[name]) < abs(jump.step) / 2 for name in ("before", "after", "last"))
    if before and after:
        return None if last else "stale"
    return "before" if after else "after" if before else None
