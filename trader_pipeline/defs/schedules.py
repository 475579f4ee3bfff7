"""Daily after the close; weekly a training and a sweep."""

import dagster as dg

from trader_pipeline import calendar
from trader_pipeline.defs.resources import EXCHANGE


def after_close(*, running: bool) -> dg.ScheduleDefinition:
    """Return the schedule of `daily`: 17:30 New York on weekdays, skipped when the exchange is closed."""

    @dg.schedule(
        name="after_close",
        job_name="daily",
        cron_schedule="30 17 * * 1-5",
        execution_timezone="America/New_York",
        default_status=dg.DefaultScheduleStatus.RUNNING if running else dg.DefaultScheduleStatus.STOPPED,
    )
    def schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        day = context.scheduled_execution_time.date()
        if not calendar.is_session(EXCHANGE, day):
            return dg.SkipReason(f"{day} is no {EXCHANGE} session")
        return dg.RunRequest(run_key=day.isoformat(), partition_key=day.isoformat())

    return schedule


def weekly_training(*, running: bool) -> dg.ScheduleDefinition:
    """Return the schedule of `train`: Saturday morning in New York. The gate decides whether what comes out serves."""
    status = dg.DefaultScheduleStatus.RUNNING if running else dg.DefaultScheduleStatus.STOPPED
    return dg.ScheduleDefinition(
        name="weekly_training", job_name="train", cron_schedule="0 6 * * 6", execution_timezone="America/New_York", default_status=status
    )


def weekly_purge(*, running: bool) -> dg.ScheduleDefinition:
    """Return the schedule of `purge`: Sunday morning in New York, when no exchange of the samples trades."""
    status = dg.DefaultScheduleStatus.RUNNING if running else dg.DefaultScheduleStatus.STOPPED
    return dg.ScheduleDefinition(
        name="weekly_purge", job_name="purge", cron_schedule="0 6 * * 0", execution_timezone="America/New_York", default_status=status
    )
