"""A market that costs nothing to serve: 64 price series, which every ticker shares with others, rendered as Yahoo writes them."""

import datetime as dt
import json
import zlib
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np

from trader_pipeline import calendar

EXCHANGE = "XNYS"
SERIES = 64
_NEW_YORK = ZoneInfo("America/New_York")
_SYMBOL = "@symbol@"


def series_of(symbol: str) -> int:
    """Return which of the price series a symbol has."""
    return zlib.crc32(symbol.encode()) % SERIES


class Market:
    """Daily bars from `first` to `last`, without splits and dividends; a series is a seeded random walk in cents."""

    def __init__(self, first: dt.date, last: dt.date) -> None:
        self.days = calendar.sessions(EXCHANGE, first, last).tolist()
        self.opened_at = [_seconds(day, dt.time(9, 30)) for day in self.days]
        self.rendered = lru_cache(maxsize=16 * SERIES)(self._render)

    def chart(self, symbol: str, since: int) -> bytes:
        """Return the body of a v8 chart answer from `since`, seconds since the epoch, to the last day."""
        before, after = self.rendered(series_of(symbol), int(np.searchsorted(self.opened_at, since)))
        return before + symbol.encode() + after

    def _render(self, series: int, start: int) -> tuple[bytes, bytes]:
        columns = {name: values[start:].tolist() for name, values in self._columns(series).items()}
        adjusted = {"adjclose": columns["close"]}
        result = {"meta": self._meta(series), "indicators": {"quote": [columns], "adjclose": [adjusted]}}
        if start < len(self.days):
            result["timestamp"] = self.opened_at[start:]
        else:
            result["indicators"] = {"quote": [{}], "adjclose": [{}]}
        before, after = json.dumps({"chart": {"result": [result], "error": None}}).split(_SYMBOL)
        return before.encode(), after.encode()

    def _columns(self, series: int) -> dict[str, np.ndarray]:
        random = np.random.default_rng(series)
        close = (20 + 100 * random.random()) * np.exp(np.cumsum(random.normal(0.0003, 0.015, len(self.days))))
        opened = close * np.exp(random.normal(0, 0.005, len(self.days)))
        bars = {"open": opened, "high": np.maximum(opened, close) * 1.004, "low": np.minimum(opened, close) * 0.996, "close": close}
        prices = {name: np.float32(np.round(values, 2)).astype(float) for name, values in bars.items()}
        return prices | {"volume": random.integers(10**5, 10**7, len(self.days))}

    def _meta(self, series: int) -> dict[str, object]:
        opened, closed = self.opened_at[-1], _seconds(self.days[-1], dt.time(16))
        period = {"timezone": "EST", "start": opened, "end": closed, "gmtoffset": -18000}
        return {
            "currency": "USD",
            "symbol": _SYMBOL,
            "exchangeName": "NMS",
            "fullExchangeName": "NasdaqGS",
            "instrumentType": "EQUITY",
            "longName": f"Series {series} Incorporated",
            "firstTradeDate": self.opened_at[0],
            "regularMarketTime": closed,
            "hasPrePostMarketData": True,
            "gmtoffset": -18000,
            "timezone": "EST",
            "exchangeTimezoneName": "America/New_York",
            "priceHint": 2,
            "dataGranularity": "1d",
            "range": "",
            "validRanges": ["1d", "5d", "1mo", "3mo", "6mo", "1y", "2y", "5y", "10y", "ytd", "max"],
            "currentTradingPeriod": {"pre": period, "regular": period, "post": period},
        }


def _seconds(day: dt.date, time: dt.time) -> int:
    return int(dt.datetime.combine(day, time, _NEW_YORK).timestamp())
