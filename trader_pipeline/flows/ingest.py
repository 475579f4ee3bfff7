"""Ask a feed for what is missing and append what came to its raw tables, with the outcome of every ticker.

Answers are stored while others are under way, rows and attempts in one commit: an interrupt or a `kill -9` loses the last batch at
most, and the next run asks for the rest only.
"""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import pyarrow.compute as pc

from trader_pipeline.errors import InputError, UsageError
from trader_pipeline.flows import ingest_verdict
from trader_pipeline.flows.ingest_asking import Counted, FetchProgress
from trader_pipeline.flows.ingest_batch import Sink
from trader_pipeline.flows.ingest_plan import Plan, bars_in_order, subjects_of
from trader_pipeline.flows.ingest_stored import Stored
from trader_pipeline.lake import Lake, Snapshot
from trader_pipeline.settings import Settings
from trader_pipeline.sources.source import Attempt, Feed, FetchRequest

__all__ = ["FetchProgress", "IngestOutcome", "ingest", "is_due"]


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestOutcome:
    """What a fetch brought: attempts by ticker, HTTP requests sent, raw rows added, and whether the lake changed.

    `restated` tickers were fetched again as a whole; `skipped` says why the feed was not asked at all.
    """

    attempts: tuple[Attempt, ...] = ()
    requests: int = 0
    retries: int = 0
    throttled: int = 0
    new_rows: int = 0
    changed: bool = False
    restated: tuple[str, ...] = ()
    skipped: str | None = None


def _silent(_: FetchProgress) -> None:
    return


def ingest(
    lake: Lake,
    feed: Feed,
    settings: Settings,
    *,
    as_of: dt.datetime,
    fetched_at: dt.datetime,
    run_id: str,
    tickers: tuple[str, ...] | None = None,
    since: dt.date | None = None,
    restate: bool = False,
    shard: tuple[int, int] | None = None,
    fallback: bool = False,
    report: Callable[[FetchProgress], None] = _silent,
) -> IngestOutcome:
    """Fetch what is due and publish it. A vendor is not asked at all when every ticker is complete.

    `since` asks for the history from that day on again; `restate` for all of it, and takes the answer as it is: all of its rows, and
    where the guard against a reused symbol would refuse it; `shard=(k, n)` asks for the k-th of n parts of the tickers. `fallback`
    asks the sources of bars after the first choice again for the tickers that lack the last closed session, although they had nothing
    new of them before; the first choice is asked only for what it was not asked yet. Where one source alone can be asked, it is asked
    again.
    `report` is called after every answer.

    Raises `SourceUnavailableError` after publishing when too many tickers failed, `UsageError` when the source knows none of the
    tickers that the run names, or is the only one for bars and not ready. Without their folder, files that were stored before
    stand; `InputError` where none were.
    """
    if (why := feed.unready(settings)) is not None:
        if feed.local and not lake.snapshot().rows(feed.raw_tables[0]):
            raise InputError(why)
        if feed.kind == "bars" and not feed.local and not bars_in_order(feed, settings):
            raise UsageError(f"no source of bars can be asked: {why}")
        return IngestOutcome(skipped=why)
    if feed.local:
        return _local(lake, feed, settings, as_of=as_of, fetched_at=fetched_at, run_id=run_id, tickers=tickers, report=report)
    plan = _plan(lake.snapshot(), feed, settings, as_of=as_of, tickers=tickers, shard=shard)
    plan = replace(plan, forced=since, whole=restate, again=fallback and _stands_in(plan))
    request = FetchRequest(
        as_of=as_of,
        fetched_at=fetched_at,
        tickers=plan.due,
        first_session=first_session(settings, since),
        since=plan.since() if plan.due else {},
    )
    known = frozenset(plan.marks.get(feed.source, {}))
    sink = Sink(lake=lake, feed=feed, stored=plan.stored, request=request, run_id=run_id, known=known, guard=not restate)
    counted = Counted(feed, settings, report, len(plan.due))
    attempts, restated = _fetched(counted, sink) if plan.due else ((), ())
    _judge(plan, lake.snapshot(), attempts, tickers)
    return _outcome(attempts, sink, restated)


def is_due(lake: Lake, feeds: Sequence[Feed], settings: Settings, *, as_of: dt.datetime, tickers: tuple[str, ...] | None = None) -> bool:
    """Say whether `ingest` would ask any of the feeds for anything; sends no request."""
    snapshot = lake.snapshot()
    for feed in sorted(feeds, key=lambda feed: feed.kind != "members"):  # they say which tickers the others are asked for
        if feed.unready(settings) is not None:
            continue
        if feed.request_hashes is not None:
            if not feed.request_hashes(settings) <= _seen(snapshot, feed):
                return True
        elif _plan(snapshot, feed, settings, as_of=as_of, tickers=tickers).due:
            return True
    return False


def _plan(
    snapshot: Snapshot,
    feed: Feed,
    settings: Settings,
    *,
    as_of: dt.datetime,
    tickers: tuple[str, ...] | None,
    shard: tuple[int, int] | None = None,
) -> Plan:
    subjects = subjects_of(snapshot, feed, settings, as_of=as_of, tickers=tickers, shard=shard)
    bars = bars_in_order(feed, settings) if feed.kind == "bars" else ()
    return Plan(
        feed=feed,
        stored=Stored(snapshot, subjects),
        as_of=as_of,
        bars=bars,
        benchmark=frozenset({settings.benchmark}),
        answers_in=feed.answers_in(settings) if feed.answers_in else None,
    )


def _stands_in(plan: Plan) -> bool:
    """Say whether the feed comes after the first choice for bars, or there is no other that could."""
    return bool(plan.bars) and (plan.feed is not plan.bars[0] or len(plan.bars) == 1)


def _fetched(counted: Counted, sink: Sink) -> tuple[tuple[Attempt, ...], tuple[str, ...]]:
    """Fetch, then fetch what was restated from its first stored session on; return the attempts and the restated tickers."""
    counted.into(sink)
    if not sink.again:
        return tuple(sink.attempts), ()
    again = tuple(sink.again)
    request = replace(sink.request, tickers=again, since=sink.stored.first_sessions(sink.feed, again))
    second = replace(sink, request=request, guard=False, first_answers=sink.again, again={}, attempts=[])
    counted.of += len(again)
    counted.into(second)
    sink.new_rows, sink.changed = second.new_rows, second.changed
    restated = tuple(sorted(attempt.ticker for attempt in second.attempts if attempt.outcome == "ok"))
    return (*sink.attempts, *second.attempts), restated


def _judge(plan: Plan, snapshot: Snapshot, attempts: Sequence[Attempt], tickers: tuple[str, ...] | None) -> None:
    """Raise when the answers as a whole are not to be relied on; of sources of bars, the last one in the order answers for all."""
    if plan.bars and plan.bars[-1] is not plan.feed:
        return
    if plan.bars:
        ingest_verdict.refuse_unknown(plan, snapshot, tickers)
    unknown = {ticker for ticker, (outcome, _) in plan.stored.last_outcomes(plan.feed, plan.due).items() if outcome == "unknown_symbol"}
    alone = len(plan.bars) <= 1
    coverage = ingest_verdict.of_one(plan, attempts, unknown) if alone else ingest_verdict.of_all(plan, snapshot, unknown)
    coverage.raise_if_unavailable()


def _local(
    lake: Lake,
    feed: Feed,
    settings: Settings,
    *,
    as_of: dt.datetime,
    fetched_at: dt.datetime,
    run_id: str,
    tickers: tuple[str, ...] | None,
    report: Callable[[FetchProgress], None],
) -> IngestOutcome:
    """Read what is not stored yet of files, or of what is computed."""
    stored = Stored(lake.snapshot(), ())
    request = FetchRequest(as_of=as_of, fetched_at=fetched_at, tickers=tickers, seen=_seen(stored.snapshot, feed))
    sink = Sink(lake=lake, feed=feed, stored=stored, request=request, run_id=run_id)
    Counted(feed, settings, report, 0).into(sink)
    return _outcome(sink.attempts, sink, ())


def _outcome(attempts: Sequence[Attempt], sink: Sink, restated: tuple[str, ...]) -> IngestOutcome:
    return IngestOutcome(
        attempts=tuple(attempts),
        requests=sum(attempt.requests for attempt in attempts),
        retries=sum(attempt.retries for attempt in attempts),
        throttled=sum(attempt.throttled for attempt in attempts),
        new_rows=sink.new_rows,
        changed=sink.changed,
        restated=restated,
    )


def _seen(snapshot: Snapshot, feed: Feed) -> frozenset[str]:
    """Return the hashes of everything that a local feed has brought already."""
    return frozenset(pc.unique(snapshot.read(feed.raw_tables[0], ["request_sha256"])["request_sha256"]).to_pylist())


def first_session(settings: Settings, since: dt.date | None) -> dt.date:
    """Return the first day to ask for of a ticker that is not stored yet."""
    try:
        first = dt.date.fromisoformat(settings.live_first_session)
    except ValueError as error:
        raise UsageError(f"live_first_session is {settings.live_first_session!r}; set TRADER_LIVE_FIRST_SESSION to YYYY-MM-DD") from error
    return first if since is None else min(first, since)
