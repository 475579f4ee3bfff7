"""Sessions, closures, half days and clocks, against what the exchanges announced."""

import datetime as dt

import numpy as np
import pytest

from trader_pipeline import calendar
from trader_pipeline.errors import UsageError

D = dt.date.fromisoformat


def at(text):
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


@pytest.mark.parametrize(("year", "n"), [(2001, 248), (2012, 250), (2018, 251), (2019, 252), (2020, 253)])
def test_sessions_a_year(year, n):
    # NYSE historical calendars: 2001 lost four days, 2012 two (Sandy), 2018 one (Bush)
    assert len(calendar.sessions("XNYS", dt.date(year, 1, 1), dt.date(year, 12, 31))) == n


@pytest.mark.parametrize(
    "day",
    [
        "1994-04-27",  # Nixon
        "2001-09-11",
        "2001-09-14",
        "2004-06-11",  # Reagan
        "2007-01-02",  # Ford
        "2012-10-29",  # Sandy
        "2012-10-30",
        "2018-12-05",  # Bush
        "2019-04-19",  # Good Friday
        "2022-06-20",  # first Juneteenth
        "2025-01-09",  # Carter
        "2020-02-08",  # Saturday
    ],
)
def test_closed(day):
    assert not calendar.is_session("XNYS", D(day))


@pytest.mark.parametrize("day", ["2001-09-10", "2001-09-17", "2020-02-07", "2021-06-18", "2022-11-25"])
def test_open(day):
    assert calendar.is_session("XNYS", D(day))


@pytest.mark.parametrize(
    ("exchange", "day", "known"),
    [
        ("XNYS", "2020-02-07", "2020-02-07T21:30:00"),  # 16:00 EST
        ("XNYS", "2020-03-09", "2020-03-09T20:30:00"),  # the first session of daylight saving
        ("XNYS", "2019-11-29", "2019-11-29T18:30:00"),  # 13:00 on the day after Thanksgiving
        ("XLON", "2020-02-07", "2020-02-07T17:00:00"),  # 16:30 GMT
    ],
)
def test_known_half_an_hour_after_the_close(exchange, day, known):
    assert calendar.known_at(exchange, D(day)) == at(known)
    assert calendar.known_at_array(exchange, np.array([day], "datetime64[D]"))[0] == np.datetime64(known)


def test_a_day_that_is_no_session_gets_a_late_clock_in_an_array_and_an_error_alone():
    days = np.array(["2020-02-08", "2020-02-10"], "datetime64[D]")
    wanted = np.array(["2020-02-08T21:30:00", "2020-02-10T21:30:00"], "datetime64[us]")
    assert (calendar.known_at_array("XNYS", days) == wanted).all()
    with pytest.raises(UsageError, match="2020-02-08 is no session of XNYS"):
        calendar.known_at("XNYS", D("2020-02-08"))


@pytest.mark.parametrize(
    ("as_of", "session"),
    [
        ("2020-02-07T21:29:59", "2020-02-06"),
        ("2020-02-07T21:30:00", "2020-02-07"),
        ("2020-02-09T12:00:00", "2020-02-07"),
        ("2019-11-28T23:59:00", "2019-11-27"),
        ("2019-11-29T18:30:00", "2019-11-29"),
    ],
)
def test_last_closed_session(as_of, session):
    assert calendar.last_closed_session("XNYS", at(as_of)) == D(session)
    new_york = at(as_of).astimezone(dt.timezone(dt.timedelta(hours=-5)))
    assert calendar.last_closed_session("XNYS", new_york) == D(session)


@pytest.mark.parametrize(
    ("last", "as_of", "behind"),
    [
        ("2020-02-07", "2020-02-07T21:30:00", 0),
        ("2020-02-07", "2020-02-10T21:29:59", 0),
        ("2020-02-07", "2020-02-10T21:30:00", 1),
        ("2020-02-08", "2020-02-10T21:30:00", 1),  # a file dated on a Saturday
        ("2020-02-14", "2020-02-18T21:30:00", 1),  # Presidents' Day between
        ("2020-02-10", "2020-02-07T21:30:00", 0),  # a row of the future is not stale
        ("2001-09-10", "2001-09-17T20:30:00", 1),
    ],
)
def test_staleness_counts_sessions(last, as_of, behind):
    assert calendar.staleness("XNYS", D(last), at(as_of)) == behind


@pytest.mark.parametrize(
    ("session", "n", "wanted"),
    [
        ("2020-02-07", 1, "2020-02-10"),
        ("2020-02-07", -1, "2020-02-06"),
        ("2020-02-07", 0, "2020-02-07"),
        ("2020-02-08", 1, "2020-02-10"),
        ("2001-09-10", 1, "2001-09-17"),
        ("2020-02-07", 60, "2020-05-05"),
    ],
)
def test_offset(session, n, wanted):
    assert calendar.offset("XNYS", D(session), n) == D(wanted)


def test_outside_the_calendar_is_an_error_and_not_the_other_end():
    with pytest.raises(UsageError, match="reaches from 1990-01-02"):
        calendar.offset("XNYS", D("1990-01-03"), -5)
    with pytest.raises(UsageError, match="reaches from 1990-01-02"):
        calendar.last_closed_session("XNYS", at("1989-12-31T00:00:00"))
    with pytest.raises(UsageError, match="reaches from"):
        calendar.offset("XNYS", D("2020-02-07"), 100_000)
    with pytest.raises(UsageError, match="no time zone"):
        calendar.last_closed_session("XNYS", dt.datetime(2020, 2, 7))
    with pytest.raises(UsageError, match="no calendar is known for the exchange 'NOWHERE'"):
        calendar.is_session("NOWHERE", D("2020-02-07"))


def test_open_at():
    assert calendar.open_at("XNYS", D("2020-02-07")) == at("2020-02-07T14:30:00")
    assert calendar.open_at("XNYS", D("2020-03-09")) == at("2020-03-09T13:30:00")


@pytest.mark.parametrize(
    ("day", "closes"),
    [
        ("2024-01-07", "13:40"),  # a Sunday
        ("2024-01-08", "15:15"),
        ("2024-01-12", None),  # a Friday
        ("2022-10-05", None),  # Yom Kippur
        ("2024-04-22", None),  # eve of Passover
        ("2024-03-31", "12:40"),  # Easter
        ("2024-04-25", "11:15"),  # between the days of Passover
        ("2024-02-27", None),  # local elections
        ("2026-01-04", "13:40"),  # the last Sunday
        ("2026-01-05", "15:15"),
        ("2026-01-09", "11:50"),  # the first Friday
        ("2026-01-11", None),
        ("2026-09-18", None),  # the Friday before the eve of Yom Kippur
    ],
)
def test_tel_aviv_trades_on_sundays_until_2026_and_on_fridays_from_then_on(day, closes):
    session = dt.date.fromisoformat(day)
    assert calendar.is_session("XTAE", session) == (closes is not None)
    if closes:
        close = calendar.known_at("XTAE", session) - dt.timedelta(minutes=30)
        assert f"{close:%H:%M}" == closes
        assert calendar.open_at("XTAE", session) < close


def test_tel_aviv_had_as_many_sessions_as_its_exchange_says():
    # rows of a Tel Aviv share from 2022-01-02 to 2024-08-22 in Yahoo's history: 651, one on each session
    assert len(calendar.sessions("XTAE", dt.date(2022, 1, 2), dt.date(2024, 8, 22))) == 651


@pytest.mark.parametrize(
    ("exchange", "sessions", "open_days", "closed_days"),
    [
        ("ASEX", 248, ["2024-03-28"], ["2024-03-18", "2024-03-29", "2024-05-03", "2024-05-06", "2024-06-24"]),
        ("XBEL", 251, ["2024-03-29"], ["2024-05-03", "2024-05-06"]),
        ("XBSE", 252, ["2024-03-29"], ["2024-05-03", "2024-05-06", "2024-06-24"]),
        ("XCYS", 246, ["2024-03-28"], ["2024-05-03", "2024-05-06"]),
        ("XBOM", 246, ["2024-01-20", "2024-01-19"], ["2024-01-21", "2024-01-27"]),
        ("XMOS", 256, ["2024-04-27", "2024-11-02", "2024-12-28"], ["2024-04-20", "2024-04-28"]),
    ],
)
def test_calendars_that_pandas_3_breaks_are_mended(exchange, sessions, open_days, closed_days):
    # sessions of 2024: exchange_calendars 4.13.2 under pandas 2.3.3
    assert len(calendar.sessions(exchange, dt.date(2024, 1, 1), dt.date(2024, 12, 31))) == sessions
    assert all(calendar.is_session(exchange, dt.date.fromisoformat(day)) for day in open_days)
    assert not any(calendar.is_session(exchange, dt.date.fromisoformat(day)) for day in closed_days)
    assert calendar.open_at(exchange, dt.date(2024, 2, 1)) < calendar.known_at(exchange, dt.date(2024, 2, 1))
