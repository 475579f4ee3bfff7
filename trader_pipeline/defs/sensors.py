"""What reacts by itself: stale data is fetched again, a failed run and a full disk are told to somebody."""

import datetime as dt
import json

import dagster as dg

from trader_pipeline import calendar
from trader_pipeline.defs.resources import EXCHANGE, Trader
from trader_pipeline.flows.freshness import staleness
from trader_pipeline.operations.alerts import alert, alert_full_disk

_UNDER_WAY = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def stale_requests(behind: dict[str, int], target: dt.date, cursor: str, limit: int) -> tuple[list[str], list[str], str]:
    """Decide what to do about tables that are `behind` so many sessions.

    Returns the tables to fetch again (first time a table and session), the tables to tell somebody about (fetched
    again once already), and the new cursor.
    """
    seen: dict[str, int] = json.loads(cursor or "{}")
    fetch, tell = [], []
    for table, sessions in sorted(behind.items()):
        key = f"{table}:{target}"
        if sessions < limit:
            continue
        tries = seen.get(key, 0)
        if tries == 0:
            fetch.append(table)
        elif tries == 1:
            tell.append(table)
        seen[key] = tries + 1
    return fetch, tell, json.dumps({k: v for k, v in seen.items() if k.endswith(str(target))})


def on_stale_data(trader: Trader, *, running: bool) -> dg.SensorDefinition:
    """Return the sensor that starts `refetch` once a table and session, then alerts."""

    @dg.sensor(
        name="on_stale_data",
        job_name="refetch",
        minimum_interval_seconds=300,
        default_status=dg.DefaultSensorStatus.RUNNING if running else dg.DefaultSensorStatus.STOPPED,
    )
    def sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        if _fetching(context.instance):
            return dg.SkipReason("a run that fetches is under way; what it brings is judged when it is done")
        now = dt.datetime.now(dt.UTC)
        target = calendar.last_closed_session(EXCHANGE, now)
        behind = staleness(trader.lake, as_of=now)
        fetch, tell, cursor = stale_requests(behind, target, context.cursor or "", trader.settings.checks.stale_warning)
        for table in tell:
            alert(trader.settings, event="stale_data", text=f"{table} is {behind[table]} sessions behind {target} after a refetch")
        requests = [dg.RunRequest(run_key=f"stale:{table}:{target}", tags={"reason": f"stale {table}"}) for table in fetch[:1]]
        reason = None if requests else dg.SkipReason(f"sessions behind {target}: {behind}")
        return dg.SensorResult(run_requests=requests, cursor=cursor, skip_reason=reason)

    return sensor


def _fetching(instance: dg.DagsterInstance) -> bool:
    filters = [dg.RunsFilter(job_name=job, statuses=_UNDER_WAY) for job in ("fetch", "refetch", "daily", "backfill")]
    return any(instance.get_runs_count(only) for only in filters)


def on_full_disk(trader: Trader) -> dg.SensorDefinition:
    """Return the sensor that alerts while the disk is over 85 % used: once a day."""

    @dg.sensor(name="on_full_disk", minimum_interval_seconds=600, default_status=dg.DefaultSensorStatus.RUNNING)
    def sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        today = dt.datetime.now(dt.UTC).date().isoformat()
        told = context.cursor == today or alert_full_disk(trader.settings)
        return dg.SensorResult(cursor=today if told else "", skip_reason=dg.SkipReason("told today" if told else "there is room"))

    return sensor


def on_failure(trader: Trader) -> dg.SensorDefinition:
    """Return the sensor that logs a failed run and posts it to the webhook of the settings."""

    @dg.run_failure_sensor(name="on_failure", minimum_interval_seconds=30, default_status=dg.DefaultSensorStatus.RUNNING)
    def sensor(context: dg.RunFailureSensorContext) -> None:
        run = context.dagster_run
        alert(trader.settings, event="run_failed", text=f"{run.job_name} {run.run_id}: {context.failure_event.message}")

    return sensor
