"""That sensors live: each tick leaves a small file that `trader status` and the dashboard read without Dagster."""

import datetime as dt
from collections.abc import Callable

import dagster as dg

from trader_pipeline import heartbeats
from trader_pipeline.defs.resources import Trader
from trader_pipeline.errors import TraderError


def utc_now() -> dt.datetime:
    """Return the wall clock."""
    return dt.datetime.now(dt.UTC)


def beat(trader: Trader, sensor: str, said: str, now: dt.datetime) -> None:
    """Leave the sensor's tick; a home that cannot be written stops no sensor."""
    try:
        heartbeats.write(trader.settings.heartbeats, heartbeats.Beat(sensor=sensor, at=now, said=said))
    except TraderError:
        return


def heartbeat(trader: Trader, *, clock: Callable[[], dt.datetime] = utc_now) -> dg.SensorDefinition:
    """Return the sensor that says every minute that the daemon and this code location live, and does nothing else."""

    @dg.sensor(name=heartbeats.ALIVE, minimum_interval_seconds=60, default_status=dg.DefaultSensorStatus.RUNNING)
    def sensor() -> dg.SkipReason:
        beat(trader, heartbeats.ALIVE, "alive", clock())
        return dg.SkipReason("alive; `trader status` reads it")

    return sensor
