"""Exchange sessions and the moments at which a daily bar becomes known. Dates are exchange-local, instants UTC."""

import datetime as dt
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from exchange_calendars import ExchangeCalendar

KNOWN_AFTER_CLOSE = dt.timedelta(minutes=30)
"""A daily bar can be acted on this long after its session's close."""

Days = npt.NDArray[np.datetime64]


@lru_cache(maxsize=16)
def _calendar(exchange: str) -> "ExchangeCalendar":
    import exchange_calendars  # noqa: PLC0415 - brings pandas; callers that need no calendar should not pay

    try:
        return exchange_calendars.get_calendar(exchange, start="1990-01-01")
    except ValueError:  # known from a later day on, as Tokyo from 1997
        first = exchange_calendars.get_calendar(exchange).bound_min()
        return exchange_calendars.get_calendar(exchange, start=first)


@lru_cache(maxsize=16)
def _all_sessions(exchange: str) -> Days:
    return np.asarray(_calendar(exchange).sessions.to_numpy(), dtype="datetime64[D]")


@lru_cache(maxsize=16)
def _all_known_at(exchange: str) -> npt.NDArray[np.datetime64]:
    closes = _calendar(exchange).closes.dt.tz_localize(None).to_numpy().astype("datetime64[us]")
    return np.asarray(closes + np.timedelta64(KNOWN_AFTER_CLOSE))


def sessions(exchange: str, first: dt.date, last: dt.date) -> Days:
    """Return the sessions from `first` to `last`, both included, as datetime64[D]."""
    every = _all_sessions(exchange)
    low = np.searchsorted(every, np.datetime64(first), side="left")
    high = np.searchsorted(every, np.datetime64(last), side="right")
    return every[low:high]


def is_session(exchange: str, day: dt.date) -> bool:
    """Say whether the exchange trades on `day`."""
    return bool(len(sessions(exchange, day, day)))


def known_at(exchange: str, session: dt.date) -> dt.datetime:
    """Return the UTC instant at which the session's bar is known: close + 30 minutes. `session` must be one."""
    index = int(np.searchsorted(_all_sessions(exchange), np.datetime64(session)))
    moment: dt.datetime = _all_known_at(exchange)[index].item()
    return moment.replace(tzinfo=dt.UTC)


def known_at_array(exchange: str, days: Days) -> npt.NDArray[np.datetime64]:
    """Return `known_at` of each day as datetime64[us] in UTC; a day that is no session gets 21:00 UTC + 30 min."""
    every = _all_sessions(exchange)
    days = np.asarray(days, dtype="datetime64[D]")
    index = np.minimum(np.searchsorted(every, days), len(every) - 1)
    fallback = days.astype("datetime64[us]") + np.timedelta64(dt.timedelta(hours=21)) + np.timedelta64(KNOWN_AFTER_CLOSE)
    return np.asarray(np.where(every[index] == days, _all_known_at(exchange)[index], fallback))


def last_closed_session(exchange: str, as_of: dt.datetime) -> dt.date:
    """Return the newest session whose bar is known at `as_of` (an aware instant)."""
    moment = np.datetime64(as_of.astimezone(dt.UTC).replace(tzinfo=None))
    index = int(np.searchsorted(_all_known_at(exchange), moment, side="right")) - 1
    day: dt.date = _all_sessions(exchange)[index].item()
    return day


def staleness(exchange: str, last_session: dt.date, as_of: dt.datetime) -> int:
    """Return how many sessions are closed (+ 30 min) at `as_of` and lie after `last_session`."""
    newest = last_closed_session(exchange, as_of)
    return max(0, len(sessions(exchange, last_session, newest)) - int(is_session(exchange, last_session)))


def offset(exchange: str, session: dt.date, n: int) -> dt.date:
    """Return the session `n` after (before, when negative) `session`; a day that is no session counts from the one before it."""
    every = _all_sessions(exchange)
    index = int(np.searchsorted(every, np.datetime64(session), side="right")) - 1
    day: dt.date = every[index + n].item()
    return day


def open_at(exchange: str, session: dt.date) -> dt.datetime:
    """Return the UTC instant of the session's open."""
    moment: dt.datetime = _calendar(exchange).session_open(str(session)).to_pydatetime()
    return moment.astimezone(dt.UTC)
