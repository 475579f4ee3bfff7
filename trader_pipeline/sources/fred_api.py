"""FRED's interface with a key: values now, and ALFRED's vintages. The key travels in the query, as FRED wants it.

A request may span 2,000 vintage dates at most. Rows are clipped to the window that was asked for: a value released
before it appears with `realtime_start` = the window's first day. Windows therefore overlap by one vintage date, and such
rows count in the first window only.
"""

import datetime as dt
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeVar

from pydantic import SecretStr

from trader_pipeline.sources.asking import Tally
from trader_pipeline.sources.http import RefusedError, SchemaChangeError, UnknownSymbolError, VendorError
from trader_pipeline.sources.rest import Body, RestClient

URL = "https://api.stlouisfed.org"
MOST_VINTAGES = 2000
FIRST_DAY, LAST_DAY = dt.date(1776, 7, 4), dt.date(9999, 12, 31)
T = TypeVar("T")
_OBSERVATIONS, _VINTAGE_DATES = "/fred/series/observations", "/fred/series/vintagedates"


class TooManyVintagesError(VendorError):
    """The window holds more vintage dates than one request may."""


class NoVintagesError(VendorError):
    """FRED has the series, ALFRED keeps no vintages of it."""


_MEANINGS: tuple[tuple[str, type[VendorError], str], ...] = (
    ("maximum number of vintage dates", TooManyVintagesError, "too many vintage dates for one request"),
    ("does not exist in alfred", NoVintagesError, "ALFRED keeps no vintages of the series"),
    ("series does not exist", UnknownSymbolError, "FRED does not know the series"),
    ("api_key", RefusedError, "FRED refuses the key; set TRADER_FRED__API_KEY to your own, 32 letters and digits"),
)


def judge(body: Body) -> None:
    """Raise what FRED's own words about a bad request mean. They are matched, never repeated."""
    if body.status != HTTPStatus.BAD_REQUEST:
        return
    try:
        said = str(json.loads(body.content)["error_message"]).lower()
    except (ValueError, KeyError, TypeError):
        return
    for words, error, meaning in _MEANINGS:
        if words in said:
            raise error(f"{body.path}: {meaning}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One row of an answer; `value` as FRED writes it."""

    date: dt.date
    realtime_start: dt.date
    realtime_end: dt.date
    value: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FredApi:
    """Asks for one series after the other, all on one ticker's account."""

    client: RestClient
    key: SecretStr
    tally: Tally

    def latest(self, series: str, first: dt.date | None) -> list[Observation]:
        """Return the values as they stand now, of `first` and later."""
        start = {"observation_start": first.isoformat()} if first else {}
        return self._observations(series, start)

    def vintages(self, series: str, since: dt.date | None) -> list[Observation]:
        """Return every value with the day of its release, of releases after `since`. Raises `NoVintagesError`."""
        try:
            return self._window(series, since or FIRST_DAY, LAST_DAY, whole=since is None)
        except TooManyVintagesError:
            days = self._vintage_dates(series, since or FIRST_DAY)
        found: list[Observation] = []
        for number, (start, end) in enumerate(windows(days)):
            found += self._window(series, start, end, whole=since is None and number == 0)
        return found

    def _window(self, series: str, start: dt.date, end: dt.date, *, whole: bool) -> list[Observation]:
        rows = self._observations(series, {"realtime_start": start.isoformat(), "realtime_end": end.isoformat(), "output_type": "1"})
        return rows if whole else [row for row in rows if row.realtime_start > start]

    def _observations(self, series: str, params: dict[str, str]) -> list[Observation]:
        return list(self._pages(_OBSERVATIONS, series, params, "observations", _observation))

    def _vintage_dates(self, series: str, since: dt.date) -> list[dt.date]:
        window = {"realtime_start": since.isoformat(), "realtime_end": LAST_DAY.isoformat()}
        return list(self._pages(_VINTAGE_DATES, series, window, "vintage_dates", lambda day, _: dt.date.fromisoformat(day)))

    def _pages(self, path: str, series: str, params: dict[str, str], name: str, row_of: Callable[[Any, str], T]) -> Iterator[T]:
        offset, count = 0, 1
        while offset < count:
            query: dict[str, str | int] = {
                "series_id": series,
                "api_key": self.key.get_secret_value(),
                "file_type": "json",
                **params,
                "offset": offset,
            }
            rows, count = self.client.get(path, query, tally=self.tally, read=lambda body: _listed(body, name))
            yield from (_parsed(row, row_of, path, self.tally.body_sha256) for row in rows)
            offset += len(rows) or count


def windows(days: Sequence[dt.date], most: int = MOST_VINTAGES) -> list[tuple[dt.date, dt.date]]:
    """Return real-time windows of at most `most` of the vintage dates each, every one beginning on the last date of the one before it."""
    starts = range(0, max(len(days) - 1, 1), most - 1)
    found = [(days[at], days[min(at + most, len(days)) - 1]) for at in starts if days]
    return [*found[:-1], (found[-1][0], LAST_DAY)] if found else []


def _listed(body: Body, name: str) -> tuple[list[Any], int]:
    answer = body.json()
    try:
        rows, count = answer[name], int(answer["count"])
    except (KeyError, TypeError, ValueError) as error:
        raise SchemaChangeError(f"{body.path}: no list of {name} with its count") from error
    if not isinstance(rows, list):
        raise SchemaChangeError(f"{body.path}: {name} is no list")
    return rows, count


def _observation(row: Any, sha256: str) -> Observation:
    day = dt.date.fromisoformat
    return Observation(
        date=day(row["date"]),
        realtime_start=day(row["realtime_start"]),
        realtime_end=day(row["realtime_end"]),
        value=str(row["value"]),
        sha256=sha256,
    )


def _parsed(row: Any, row_of: Callable[[Any, str], T], path: str, sha256: str) -> T:
    try:
        return row_of(row, sha256)
    except (KeyError, TypeError, ValueError) as error:
        raise SchemaChangeError(f"{path}: a row that is not as we know them ({type(error).__name__})") from error
