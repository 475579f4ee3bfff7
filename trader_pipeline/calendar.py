"""Exchange sessions and the moments at which a daily bar becomes known. Dates are exchange-local, instants UTC."""

import datetime as dt
from functools import lru_cache, partial
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from trader_pipeline.errors import UsageError
from trader_pipeline.mended_calendars import FIRST_DAY, MENDED, mended, tel_aviv

if TYPE_CHECKING:
    from exchange_calendars import ExchangeCalendar

KNOWN_AFTER_CLOSE = dt.timedelta(minutes=30)
"""A daily bar can be acted on this long after its session's close."""

Days = npt.NDArray[np.datetime64]


@lru_cache(maxsize=64)
def _calendars(exchange: str) -> tuple["ExchangeCalendar", ...]:
    """Return the exchange's calendars, one for each week that it has had, the earlier first."""
    import exchange_calendars  # noqa: PLC0415 - brings pandas; callers that need no calendar should not pay

    name = mic(exchange)
    if name is None:
        raise UsageError(f"no calendar is known for the exchange {exchange!r}; write its MIC, for example XNYS")
    if name == "XTAE":
        return tel_aviv()
    opened = mended(name) if name in MENDED else partial(exchange_calendars.get_calendar, name)
    try:
        return (opened(start=FIRST_DAY),)
    except ValueError:  # known from a later day on, as Tokyo from 1997
        return (opened(start=opened().bound_min()),)


@lru_cache(maxsize=64)
def _all_sessions(exchange: str) -> Days:
    return np.concatenate([one.sessions.to_numpy().astype("datetime64[D]") for one in _calendars(exchange)])


@lru_cache(maxsize=64)
def _all_known_at(exchange: str) -> npt.NDArray[np.datetime64]:
    closes = [one.closes.dt.tz_localize(None).to_numpy().astype("datetime64[us]") for one in _calendars(exchange)]
    return np.asarray(np.concatenate(closes) + np.timedelta64(KNOWN_AFTER_CLOSE))


def mic(exchange: str) -> str | None:
    """Return the MIC of the exchange's calendar, None where no calendar is known: XLON of XLON and of LSE."""
    import exchange_calendars  # noqa: PLC0415 - brings pandas; callers that need no calendar should not pay

    try:
        return str(exchange_calendars.resolve_alias(exchange))
    except exchange_calendars.errors.InvalidCalendarName:
        return None


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
    """Return the UTC instant at which the session's bar is known: close + 30 minutes. Raises `UsageError` where it is none."""
    every = _all_sessions(exchange)
    index = int(np.searchsorted(every, np.datetime64(session)))
    if index == len(every) or every[index] != np.datetime64(session):
        raise UsageError(f"{session} is no session of {exchange}; name a day on which it traded, from {every[0]} to {every[-1]}")
    moment: dt.datetime = _all_known_at(exchange)[index].item()
    return moment.replace(tzinfo=dt.UTC)


def known_at_array(exchange: str, days: Days) -> npt.NDArray[np.datetime64]:
    """Return `known_at` of each day as datetime64[us] in UTC; a day that is no session gets 21:00 UTC + 30 min."""
    every = _all_sessions(exchange)
    days = np.asarray(days, dtype="datetime64[D]")
    index = np.minimum(np.searchsorted(every, days), len(every) - 1)
    fallback = days.astype("datetime64[us]") + np.timedelta64(dt.timedelta(hours=21)) + np.timedelta64(KNOWN_AFTER_CLOSE)
    return np.asarray(np.where(every[index] == days, _all_known_at(exchange)[index], fallback))


def final_by(exchange: str, days: Days, moment: dt.datetime) -> npt.NDArray[np.bool_]:
    """Say of each day whether its bar is known at `moment` (an aware instant): before that it may still change."""
    return np.asarray(known_at_array(exchange, days) <= np.datetime64(moment.astimezone(dt.UTC).replace(tzinfo=None)))


def last_closed_session(exchange: str, as_of: dt.datetime) -> dt.date:
    """Return the newest session whose bar is known at `as_of` (an aware instant). Raises `UsageError` before the calendar's start."""
    if as_of.tzinfo is None:
        raise UsageError(f"as_of {as_of} has no time zone; pass an aware instant")
    moment = np.datetime64(as_of.astimezone(dt.UTC).replace(tzinfo=None))
    index = int(np.searchsorted(_all_known_at(exchange), moment, side="right")) - 1
    return _session_at(exchange, index)


def staleness(exchange: str, last_session: dt.date, as_of: dt.datetime) -> int:
    """Return how many sessions are closed (+ 30 min) at `as_of` and lie after `last_session`."""
    newest = last_closed_session(exchange, as_of)
    return max(0, len(sessions(exchange, last_session, newest)) - int(is_session(exchange, last_session)))


def offset(exchange: str, session: dt.date, n: int) -> dt.date:
    """Return the session `n` after (before, when negative) `session`; a day that is no session counts from the one before it."""
    index = int(np.searchsorted(_all_sessions(exchange), np.datetime64(session), side="right")) - 1
    return _session_at(exchange, index + n)


def open_at(exchange: str, session: dt.date) -> dt.datetime:
    """Return the UTC instant of the session's open."""
    mine = next((one for one in _calendars(exchange) if session <= one.last_session.date()), _calendars(exchange)[-1])
    moment: dt.datetime = mine.session_open(str(session)).to_pydatetime()
    return moment.astimezone(dt.UTC)


def _session_at(exchange: str, index: int) -> dt.date:
    """Return a session by its position; a negative one would silently count from the far end."""
    every = _all_sessions(exchange)
    if not 0 <= index < len(every):
        raise UsageError(f"the calendar of {exchange} reaches from {every[0]} to {every[-1]}; ask for a day inside")
    day: dt.date = every[index].item()
    return day
