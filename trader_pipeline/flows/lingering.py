"""Symbols that their security left, and about which vendors go on to send that security's bars, as the raw rows show.

A vendor may answer FB with the bars of META, or with those that FB had until the rename. Another company may have FB by
then, and may have brought its history along. Names tell neither; prices do.
"""

import datetime as dt
from collections.abc import Collection, Sequence
from typing import Any

from trader_pipeline.flows.ingest_stored import close_of
from trader_pipeline.lake import Snapshot
from trader_pipeline.sources.source import Feed
from trader_pipeline.standardize.overlap import LEAST_FAR, RELATIVE_TOLERANCE
from trader_pipeline.standardize.symbol_changes import OWN, SymbolChange
from trader_pipeline.standardize.symbols import Symbols, Vacated

LEAST_SAME = LEAST_FAR
"""One security is not concluded from fewer equal closes."""

_COUNTED = """
with asked as (
    select unnest($place::int[]) as place, unnest($symbol::varchar[]) as symbol, unnest($low::date[]) as low, unnest($high::date[]) as high,
           unnest($mine::boolean[]) as mine
), said as (
    select a.place, a.mine, "{date}" as session, "{close}" as close
    from (select *, (fetched_at at time zone 'America/New_York')::date as asked_on from {table}) r join asked a on r.ticker = a.symbol
        and (a.low is null or asked_on >= a.low) and (a.high is null or asked_on <= a.high)
    where "{close}" is not null
), days as (
    select m.place, m.session, count(o.close) > 0 as common, coalesce(bool_or(abs(m.close / o.close - 1) <= $tolerance), false) as same
    from said m left join said o on o.place = m.place and o.session = m.session and not o.mine
    where m.mine group by all
), since as (select unnest($places::int[]) as place, unnest($days::date[]) as since, unnest($ended::boolean[]) as ended)
select place, count(*) filter (session < since) as before, count(*) filter (session >= since) as after,
       count(*) filter (common) as common, count(*) filter (same) as same
from days join since using (place)
where not ended or session < since group by place
"""
"""Of every vacated symbol: sessions in the answers since its security left, of those what the security's own answers say, and how
many closes of both are equal, whichever version. Of one that ended only the sessions before its end count."""


def lingering(snapshot: Snapshot, feeds: Sequence[Feed], symbols: Symbols, asked: Collection[str]) -> tuple[SymbolChange, ...]:
    """Return the changes after which answers about the symbol still are of the security that left, among symbols that were `asked`.

    After a rename: where most of its closes are equal to those that came under the security's other symbols, or where nothing of
    it is newer than the rename. After an end that the user wrote: where no closes of the security are stored that differ; the user
    says whose the sessions before it are. An end that follows from a vendor's telling (a merger) says nothing of the sessions.
    """
    vacated = [v for v in symbols.vacated() if v.period.symbol in asked and (v.change.new_symbol or v.change.source == OWN)]
    if not vacated:
        return ()
    parameters = _parameters(vacated, symbols)
    counts: dict[int, list[dict[str, Any]]] = {}
    for feed in feeds:
        if feed.kind == "bars" and not feed.local and snapshot.rows(feed.raw_tables[0]):
            bars = feed.raw_tables[0]
            query = _COUNTED.format(table=bars.full_name, date=bars.year_of, close=close_of(feed))
            for row in snapshot.sql(query, parameters).to_pylist():
                counts.setdefault(row["place"], []).append(row)
    return tuple(v.change for place, v in enumerate(vacated) if place in counts and _same(v.change, counts[place]))


def _same(change: SymbolChange, counts: Sequence[dict[str, int]]) -> bool:
    """Say whether all sources' answers are of the security that left."""
    if any(2 * row["same"] <= row["common"] for row in counts if row["common"]):
        return False
    if change.new_symbol is None:
        return any(row["before"] for row in counts)
    return sum(row["same"] for row in counts) >= LEAST_SAME or not any(row["after"] for row in counts)


def _parameters(vacated: Sequence[Vacated], symbols: Symbols) -> dict[str, Any]:
    """Return which answers are compared: by symbol, and by the days on which it meant one security or the other."""
    rows: list[tuple[int, str, dt.date | None, dt.date | None, bool]] = []
    for place, found in enumerate(vacated):
        periods = [(found.period, True), *((interval, False) for interval in symbols.intervals(found.left))]
        rows += [(place, period.symbol, period.first, period.last, mine) for period, mine in periods]
    return {
        **{name: [row[k] for row in rows] for k, name in enumerate(("place", "symbol", "low", "high", "mine"))},
        "places": list(range(len(vacated))),
        "days": [found.change.changed_on for found in vacated],
        "ended": [found.change.new_symbol is None for found in vacated],
        "tolerance": RELATIVE_TOLERANCE,
    }
