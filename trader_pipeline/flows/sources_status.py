"""What `trader status` says of the sources: which tickers lag and why, what the vendors were asked and how they answered."""

import datetime as dt
from dataclasses import asdict
from typing import Any

from trader_pipeline import calendar
from trader_pipeline.errors import UsageError
from trader_pipeline.lake import Snapshot
from trader_pipeline.settings import Settings, load_universe
from trader_pipeline.sources import bars_feed
from trader_pipeline.sources.gate_states import gate_states
from trader_pipeline.sources.listings import listing_of
from trader_pipeline.sources.rest import GATE_FILE

Row = dict[str, Any]

WORST = 200
"""Tickers listed; the count beside them is of all."""

_BARS = "(kind is null or kind = 'bars')"
_REACHED = f"""
select ticker, max(last_session) filter (outcome = 'ok') as last_session,
       arg_max(source, "at") as source, arg_max(outcome, "at") as outcome, arg_max(coalesce(detail, ''), "at") as detail, max("at") as "at"
from raw.fetch_attempts where {_BARS} group by ticker"""  # noqa: S608 - a constant
_BY_SOURCE = f"""
select source, ticker, max(last_session) as last_session from raw.fetch_attempts where {_BARS} and outcome = 'ok' group by all"""  # noqa: S608 - a constant
_ENDED = """
select ticker, symbol, ended, valid_to as "on" from core.ticker_map where ended in ('delisted', 'presumed')
order by valid_to desc, ticker"""


def universe(snapshot: Snapshot, settings: Settings, *, as_of: dt.datetime) -> Row:
    """Return how much of the live universe has bars up to its last closed session, by any source and by each, and the worst tickers."""
    if settings.dataset != "live":
        return {"universe": None, "by_source": [], "worst": []}
    ended = set(snapshot.sql("select symbol from core.ticker_map where ended in ('delisted', 'presumed')")["symbol"].to_pylist())
    targets = {t: calendar.last_closed_session(listing_of(t).exchange, as_of) for t in _wanted(settings) if t not in ended}
    reached = {row["ticker"]: row for row in snapshot.sql(_REACHED).to_pylist()}
    lagging = [t for t, target in targets.items() if not _is_complete(reached.get(t), target)]
    complete: dict[str, int] = {}
    for row in snapshot.sql(_BY_SOURCE).to_pylist():
        complete.setdefault(row["source"], 0)
        complete[row["source"]] += row["ticker"] in targets and _is_complete(row, targets[row["ticker"]])
    return {
        "universe": {"wanted": len(targets), "complete": len(targets) - len(lagging), "ended": len(ended)},
        "by_source": [{"source": source, "complete": n, "wanted": len(targets)} for source, n in sorted(complete.items())],
        "worst": sorted((_lag(t, reached.get(t), targets[t]) for t in lagging), key=_worst_first)[:WORST],
    }


def _wanted(settings: Settings) -> list[str]:
    try:
        listed = load_universe(settings.universe_file, settings.live_universe)
    except UsageError:
        listed = []
    return sorted({*listed, settings.benchmark})


def _is_complete(row: Row | None, target: dt.date) -> bool:
    return bool(row and row["last_session"] and row["last_session"] >= target)


def _lag(ticker: str, row: Row | None, target: dt.date) -> Row:
    """Return one lagging ticker; `sessions_behind` is null where no bar ever came."""
    last = row["last_session"] if row else None
    behind = len(calendar.sessions(listing_of(ticker).exchange, last, target)) - 1 if last else None
    answered = (
        {name: row[name] for name in ("source", "outcome", "at", "detail")} if row else dict.fromkeys(("source", "outcome", "at", "detail"))
    )
    return {"ticker": ticker, "sessions_behind": behind, "last_session": last, **answered}


def _worst_first(row: Row) -> tuple[bool, int, str]:
    return row["sessions_behind"] is not None, -(row["sessions_behind"] or 0), row["ticker"]


def fetches(snapshot: Snapshot) -> Row:
    """Return the outcomes of each ticker's last fetch, counted, and what the last run of each source cost."""
    last = snapshot.sql(
        "with last as (select *, coalesce(kind, 'bars') as what from raw.fetch_attempts "
        'qualify row_number() over (partition by source, what, ticker order by "at" desc) = 1) '
        'select source, what as kind, outcome, count(*) as tickers, max("at") as "at" from last group by all order by all'
    )
    cost = snapshot.sql(
        'select source, max("at") as "at", count(*) as tickers, sum(requests)::bigint as requests, sum(retries)::bigint as retries, '
        "coalesce(sum(throttled), 0)::bigint as throttled from raw.fetch_attempts group by source, run_id "
        'qualify row_number() over (partition by source order by max("at") desc) = 1 order by source'
    )
    return {"fetches": last.to_pylist(), "last_run": cost.to_pylist()}


def ended(snapshot: Snapshot) -> Row:
    """Return the securities that are delisted or presumed to be."""
    return {"ended": snapshot.sql(_ENDED).to_pylist()}


def stand_ins(snapshot: Snapshot, settings: Settings) -> Row:
    """Return the accepted bars that are not of the first choice, by source."""
    first = bars_feed(settings).source
    rows = snapshot.sql(
        "select source, count(*) as rows, count(distinct ticker) as tickers, max(session) as through from core.accepted_bars "
        "where source <> ? group by source order by source",
        [first],
    )
    return {"stand_ins": rows.to_pylist() if settings.dataset == "live" else []}


def gates(settings: Settings, *, now: dt.datetime) -> Row:
    """Return the vendors' gates: until when each is paused or refused, and what has passed since its file was made."""
    return {"gates": [asdict(state) for state in gate_states(settings.home / GATE_FILE, now=now)]}
