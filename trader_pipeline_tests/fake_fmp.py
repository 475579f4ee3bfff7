"""Financial Modeling Prep's `/stable/` on 127.0.0.1, on the market of `fake_world`.

Shapes as the real service sends them: newest first; a span of bars ends now and is cut at 5,000 rows, the newest; splits and
dividends ignore a span; an unknown symbol is `[]`; statements rescaled by later splits; a refusal is an "Error Message".
`full` and `dividend-adjusted` stand beside the raw bars, so that asking for the wrong one shows.
"""

import datetime as dt
import json
from pathlib import Path

import numpy as np

from trader_pipeline_tests.fake_server import Reply
from trader_pipeline_tests.fake_vendor import FakeVendor
from trader_pipeline_tests.fake_world import World

KEY = "fmpkey0123456789abcdef"
STABLE = "/stable"
BARS, FULL = f"{STABLE}/historical-price-eod/non-split-adjusted", f"{STABLE}/historical-price-eod/full"
SPLITS, DIVIDENDS, NEWS = f"{STABLE}/splits", f"{STABLE}/dividends", f"{STABLE}/news/stock"
EARNINGS, CHANGES = f"{STABLE}/earnings", f"{STABLE}/symbol-change"
INCOME, BALANCE, CASH_FLOW = f"{STABLE}/income-statement", f"{STABLE}/balance-sheet-statement", f"{STABLE}/cash-flow-statement"
MOST_BARS = 5000
RECORDED = json.loads((Path(__file__).parent / "resources" / "fmp_aapl.json").read_text())
_LEGACY = "Legacy Endpoint : Due to Legacy endpoints being no longer supported - This endpoint is only available for legacy users"


class FakeFmp(FakeVendor):
    """`news[symbol]` holds (published, title), newest first; `filings[symbol]` (period end, period, filed, accepted, facts)."""

    def __init__(self, world=None, **options):
        self.world = world or World()
        self.news = {}
        self.filings = {}
        self.reports = {}
        self.renames = [("VYNE", "YARW", "2026-07-28", "Yarrow Bioscience, Inc. Common Stock")]
        super().__init__(**options)

    def route(self, path, query, headers):
        if "/api/v3" in path:
            return Reply(status=403, body={"Error Message": _LEGACY})
        if headers.get("apikey") != KEY:
            words = "Invalid API KEY. Feel free to create a Free API Key or visit our documentation"
            return Reply(status=401, body={"Error Message": words})
        if path == CHANGES:
            return Reply(body=[{"oldSymbol": o, "newSymbol": n, "date": d, "companyName": c} for o, n, d, c in self.renames])
        symbol = query.get("symbols") or query.get("symbol", "")
        if symbol in self.world.unknown:
            return Reply(body=[])
        return Reply(body=_ANSWERS[path](self, symbol, query))

    def bars(self, symbol, query):
        return [{"symbol": symbol, "date": day, **_named(bar)} for day, bar in self._bars(symbol, query)]

    def full(self, symbol, query):
        """Divide by the splits known today, volume multiplied, as `historical-price-eod/full` does."""
        return [
            {"symbol": symbol, "date": day, **{k: bar[k] / self._later(symbol, day) for k in ("open", "high", "low", "close")}}
            | {"volume": bar["volume"] * self._later(symbol, day)}
            for day, bar in self._bars(symbol, query)
        ]

    def splits(self, symbol, _):
        splits = [(d, n, o) for d, n, o in self.world.splits[symbol] if d <= self.world.today + dt.timedelta(days=30)]
        return [
            {"symbol": symbol, "date": str(d), "numerator": n, "denominator": o, "splitType": "stock-split"} for d, n, o in splits[::-1]
        ]

    def dividends(self, symbol, _):
        found = []
        for day, cash in self.world.dividends[symbol][::-1]:
            dates = {"recordDate": str(day), "paymentDate": str(day + dt.timedelta(days=3)), "declarationDate": ""}
            money = {"adjDividend": cash / self._later(symbol, str(day)), "dividend": cash, "yield": 0.5, "frequency": "Quarterly"}
            found.append({"symbol": symbol, "date": str(day), **dates, **money})
        return found

    def headlines(self, symbol, query):
        start, size = int(query["page"]) * int(query["limit"]), int(query["limit"])
        rows = [_headline(symbol, at, title) for at, title in self.news.get(symbol, []) if at[:10] >= query.get("from", "")]
        return rows[start : start + size]

    def statement(self, figures, symbol, query):
        rows = []
        for end, period, filed, accepted, facts in self.filings.get(symbol, []):
            head = {"date": end, "symbol": symbol, "reportedCurrency": "USD", "cik": "0000320193", "filingDate": filed}
            head |= {"acceptedDate": accepted, "fiscalYear": end[:4], "period": period}
            rows.append(head | {name: self._rescaled(symbol, filed, name, facts.get(name, 0)) for name in figures})
        return rows[: int(query["limit"])]

    def earnings(self, symbol, _):
        names = ("date", "epsActual", "epsEstimated", "revenueActual", "revenueEstimated")
        reports = [dict(zip(names, report, strict=True)) for report in self.reports.get(symbol, [])]
        return [{"symbol": symbol, **report, "lastUpdated": report["date"]} for report in reports]

    def _rescaled(self, symbol, filed, name, value):
        later = self._later(symbol, filed)
        return round(value / later, 2) if name.startswith("eps") else value * later if name.startswith("weighted") else value

    def _bars(self, symbol, query):
        traded = self.world.traded(symbol)
        upper = np.datetime64(min(query.get("to", "9999"), str(self.world.today)))
        asked = (self.world.days >= np.datetime64(query.get("from", str(self.world.first)))) & (self.world.days <= upper)
        places = np.flatnonzero(asked)[::-1][:MOST_BARS]
        return [(str(self.world.days[i]), {name: float(values[i]) for name, values in traded.items()}) for i in places]

    def _later(self, symbol, day):
        today = self.world.today
        return float(np.prod([new / old for split, new, old in self.world.splits[symbol] if day < str(split) and split <= today]))


def _named(bar):
    return {f"adj{name.capitalize()}": bar[name] for name in ("open", "high", "low", "close")} | {"volume": int(bar["volume"])}


def _headline(symbol, published, title):
    url = f"https://news.example.com/{symbol}/{published.replace(' ', 'T')}"
    about = {"publisher": "Newsfile Corp", "title": title, "image": "https://images.example.com/1.jpg", "site": "example.com"}
    return {"symbol": symbol, "publishedDate": published, **about, "text": f"{title}, at length.", "url": url}


_HEAD = {"date", "symbol", "reportedCurrency", "cik", "filingDate", "acceptedDate", "fiscalYear", "period"}


def _statement(name):
    figures = [key for key in RECORDED[name][0] if key not in _HEAD]
    return lambda fake, symbol, query: fake.statement(figures, symbol, query)


_ANSWERS = {
    BARS: FakeFmp.bars,
    FULL: FakeFmp.full,
    SPLITS: FakeFmp.splits,
    DIVIDENDS: FakeFmp.dividends,
    NEWS: FakeFmp.headlines,
    EARNINGS: FakeFmp.earnings,
    INCOME: _statement("income"),
    BALANCE: _statement("balance"),
    CASH_FLOW: _statement("cash_flow"),
}
