"""What a refetch says of sessions that are stored already: the same, corrections, a restatement, or another company.

Prices are compared as traded, so a split that goes ex in a session not stored yet changes nothing. What does change stored
prices by one ratio (a split that the vendor told late, a change of unit), or changes an action inside the stored span,
reaches behind the overlap: the whole symbol must be asked for again. Rows without a close never count as a difference.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import duckdb
import pyarrow as pa

from trader_pipeline.schema import Table
from trader_pipeline.schema.core import CORPORATE_ACTIONS, DAILY_BARS

RELATIVE_TOLERANCE = 1e-6
"""Vendors send float32: two prices closer than this are the same."""

ACTION_TOLERANCE = 1e-4
"""Dividends are rounded after they were divided by later splits."""

CONSTANT_SPREAD = 0.02
"""Ratios that are further apart are not one ratio; those of prices rounded to cents are, at a dollar, 0.005 apart."""

CONSTANT_SHARE = 0.1
"""And they are nearer to each other than this share of their distance from 1, so that small corrections are none."""

LEAST_RATIOS = 3
"""Fewer sessions than this are one ratio by chance; they are kept as corrections."""

FAR = 0.01
"""Corrections move a close by less, mostly; another company's prices are nearly all further away."""

LEAST_FAR = 5
"""Another company is not concluded from fewer sessions."""

ROWS_BESIDE = 2
"""Rows before a new dividend that are stored again: adjusted closes move with every dividend and are not compared, so what a vendor
takes off shows between rows of one answer alone."""

Verdict = Literal["same", "corrections", "restated", "replaced"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What became of one ticker. `detail` says why it is restated or replaced."""

    verdict: Verdict
    detail: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """Verdicts by ticker, and the sessions (ticker, session) to store: bar or action is new or says something else, and ROWS_BESIDE."""

    verdicts: Mapping[str, Judged]
    news: pa.Table


def compare(fresh: Mapping[Table, pa.Table], stored: Mapping[Table, pa.Table]) -> Overlap:
    """Compare core rows of a new answer with the newest stored ones, of every ticker from the first session asked for.

    Both hold core.daily_bars and core.corporate_actions as `Feed.to_core` gives them, one version a session.
    """
    with duckdb.connect(config={"threads": 2}) as con:
        for name, rows in (("fresh", fresh), ("stored", stored)):
            con.register(f"{name}_bars", rows[DAILY_BARS])
            con.register(f"{name}_actions", rows[CORPORATE_ACTIONS])
        con.execute(f"create view paired as {_PAIRED}")
        con.execute(f"create view changed_actions as {_ACTIONS}")
        news = con.sql(_NEWS, params={"beside": ROWS_BESIDE}).to_arrow_table()
        prices = con.sql(_PRICES, params=_LIMITS).to_arrow_table().to_pylist()
        actions: dict[str, dict[str, Any]] = {}
        for row in con.sql("select * from changed_actions order by ticker, session, kind").to_arrow_table().to_pylist():
            actions.setdefault(row["ticker"], row)
    return Overlap(verdicts={row["ticker"]: _judged(row, actions.get(row["ticker"])) for row in prices}, news=news)


def _judged(prices: Mapping[str, Any], action: Mapping[str, Any] | None) -> Judged:
    if prices["leading"] and prices["moved"] >= LEAST_RATIOS and prices["spread"] < _widest(prices["ratio"]):
        return Judged(verdict="restated", detail=f"ratio {prices['ratio']:.4f} over {prices['moved']} sessions")
    if prices["far"] >= LEAST_FAR and 2 * prices["far"] > prices["both"]:
        differing = f"{prices['far']} of {prices['both']} closes differ from the stored ones without a common ratio"
        return Judged(verdict="replaced", detail=differing)
    if prices["held"] >= LEAST_FAR and not prices["common"]:
        return Judged(verdict="replaced", detail=f"none of {prices['held']} stored sessions is in the answer")
    if action is not None:
        return Judged(verdict="restated", detail=_said(action))
    return Judged(verdict="corrections" if prices["differing"] else "same")


def _widest(ratio: float) -> float:
    return min(CONSTANT_SPREAD, CONSTANT_SHARE * abs(ratio - 1))


def _said(action: Mapping[str, Any]) -> str:
    day: dt.date = action["session"]
    if action["was"] is None:
        return f"{action['kind']} {action['is_now']:g} on {day} was not known"
    what = "vanished" if action["is_now"] is None else f"is {action['is_now']:g} now"
    return f"{action['kind']} {action['was']:g} on {day} {what}"


def _same(name: str, fresh: str = "f", stored: str = "s") -> str:
    one, other = f"{fresh}.{name}", f"{stored}.{name}"
    return f"({one} is not distinct from {other} or coalesce(abs({one} - {other}) <= {RELATIVE_TOLERANCE} * abs({other}), false))"


_PAIRED = f"""
select coalesce(f.ticker, s.ticker) as ticker, coalesce(f.session, s.session) as session,
       f.ticker is not null as is_fresh, s.ticker is not null as is_stored,
       case when f.close > 0 and s.close > 0 then f.close / s.close end as ratio,
       f.ticker is not null and s.ticker is not null and (f.close is not null or s.close is null) and not (
           {" and ".join(_same(name) for name in ("open", "high", "low", "close", "volume_shares"))}
           and f.currency is not distinct from s.currency and f.price_unit is not distinct from s.price_unit
       ) as differs
from fresh_bars f full join stored_bars s on f.ticker = s.ticker and f.session = s.session
"""  # noqa: S608 - names of columns and a constant
_ACTIONS = f"""
with span as (select ticker, min(session) as low, max(session) as high from stored_bars group by ticker),
-- a split of 1 or a dividend of 0 is none
f as (select ticker, session, kind, sum(value) as value from fresh_actions where value <> (kind = 'split')::int group by all),
s as (select ticker, session, kind, sum(value) as value from stored_actions where value <> (kind = 'split')::int group by all)
select span.ticker, session, kind, s.value as was, f.value as is_now
from f full join s using (ticker, session, kind) join span on span.ticker = ticker and session between low and high
where f.value is null or s.value is null or abs(f.value - s.value) > {ACTION_TOLERANCE} * abs(s.value)
"""  # noqa: S608 - a constant
_NEWS = """
with said as (
    select ticker, session from paired where is_fresh and (not is_stored or differs)
    union
    -- a session without a close now takes nothing back from one that had a close
    select ticker, session from changed_actions join paired using (ticker, session) where is_fresh and (ratio is not null or not is_stored)
), placed as (
    select ticker, session, row_number() over (partition by ticker order by session) as place
    from paired where is_fresh and (ratio is not null or not is_stored)
), paying as (
    select distinct ticker, place from fresh_actions join said using (ticker, session) join placed using (ticker, session)
    where kind = 'dividend' and value > 0
)
select ticker, session from said
union
select p.ticker, p.session from placed p join paying d on d.ticker = p.ticker and p.place between d.place - $beside and d.place - 1
"""
_PRICES = """
with moved as (
    select ticker, median(ratio) as ratio, max(session) as last from paired where abs(ratio - 1) > $tolerance group by ticker
)
select ticker, count(p.ratio) as both, count(*) filter (differs) as differing,
       count(*) filter (is_fresh and is_stored) as common, count(*) filter (is_stored) as held,
       count(*) filter (abs(p.ratio - 1) > $tolerance) as moved, count(*) filter (abs(p.ratio - 1) > $far) as far,
       -- every session up to the last that moved did move
       coalesce(count(*) filter (abs(p.ratio - 1) <= $tolerance and session < m.last) = 0, false) as leading,
       any_value(m.ratio) as ratio, max(abs(p.ratio / m.ratio - 1)) filter (abs(p.ratio - 1) > $tolerance) as spread
from paired p left join moved m using (ticker) group by ticker order by ticker
"""
_LIMITS = {"tolerance": RELATIVE_TOLERANCE, "far": FAR}
