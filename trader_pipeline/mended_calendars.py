"""Calendars of exchange_calendars 4.13 that pandas 3 breaks, with the days handed in as what they are.

They are made by offsets written in Python, which pandas 3 passes over: Orthodox Easter raises, and weeks with sessions at the weekend
are as any other week. The same library under pandas 2 has the right days; tests hold to them.
"""

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np
from dateutil.easter import EASTER_ORTHODOX, easter  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd
    from exchange_calendars import ExchangeCalendar

FIRST_DAY = "1990-01-01"
"""Calendars start here, or where the exchange's own begins if that is later."""

LOCAL_ELECTIONS = dt.date(2024, 2, 27)
"""Tel Aviv was closed; exchange_calendars 4.13 knows the national elections only."""

MENDED = frozenset({"ASEX", "XBEL", "XBOM", "XBSE", "XCYS", "XMOS"})
"""Exchanges with Orthodox Easter or with sessions at some weekends."""


def mended(exchange: str) -> type["ExchangeCalendar"]:
    """Return the calendar of one of `MENDED`, a class as exchange_calendars has one for each exchange."""
    from exchange_calendars.calendar_utils import _default_calendar_factories  # noqa: PLC0415 - brings pandas
    from exchange_calendars.pandas_extensions.offsets import OrthodoxEaster  # noqa: PLC0415
    from pandas.tseries.holiday import AbstractHolidayCalendar  # noqa: PLC0415

    theirs = _default_calendar_factories[exchange]
    rules = [(rule, _offsets(rule)) for rule in getattr(object.__new__(theirs).regular_holidays, "rules", ())]
    easters = [[o for o in offsets if not isinstance(o, OrthodoxEaster)] for _, offsets in rules if _has(offsets, OrthodoxEaster)]
    moving = {_feast(year, after) for after in easters for year in _years()}
    extra = getattr(object.__new__(theirs), "special_weekmasks", ())
    opened = {day for first, last, week in extra for day in _days_of(str(first.date()), str(last.date())) if week[day.weekday()] == "1"}
    weekends = {day for day in _days_of(FIRST_DAY, None) if day.weekday() > 4 and day not in opened} if extra else set()  # noqa: PLR2004

    class Mended(theirs):  # type: ignore[misc, valid-type]  # the library is untyped
        regular_holidays = AbstractHolidayCalendar(rules=[rule for rule, offsets in rules if not _has(offsets, OrthodoxEaster)])
        adhoc_holidays = [*object.__new__(theirs).adhoc_holidays, *_index(moving | weekends)]  # noqa: RUF012 - the library's own form
        weekmask = "1111111" if extra else theirs.weekmask
        special_weekmasks: tuple[()] = ()

    return Mended


def _offsets(rule: "pd.tseries.holiday.Holiday") -> list["pd.DateOffset"]:
    return rule.offset if isinstance(rule.offset, list) else [rule.offset]


def _has(offsets: "Iterable[pd.DateOffset]", kind: type) -> bool:
    return any(isinstance(offset, kind) for offset in offsets)


def _feast(year: int, after: "Iterable[pd.DateOffset]") -> dt.date:
    """Return the day that lies the offsets after Orthodox Easter."""
    feast: dt.date = easter(year, EASTER_ORTHODOX)
    return feast + sum((offset.n * dt.timedelta(days=1) for offset in after), dt.timedelta())


def _years() -> range:
    return range(int(FIRST_DAY[:4]), dt.date.today().year + 3)  # noqa: DTZ011 - the library's calendars end a year from today


def tel_aviv() -> tuple["ExchangeCalendar", ...]:
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
    for year in _years():
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
