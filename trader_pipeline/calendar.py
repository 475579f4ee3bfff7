"""Exchange sessions and the moments at which a daily bar becomes known. Dates are exchange-local, instants UTC."""

import datetime as dt
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from trader_pipeline.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd
    from exchange_calendars import ExchangeCalendar

KNOWN_AFTER_CLOSE = dt.timedelta(minutes=30)
"""A daily bar can be acted on this long after its session's close."""

FIRST_DAY = "1990-01-01"
"""Calendars start here, or where the exchange's own begins if that is later."""

LOCAL_ELECTIONS = dt.date(2024, 2, 27)
"""Tel Aviv was closed; exchange_calendars 4.13 knows the national elections only."""

Days = npt.NDArray[np.datetime64]


@lru_cache(maxsize=16)
def _calendars(exchange: str) -> tuple["ExchangeCalendar", ...]:
    """Return the exchange's calendars, one for each week that it has had, the earlier first."""
    import exchange_calendars  # noqa: PLC0415 - brings pandas; callers that need no calendar should not pay

    if exchange == "XTAE":
        return _tel_aviv()
    try:
        return (exchange_calendars.get_calendar(exchange, start=FIRST_DAY),)
    except exchange_calendars.errors.InvalidCalendarName as error:
        raise UsageError(f"no calendar is known for the exchange {exchange!r}; write its MIC, for example XNYS") from error
    except ValueError:  # known from a later day on, as Tokyo from 1997
        first = exchange_calendars.get_calendar(exchange).bound_min()
        return (exchange_calendars.get_calendar(exchange, start=first),)


def _tel_aviv() -> tuple["ExchangeCalendar", ...]:
    """Return Tel Aviv's calendar of Sunday to Thursday and, from 2026-01-05 on, that of Monday to Friday.

    exchange_calendars 4.13 makes one calendar of both by offsets written in Python: a week that changes, holidays by the Hebrew
    year. pandas 3 passes over what these override, so Sundays are no sessions, their early closes raise ValueError for every
    range, and each holiday falls around Easter. Here the week and the days are handed in as what they are.
    """
    from exchange_calendars.exchange_calendar_xtae import (  # noqa: PLC0415 - brings pandas
        FRIDAY_CLOSE,
        HOLIDAY_EARLY_CLOSE,
        SUNDAY_CLOSE,
        XTAEExchangeCalendar,
    )

    holidays, interim = _tel_aviv_days()
    elections = [LOCAL_ELECTIONS, *(day.date() for day in object.__new__(XTAEExchangeCalendar).adhoc_holidays)]

    def piece(week: str, short_weekday: int, short_close: dt.time, start: str, end: str | None) -> "ExchangeCalendar":
        open_days = {day for day in _days_of(start, end) if week[day.weekday()] == "1" and day not in holidays and day not in elections}

        class TelAviv(XTAEExchangeCalendar):  # type: ignore[misc]  # the library is untyped
            weekmask = week
            special_weekmasks: tuple[()] = ()
            regular_holidays = None
            adhoc_holidays = [np.datetime64(day, "ns") for day in sorted({*holidays, *elections})]  # noqa: RUF012 - the library's own form
            special_closes: tuple[()] = ()
            special_closes_adhoc = [  # noqa: RUF012
                (HOLIDAY_EARLY_CLOSE, _index(interim & open_days)),
                (short_close, _index({day for day in open_days - interim if day.weekday() == short_weekday})),
            ]

        return TelAviv(start=start, end=end) if end else TelAviv(start=start)

    sunday, friday = 6, 4
    return (
        piece("1111001", sunday, SUNDAY_CLOSE, FIRST_DAY, "2026-01-04"),
        piece("1111100", friday, FRIDAY_CLOSE, "2026-01-05", None),
    )


def _tel_aviv_days() -> tuple[frozenset[dt.date], frozenset[dt.date]]:
    """Return the holidays of the Tel Aviv exchange, eves included, and the short days between them."""
    from exchange_calendars import tase_holidays as tase  # noqa: PLC0415 - brings pandas

    holidays, interim = set(), set()
    for year in range(int(FIRST_DAY[:4]), dt.date.today().year + 3):  # noqa: DTZ011 - the library's calendars end a year from today
        closed = {
            tase.purim: (0,),
            tase.passover: (-1, 0, 5, 6),
            tase.memorial_day: (0, 1),
            tase.pentecost: (-1, 0),
            tase.fast_day: (0,),
            tase.new_year: (-1, 0, 1),
            tase.yom_kippur: (-1, 0),
            tase.sukkoth: (-1, 0),
            tase.simchat_torah: (-1, 0),
        }
        for feast, offsets in closed.items():
            first: dt.date = feast(year).to_pydate()
            holidays |= {first + dt.timedelta(days=offset) for offset in offsets}
        eve = tase.yom_kippur(year).to_pydate() - dt.timedelta(days=1)
        if eve.weekday() >= 5:  # noqa: PLR2004 - Saturday, Sunday: from 2026 on the Friday before is taken off instead
            holidays |= {eve - dt.timedelta(days=eve.weekday() - 4)} if year >= 2026 else set()  # noqa: PLR2004
        for feast, last in ((tase.passover, 4), (tase.sukkoth, 5)):
            first = feast(year).to_pydate()
            interim |= {first + dt.timedelta(days=offset) for offset in range(1, last + 1)}
    return frozenset(holidays), frozenset(interim - holidays)


def _days_of(start: str, end: str | None) -> list[dt.date]:
    last = np.datetime64(end) if end else np.datetime64("today") + np.timedelta64(366, "D")
    days: list[dt.date] = np.arange(np.datetime64(start), last + 1).tolist()
    return days


def _index(days: "Iterable[dt.date]") -> "pd.DatetimeIndex":
    import pandas as pd  # noqa: PLC0415 - callers that need no calendar should not pay

    return pd.DatetimeIndex(sorted(days))


@lru_cache(maxsize=16)
def _all_sessions(exchange: str) -> Days:
    return np.concatenate([one.sessions.to_numpy().astype("datetime64[D]") for one in _calendars(exchange)])


@lru_cache(maxsize=16)
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
