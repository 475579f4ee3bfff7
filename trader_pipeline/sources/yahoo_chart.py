"""Yahoo's v8 chart as columns, row for row as `yfinance.Ticker.history(auto_adjust=False, actions=True, keepna=True)` gives it.

Nulls stay null (yfinance writes 0 shares), and an event without a bar gets a row without prices on its own date.
"""

import datetime as dt
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import numpy.typing as npt

from trader_pipeline.sources.http import NoDataError, SchemaChangeError

Floats = npt.NDArray[np.float64]
_QUOTE = {"Open": "open", "High": "high", "Low": "low", "Close": "close", "Volume": "volume"}
NUMBERS = ("Open", "High", "Low", "Close", "Adj Close", "Volume", "Dividends", "Stock Splits")
_LATE_HOURS = (22, 23)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Daily rows, ascending by exchange-local date; prices split-adjusted as of the download, NaN where Yahoo has null.

    `columns` are `NUMBERS`; dividends are split-adjusted cash a share, splits new / old shares, both 0 on other days.
    `unread` says what was no number and became null; `capital_gains` counts the distributions of a fund, which are not read.
    """

    days: npt.NDArray[np.datetime64]
    columns: dict[str, Floats]
    currency: str
    exchange: str
    name: str | None
    unread: tuple[str, ...] = ()
    capital_gains: int = 0


@dataclass(slots=True)
class _Reading:
    """Values on their way from JSON to numbers and dates."""

    zone: ZoneInfo
    currency: str
    unread: list[str] = field(default_factory=list)

    def numbers(self, name: str, values: Any, length: int) -> Floats:
        if not isinstance(values, list) or len(values) != length:
            raise SchemaChangeError(f"{name} and the timestamps do not have the same length")
        try:
            found = np.array(values, dtype=np.float64)
        except (TypeError, ValueError):
            found = np.array([self.number(name, value) for value in values])
        odd = np.isinf(found)
        self.unread += [f"{name} {value}" for value in found[odd]]
        return np.where(odd, np.nan, found)

    def number(self, name: str, value: Any) -> float:
        try:
            return np.nan if value is None else float(value)
        except (TypeError, ValueError):
            self.unread.append(f"{name} {value!r}"[:60])
            return np.nan

    def day(self, stamp: int) -> dt.date:
        """Return the exchange-local date; 22:00 and 23:00 sharp are of the next day (Yahoo's slip where clocks change)."""
        local = dt.datetime.fromtimestamp(stamp, self.zone)
        late = local.minute == 0 and local.hour in _LATE_HOURS
        return local.date() + dt.timedelta(days=int(late))


def read_chart(result: Any) -> Chart:
    """Return the columns of `chart.result[0]`. Raises `NoDataError` without any row, `SchemaChangeError` for another shape."""
    try:
        quote = result["indicators"]["quote"][0]
        if not quote or not result.get("timestamp"):
            raise NoDataError("no price data found")
        meta = result["meta"]
        if not meta["currency"]:
            raise NoDataError("prices without a currency")
        reading = _Reading(zone=ZoneInfo(meta["exchangeTimezoneName"]), currency=str(meta["currency"]))
        days, columns = _rows(result, quote, reading)
        events = result.get("events") or {}
        days, columns = _with_events(days, columns, events, reading)
        return Chart(
            days=days,
            columns=columns,
            currency=reading.currency,
            exchange=str(meta["exchangeName"]),
            name=meta.get("longName"),
            unread=tuple(reading.unread),
            capital_gains=len(events.get("capitalGains") or {}),
        )
    except (AttributeError, IndexError, KeyError, TypeError, ValueError, OverflowError, ZoneInfoNotFoundError) as error:
        raise SchemaChangeError(f"the chart has another shape: {type(error).__name__}: {error}") from error


def _rows(result: Any, quote: Any, reading: _Reading) -> tuple[npt.NDArray[np.datetime64], dict[str, Floats]]:
    """Return dates and prices in order, a date once: its first row, of the last date the last (Yahoo's live row)."""
    stamps = result["timestamp"]
    columns = {name: reading.numbers(name, quote[key], len(stamps)) for name, key in _QUOTE.items()}
    adjusted = result["indicators"].get("adjclose")
    columns["Adj Close"] = (
        reading.numbers("Adj Close", adjusted[0]["adjclose"], len(stamps)) if adjusted is not None else columns["Close"].copy()
    )
    order = np.argsort(np.array(stamps, dtype=np.int64), kind="stable")
    days = np.array([reading.day(stamps[row]) for row in order], dtype="datetime64[D]")
    kept = np.append(True, days[1:] != days[:-1])
    if not kept[-1]:
        kept[np.searchsorted(days, days[-1])], kept[-1] = False, True
    return days[kept], {name: values[order][kept] for name, values in columns.items()}


def _with_events(
    days: npt.NDArray[np.datetime64], columns: dict[str, Floats], events: Any, reading: _Reading
) -> tuple[npt.NDArray[np.datetime64], dict[str, Floats]]:
    """Return the rows with dividends and splits on their dates; those before the first row are left out."""
    paid, split = _dividends(events, reading), _splits(events, reading)
    extra = sorted({day for day in (*paid, *split) if day >= days[0]} - set(days.tolist()))
    if extra:
        days = np.append(days, np.array(extra, dtype="datetime64[D]"))
        order = np.argsort(days, kind="stable")
        days = days[order]
        columns = {name: np.append(values, np.full(len(extra), np.nan))[order] for name, values in columns.items()}
    columns["Dividends"], columns["Stock Splits"] = np.zeros(len(days)), np.zeros(len(days))
    for name, found in (("Dividends", paid), ("Stock Splits", split)):
        for day, value in found.items():
            columns[name][days == np.datetime64(day)] = value
    return days, columns


def _dividends(events: Any, reading: _Reading) -> dict[dt.date, float]:
    """Return cash a share by ex-date; cash in another currency than the price's is left out and told."""
    paid: dict[dt.date, float] = {}
    for event in (events.get("dividends") or {}).values():
        if event.get("currency") and event["currency"] != reading.currency:
            reading.unread.append(f"dividend in {event['currency']}")
            continue
        day = reading.day(event["date"])
        paid[day] = paid.get(day, 0.0) + float(np.nan_to_num(reading.number("dividend", event["amount"])))
    return paid


def _splits(events: Any, reading: _Reading) -> dict[dt.date, float]:
    """Return new / old shares by ex-date."""
    split: dict[dt.date, float] = {}
    for event in (events.get("splits") or {}).values():
        new, old = (reading.number("split", event[part]) for part in ("numerator", "denominator"))
        if not (new > 0 and old > 0):
            reading.unread.append(f"split {event.get('splitRatio')}")
            continue
        day = reading.day(event["date"])
        split[day] = split.get(day, 1.0) * new / old
    return split
