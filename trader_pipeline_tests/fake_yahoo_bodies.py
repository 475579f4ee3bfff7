"""What the fake Yahoo says: charts, option chains and headlines of a World, in Yahoo's wire format."""

import datetime as dt
import zlib
from typing import Any

from trader_pipeline_tests.fake_world import NEW_YORK, World, moment

EXPIRY_DAYS = (4, 11, 18, 46, 74, 109, 165, 200, 291, 564)
"""Days ahead of the expiries: weeklies, monthlies, leaps."""
STRIKES = (0.8, 0.9, 1.0, 1.1, 1.2)
HEADLINES = 12
_HOUR_SECONDS = 3600


def chart(world: World, symbol: str, query: dict[str, str], fault: str | None) -> dict[str, Any]:
    """Return the body of a chart. Faults: empty, nulls, short."""
    first = dt.datetime.fromtimestamp(int(query["period1"]), NEW_YORK).date()
    first += dt.timedelta(days=int(moment(first) < int(query["period1"])))
    before = dt.datetime.fromtimestamp(int(query["period2"]), NEW_YORK).date() + dt.timedelta(days=1)
    days, columns, events = world.view(symbol, first, before)
    if fault == "empty" or not len(days):
        return _wrapped("chart", {"meta": meta(world, symbol), "indicators": {"quote": [{}], "adjclose": [{}]}})
    lists = {name: values.tolist() for name, values in columns.items()}
    if fault == "nulls":
        for values in lists.values():
            values[len(values) // 2] = None
    if fault == "short":
        lists["close"].pop()
    adjusted = lists.pop("adjclose")
    result = {
        "meta": meta(world, symbol),
        "timestamp": [moment(day) for day in days.tolist()],
        "indicators": {"quote": [lists], "adjclose": [{"adjclose": adjusted}]},
    }
    return _wrapped("chart", result | ({"events": events} if events else {}))


def _wrapped(root: str, *results: dict[str, Any]) -> dict[str, Any]:
    return {root: {"result": list(results), "error": None}}


def meta(world: World, symbol: str) -> dict[str, Any]:
    """Return the facts that come with a chart; `world.meta[symbol]` overrides them."""
    today = world.today
    period = {"timezone": "EDT", "start": moment(today), "end": moment(today, 16, 0), "gmtoffset": -14400}
    return {
        "currency": "USD",
        "symbol": symbol,
        "exchangeName": "PCX" if symbol == "SPY" else "NMS",
        "instrumentType": "ETF" if symbol == "SPY" else "EQUITY",
        "longName": f"{symbol} Incorporated",
        "firstTradeDate": moment(world.first),
        "regularMarketTime": moment(today, 16, 0),
        "hasPrePostMarketData": True,
        "gmtoffset": -14400,
        "timezone": "EDT",
        "exchangeTimezoneName": "America/New_York",
        "priceHint": 2,
        "dataGranularity": "1d",
        "range": "",
        "validRanges": ["1d", "5d", "1mo", "3mo", "6mo", "1y", "2y", "5y", "10y", "ytd", "max"],
        "currentTradingPeriod": {"pre": period, "regular": period, "post": period},
        **world.meta[symbol],
    }


def options(world: World, symbol: str, query: dict[str, str], fault: str | None) -> dict[str, Any]:
    """Return the body of a chain: the expiries, and the contracts of the nearest or of `date`. Faults: empty."""
    if symbol in world.unknown:
        return _wrapped("optionChain")
    spot = float(world.view(symbol, world.today - dt.timedelta(days=7), world.today + dt.timedelta(days=1))[1]["close"][-1])
    expiries = [world.today + dt.timedelta(days=days) for days in EXPIRY_DAYS]
    midnights = [_midnight(day) for day in expiries]
    at = midnights.index(int(query.get("date", midnights[0])))
    strikes = [round(spot * share, 0) for share in STRIKES]
    sides = {
        side: [_contract(symbol, expiries[at], kind, strike, spot) | {"lastTradeDate": moment(world.today, 15, 0)} for strike in strikes]
        for side, kind in (("calls", "C"), ("puts", "P"))
    }
    found = {
        "underlyingSymbol": symbol,
        "expirationDates": [] if fault == "empty" else midnights,
        "strikes": strikes,
        "hasMiniOptions": False,
        "quote": {"symbol": symbol, "currency": "USD", "regularMarketPrice": spot, "regularMarketTime": moment(world.today, 16, 0)},
        "options": [] if fault == "empty" else [{"expirationDate": midnights[at], "hasMiniOptions": False, **sides}],
    }
    return _wrapped("optionChain", found)


def _midnight(day: dt.date) -> int:
    return int(dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC).timestamp())


def _contract(symbol: str, expiry: dt.date, kind: str, strike: float, spot: float) -> dict[str, Any]:
    """Return one contract; a strike far out has no volume key, as Yahoo writes it."""
    worth = max(0.0, spot - strike if kind == "C" else strike - spot) + 1.0
    contract = {
        "contractSymbol": f"{symbol.replace('-', '')}{expiry:%y%m%d}{kind}{int(strike * 1000):08d}",
        "strike": strike,
        "currency": "USD",
        "lastPrice": worth,
        "change": 0.0,
        "percentChange": 0.0,
        "volume": 10,
        "openInterest": 100,
        "bid": worth - 0.1,
        "ask": worth + 0.1,
        "contractSize": "REGULAR",
        "expiration": _midnight(expiry),
        "impliedVolatility": 0.25,
        "inTheMoney": worth > 1.0,
    }
    if abs(strike / spot - 1) > STRIKES[-2] - 1 + 0.05:
        del contract["volume"]
    return contract


def headlines(world: World, symbol: str, query: dict[str, str], fault: str | None) -> dict[str, Any]:
    """Return the body of a search: the newest headlines, of which the last is about another company. Faults: empty."""
    newest = moment(world.today, 15, 0)
    count = 0 if fault == "empty" or symbol in world.unknown else min(HEADLINES, int(query["newsCount"]))
    return {"count": count, "quotes": [], "news": [_headline(symbol, newest - n * _HOUR_SECONDS, n, count) for n in range(count)]}


def _headline(symbol: str, published: int, n: int, count: int) -> dict[str, Any]:
    name = f"{zlib.crc32(f'{symbol}{published}'.encode()):08x}"
    return {
        "uuid": name,
        "title": f"{symbol} in the news {n}",
        "publisher": "Wire",
        "link": f"https://finance.yahoo.com/news/{name}.html",
        "providerPublishTime": published,
        "type": "STORY",
        "relatedTickers": ["OTHER"] if n == count - 1 else [symbol, "SPY"],
    }
