"""A market for the fake Yahoo: what truly traded, and what Yahoo says of it."""

import datetime as dt
import zlib
from collections import defaultdict
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from trader_pipeline import calendar

EXCHANGE = "XNYS"
NEW_YORK = ZoneInfo("America/New_York")


def moment(day: dt.date, hour: int = 9, minute: int = 30) -> int:
    """Return seconds since the epoch of a New York time; Yahoo stamps a daily bar with the open."""
    return int(dt.datetime(day.year, day.month, day.day, hour, minute, tzinfo=NEW_YORK).timestamp())


class World:
    """What truly traded, and what Yahoo says of it as of `today`, on real XNYS sessions. A symbol's prices depend on its name only.

    `splits` maps a symbol to [(ex-date, new shares, old shares)], `dividends` to [(ex-date, cash per share as paid)];
    the adjusted closes know nothing of those on the days in `unadjusted`.
    Yahoo serves float32; `float32=False` serves the doubles, so that arithmetic can be tested to the last digits.
    """

    def __init__(self, *, first: dt.date = dt.date(2015, 1, 2), today: dt.date = dt.date(2025, 6, 2), float32: bool = True) -> None:
        self.first = first
        self.today = today
        self.float32 = float32
        self.splits: dict[str, list[tuple[dt.date, int, int]]] = defaultdict(list)
        self.dividends: dict[str, list[tuple[dt.date, float]]] = defaultdict(list)
        self.unadjusted: set[dt.date] = set()
        self.unknown: set[str] = set()
        self.meta: dict[str, dict[str, Any]] = defaultdict(dict)

    @cached_property
    def days(self) -> np.ndarray:
        return calendar.sessions(EXCHANGE, self.first, self.first + dt.timedelta(days=365 * 20))

    def traded(self, symbol: str) -> dict[str, np.ndarray]:
        """Return open, high, low, close and volume as traded on `self.days`; cents, whole shares."""
        random = np.random.default_rng(zlib.crc32(symbol.encode()))
        steps = random.normal(0.0003, 0.015, (len(self.days), 2))
        close = (50 + 100 * random.random()) * np.exp(np.cumsum(steps[:, 0])) / self._shares(symbol)
        open_ = close * np.exp(-steps[:, 0] / 2 + steps[:, 1] / 10)
        spread = 1 + random.random((2, len(self.days))) / 100
        volume = np.floor(random.integers(10**6, 10**7, len(self.days)) * self._shares(symbol))
        bars = {"open": open_, "high": np.maximum(open_, close) * spread[0], "low": np.minimum(open_, close) / spread[1], "close": close}
        return {name: np.round(values, 2) for name, values in bars.items()} | {"volume": volume}

    def _shares(self, symbol: str) -> np.ndarray:
        """Return how many of today's shares one first-day share has become, by session."""
        shares = np.ones(len(self.days))
        for day, new, old in self.splits[symbol]:
            shares[self.days >= np.datetime64(day)] *= new / old
        return shares

    def view(self, symbol: str, first: dt.date, before: dt.date) -> tuple[np.ndarray, dict[str, np.ndarray], dict[str, Any]]:
        """Return days, columns and events as Yahoo serves them today: adjusted for every split up to `today`."""
        bars = self.traded(symbol)
        known_splits = [(day, new, old) for day, new, old in self.splits[symbol] if day <= self.today]
        known_dividends = [(day, cash) for day, cash in self.dividends[symbol] if day <= self.today]
        shown = (self.days >= np.datetime64(first)) & (self.days < np.datetime64(before)) & (self.days <= np.datetime64(self.today))
        later = np.ones(len(self.days))
        for day, new, old in known_splits:
            later[self.days < np.datetime64(day)] *= new / old
        paid = np.ones(len(self.days))
        for day, cash in known_dividends:
            if day in self.unadjusted:
                continue
            ex = int(np.searchsorted(self.days, np.datetime64(day)))
            paid[:ex] *= 1 - cash / bars["close"][ex - 1]
        served = np.float32 if self.float32 else np.float64
        columns = {name: (bars[name] / later).astype(served).astype(float)[shown] for name in ("open", "high", "low", "close")}
        columns["volume"] = np.round(bars["volume"] * later)[shown]
        columns["adjclose"] = (bars["close"] / later * paid).astype(served).astype(float)[shown]
        return self.days[shown], columns, self._events(known_splits, known_dividends, set(self.days[shown].tolist()))

    def _events(
        self, splits: list[tuple[dt.date, int, int]], dividends: list[tuple[dt.date, float]], window: set[dt.date]
    ) -> dict[str, Any]:
        events: dict[str, Any] = {}
        for day, new, old in splits:
            if day in window:
                split = {"date": moment(day), "numerator": float(new), "denominator": float(old), "splitRatio": f"{new}:{old}"}
                events.setdefault("splits", {})[str(moment(day))] = split
        for day, cash in dividends:
            if day in window:
                later = float(np.prod([new / old for ex, new, old in splits if ex > day]))
                events.setdefault("dividends", {})[str(moment(day))] = {"date": moment(day), "amount": cash / later}
        return events
