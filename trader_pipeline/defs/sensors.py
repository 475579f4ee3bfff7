"""What is told to somebody: a failed run and a full disk. Stale data is `stale.py`."""

import datetime as dt
from collections.abc import Callable, Iterator

import dagster as dg
from dagster._utils.error import SerializableErrorInfo

from trader_pipeline import errors
from trader_pipeline.defs.resources import Trader
from trader_pipeline.defs.ticks import utc_now
from trader_pipeline.operations.alerts import Alert, alert_full_disk, send

_LINE = 500
"""Characters of an error that an alert shows."""


def on_full_disk(trader: Trader, *, clock: Callable[[], dt.datetime] = utc_now) -> dg.SensorDefinition:
    """Return the sensor that alerts while the disk is over 85 % used: once a day."""

    @dg.sensor(name="on_full_disk", minimum_interval_seconds=600, default_status=dg.DefaultSensorStatus.RUNNING)
    def sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        now = clock()
        today = now.date().isoformat()
        sent = None if context.cursor == today else alert_full_disk(trader.settings, now=now)
        told = context.cursor == today or (sent is not None and sent.told)
        said = "told today" if told else "nobody could be told" if sent else "there is room"
        return dg.SensorResult(cursor=today if told else "", skip_reason=dg.SkipReason(said))

    return sensor


def on_failure(trader: Trader, *, clock: Callable[[], dt.datetime] = utc_now) -> dg.SensorDefinition:
    """Return the sensor that alerts about a failed run: job, steps, the error that began it and its code in the runbook."""

    @dg.run_failure_sensor(name="on_failure", minimum_interval_seconds=30, default_status=dg.DefaultSensorStatus.RUNNING)
    def sensor(context: dg.RunFailureSensorContext) -> None:
        failed = {event.step_key or "": event.step_failure_data.error for event in context.get_step_failure_events()}
        run, message = context.dagster_run, context.failure_event.message or ""
        send(trader.settings, failure_alert(run.job_name, run.run_id, message, failed), now=clock())

    return sensor


def failure_alert(job: str, run_id: str, message: str, failed: dict[str, SerializableErrorInfo | None]) -> Alert:
    """Return what somebody is told of a failed run. The same job failing at the same steps is the same thing."""
    steps = ", ".join(sorted(failed))
    causes = [cause for error in failed.values() if error for cause in [_root(error)]]
    text = " ".join((causes[0].message if causes else message).split())[:_LINE]
    code = next((code for cause in causes if (code := _code(cause))), None)
    return Alert(
        event="run_failed",
        subject=f"{job} at {steps}" if steps else job,
        summary=text or "the run failed without a word",
        mend=f"docs/runbook.md, {code}" if code else "`trader doctor`, and the run in the Dagster UI",
        facts={"job": job, "run": run_id} | ({"steps": steps} if steps else {}) | ({"code": code} if code else {}),
    )


def _root(error: SerializableErrorInfo) -> SerializableErrorInfo:
    """Return the error that the others were raised from: the innermost of our own, else the innermost of all."""
    chain = list(_chain(error))
    return next((one for one in reversed(chain) if _code(one)), chain[-1])


def _chain(error: SerializableErrorInfo) -> Iterator[SerializableErrorInfo]:
    yield error
    if error.cause:
        yield from _chain(error.cause)


def _code(error: SerializableErrorInfo) -> str | None:
    """Return the runbook's code of an error of ours."""
    kind = getattr(errors, error.cls_name or "", None)
    return kind.code if isinstance(kind, type) and issubclass(kind, errors.TraderError) else None
