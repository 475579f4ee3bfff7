"""What `trader status` says of the sources: which tickers lag and why, what the vendors were asked and how they answered."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from trader_pipeline import calendar
from trader_pipeline.errors import UsageError
from trader_pipeline.flows.ingest_plan import Plan, subjects_of
from trader_pipeline.flows.ingest_stored import Stored
from trader_pipeline.lake import Snapshot
from trader_pipeline.settings import Settings
from trader_pipeline.sources import bars_feed, feeds_of
from trader_pipeline.sources.gate_states import gate_states

Row = dict[str, Any]

WORST = 200
"""Tickers listed; the count beside them is of all."""

_SAID = """
select ticker, arg_max(source, "at") as source, arg_max(outcome, "at") as outcome, arg_max(coalesce(detail, ''), "at") as detail,
       max("at") as "at"
from raw.fetch_attempts where (kind is null or kind = 'bars') and ticker in (select unnest($tickers::varchar[])) group by ticker"""
_ENDED = """
select ticker, symbol, ended, valid_to as "on" from core.ticker_map where ended in ('delisted', 'presumed')
order by valid_to desc, ticker"""


def universe(snapshot: Snapshot, settings: Settings, *, as_of: dt.datetime) -> Row:
    """Return how much of the live universe has bars up to its last closed session, by any source and by each, and the worst tickers.

    Null where no universe is named yet.
    """
    nothing: Row = {"universe": None, "by_source": [], "worst": []}
    if settings.dataset != "live":
        return nothing
    feeds = tuple(feed for feed in feeds_of(settings) if feed.kind == "bars")
    try:
        wanted = subjects_of(snapshot, feeds[0], settings, as_of=as_of, tickers=None)
    except UsageError:
        return nothing
    plan = Plan(feed=feeds[-1], stored=Stored(snapshot, wanted), as_of=as_of, bars=feeds)
    target = {subject.asked: plan.targets[subject.exchange] for subject in wanted}
    complete = {source: sum(day >= target[ticker] for ticker, day in marks.items()) for source, marks in plan.marks.items()}
    return {
        "universe": {"wanted": len(wanted), "complete": len(plan.complete)},
        "by_source": [{"source": source, "complete": count, "wanted": len(wanted)} for source, count in complete.items()],
        "worst": sorted(_lagging(plan), key=_worst_first)[:WORST],
    }


def _lagging(plan: Plan) -> Iterator[Row]:
    """Yield the tickers that no source has brought to the last session; `sessions_behind` is null where no bar ever came."""
    lagging = [subject for subject in plan.stored.subjects if subject.asked not in plan.complete]
    said = {row["ticker"]: row for row in plan.stored.snapshot.sql(_SAID, {"tickers": [s.asked for s in lagging]}).to_pylist()}
    silent: Row = dict.fromkeys(("ticker", "sessions_behind", "last_session", "source", "outcome", "detail", "at"))
    for subject in lagging:
        last = max((marks[subject.asked] for marks in plan.marks.values() if subject.asked in marks), default=None)
        target = plan.targets[subject.exchange]
        behind = len(calendar.sessions(subject.exchange, last, target)) - 1 if last else None
        reached = {"ticker": subject.asked, "sessions_behind": behind, "last_session": last}
        yield silent | said.get(subject.asked, {}) | reached


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
    return {"gates": [asdict(state) for state in gate_states(settings.gate_path, now=now)]}
