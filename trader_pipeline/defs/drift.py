"""A model whose market has changed is told of, and trained again: once a model and week."""

import datetime as dt
from collections.abc import Callable

import dagster as dg

from trader_pipeline.defs.resources import Trader
from trader_pipeline.defs.ticks import beat, utc_now
from trader_pipeline.flows.drift import alarms_of
from trader_pipeline.operations.alerts import Alert, send

NAME = "on_drift"


def on_drift(trader: Trader, *, running: bool, clock: Callable[[], dt.datetime] = utc_now) -> dg.SensorDefinition:
    """Return the sensor that starts `train` when evaluation.drift alarms of the newest session, and tells somebody why."""

    @dg.sensor(
        name=NAME,
        job_name="train",
        minimum_interval_seconds=1800,
        default_status=dg.DefaultSensorStatus.RUNNING if running else dg.DefaultSensorStatus.STOPPED,
    )
    def sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        now = clock()
        session, model_id, alarms = alarms_of(trader.lake.snapshot())
        if session is None or model_id is None or not alarms:
            said = "nothing is measured yet" if session is None else f"no drift at {session}"
            beat(trader, NAME, said, now)
            return dg.SensorResult(skip_reason=dg.SkipReason(said))
        week = "{}-W{:02d}".format(*session.isocalendar()[:2])
        key = f"drift:{model_id}:{week}"
        if context.cursor == key:
            said = f"trained again for {model_id} in {week} already"
            beat(trader, NAME, said, now)
            return dg.SensorResult(skip_reason=dg.SkipReason(said))
        send(trader.settings, drift_alert(model_id, session, alarms), now=now)
        beat(trader, NAME, "training started", now)
        request = dg.RunRequest(run_key=key, tags={"trader/reason": f"drift of {model_id}", "trader/session": session.isoformat()})
        return dg.SensorResult(run_requests=[request], cursor=key)

    return sensor


def drift_alert(model_id: str, session: dt.date, alarms: list[str]) -> Alert:
    """Return what somebody is told of a model that has drifted."""
    return Alert(
        event="drift",
        subject=model_id,
        summary="; ".join(alarms),
        mend="a training was started, and serves if it is better: `trader models`; evaluation.drift has every feature that moved",
        facts={"model": model_id, "session": session.isoformat()},
    )
