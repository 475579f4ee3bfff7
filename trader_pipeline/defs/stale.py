"""Stale data is fetched again by itself: once a table and session, from the sources that stand in; then somebody is told what was tried."""

import datetime as dt
from collections.abc import Callable

import dagster as dg

from trader_pipeline.defs.resources import FALLBACK, Trader
from trader_pipeline.defs.ticks import beat, utc_now
from trader_pipeline.flows.freshness import Freshness, freshness, react
from trader_pipeline.lake import Snapshot
from trader_pipeline.operations.alerts import Alert, send
from trader_pipeline.operations.doctor import HISTORICAL

NAME = "on_stale_data"
SOURCE_TAG, SESSION_TAG, REASON_TAG = "trader/source", "trader/session", "trader/reason"
_UNDER_WAY = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
_TRIED = """
select source, outcome, count(*) as tickers from raw.fetch_attempts where run_id = ? and (kind is null or kind = 'bars')
group by source, outcome order by source, tickers desc, outcome"""


def on_stale_data(trader: Trader, *, running: bool, clock: Callable[[], dt.datetime] = utc_now) -> dg.SensorDefinition:
    """Return the sensor that starts `refetch` with `source=fallback` once a table and session, then alerts with what was tried."""

    @dg.sensor(
        name=NAME,
        job_name="refetch",
        minimum_interval_seconds=300,
        default_status=dg.DefaultSensorStatus.RUNNING if running else dg.DefaultSensorStatus.STOPPED,
    )
    def sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        now = clock()
        result = _decided(context, trader, now)
        said = result.skip_reason.skip_message if isinstance(result, dg.SensorResult) and result.skip_reason else None
        if isinstance(result, dg.SkipReason):
            said = result.skip_message
        beat(trader, NAME, said or "refetch started", now)
        return result

    return sensor


def _decided(context: dg.SensorEvaluationContext, trader: Trader, now: dt.datetime) -> dg.SensorResult | dg.SkipReason:
    if trader.settings.dataset in HISTORICAL:
        return dg.SkipReason(f"{trader.settings.dataset} is historical: it ends where it ends")
    if _fetching(context.instance):
        return dg.SkipReason("a run that fetches is under way; what it brings is judged when it is done")
    found = freshness(trader.lake, as_of=now)
    reaction = react(found.behind, found.target, context.cursor or "", limit=trader.settings.checks.stale_warning)
    sent = {table: send(trader.settings, stale_alert(table, found, trader, context.instance), now=now) for table in reaction.tell}
    told = [table for table in sent if sent[table].told]
    cursor = reaction.cursor(told)
    if reaction.fetch:
        return dg.SensorResult(run_requests=[_refetch(reaction.fetch, found.target)], cursor=cursor)
    said = f"sessions behind {found.target}: "
    said += ", ".join(f"{table} {sessions}" for table, sessions in found.behind.items()) or "nothing is stored yet"
    if told:
        said += f"; told about {', '.join(told)}"
    if untold := [table for table in sent if table not in told]:
        said += f"; nobody could be told about {', '.join(untold)}, tried again with the next tick"
    return dg.SensorResult(skip_reason=dg.SkipReason(said), cursor=cursor)


def _refetch(tables: tuple[str, ...], target: dt.date) -> dg.RunRequest:
    """Return the one run that serves all tables that are stale now."""
    named = ", ".join(tables)
    return dg.RunRequest(
        run_key=f"stale:{target}:{named}",
        run_config={"resources": {"options": {"config": {"source": FALLBACK}}}},
        tags={REASON_TAG: f"stale {named}", SOURCE_TAG: FALLBACK, SESSION_TAG: target.isoformat()},
    )


def stale_alert(table: str, found: Freshness, trader: Trader, instance: dg.DagsterInstance) -> Alert:
    """Return what somebody is told of a table that a refetch did not mend: how old it is, which sources were asked, how they answered."""
    behind = found.behind[table]
    facts = {"sessions behind": str(behind), "newest session": str(found.newest[table]), "last closed session": str(found.target)}
    filters = dg.RunsFilter(job_name="refetch", tags={SOURCE_TAG: FALLBACK, SESSION_TAG: found.target.isoformat()})
    runs = instance.get_runs(filters, limit=1)
    if runs:
        facts |= {"tried": _tried(trader.lake.snapshot(), runs[0].run_id), "run": runs[0].run_id, "run ended": runs[0].status.value}
    else:
        facts["tried"] = "nothing: no run was started for this session"
    return Alert(
        event="stale_data",
        subject=table,
        summary=f"{table} ends {found.newest[table]}, {behind} sessions before {found.target}, after a refetch",
        mend="`trader status` has each vendor's last words; wait for the vendor and start the job refetch, or add a source to "
        "TRADER_SOURCES__BARS (docs/runbook.md, Data is stale)",
        facts=facts,
    )


def _tried(snapshot: Snapshot, run_id: str) -> str:
    """Return "fmp: 3 no_data; yahoo: 2 ok, 1 throttled"."""
    by_source: dict[str, list[str]] = {}
    for row in snapshot.sql(_TRIED, [run_id]).to_pylist():
        by_source.setdefault(row["source"], []).append(f"{row['tickers']} {row['outcome']}")
    return "; ".join(f"{source}: {', '.join(outcomes)}" for source, outcomes in by_source.items()) or "no source had to be asked"


def _fetching(instance: dg.DagsterInstance) -> bool:
    filters = [dg.RunsFilter(job_name=job, statuses=_UNDER_WAY) for job in ("fetch", "refetch", "daily", "backfill")]
    return any(instance.get_runs_count(only) for only in filters)
