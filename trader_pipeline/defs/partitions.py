"""One partition a session of the exchange."""

import datetime as dt
from zoneinfo import ZoneInfo

import dagster as dg
import numpy as np

from trader_pipeline import calendar
from trader_pipeline.defs.resources import EXCHANGE

FIRST_SESSION = "2009-01-02"
_NEW_YORK = ZoneInfo("America/New_York")


def _closed_weekdays() -> list[dt.datetime]:
    every = calendar.sessions(EXCHANGE, np.datetime64(FIRST_SESSION).item(), np.datetime64("2200-01-01").item())
    days = np.arange(every[0], every[-1] + np.timedelta64(1, "D"))
    weekdays = days[np.is_busday(days)]
    return [dt.datetime.combine(day, dt.time(), _NEW_YORK) for day in np.setdiff1d(weekdays, every).tolist()]


SESSIONS = dg.DailyPartitionsDefinition(
    start_date=FIRST_SESSION,
    timezone="America/New_York",
    end_offset=1,
    exclusions=["0 0 * * 6,0", *_closed_weekdays()],
)
"""Weekends by rule, holidays by the calendar, which knows about a year ahead; today's session exists before its close."""
