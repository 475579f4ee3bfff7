"""Tiingo on 127.0.0.1: recorded replies for the tickers of resources/tiingo.json, else the market of `fake_world`.

As the real one does, it wants its token in the header, knows no share class after a dot, and may say with status 200 that the
hour's requests are spent.
"""

import json
from pathlib import Path

import numpy as np

from trader_pipeline_tests.fake_server import Reply
from trader_pipeline_tests.fake_vendor import FakeVendor
from trader_pipeline_tests.fake_world import World

TOKEN = "tiingo0123456789abcdef0123456789abcdef01234567"  # noqa: S105 - of the fake
NEWS = "/tiingo/news"
RECORDED = json.loads((Path(__file__).parent / "resources" / "tiingo.json").read_text())
SPENT = (
    "Error: You have run over your hourly request allocation. "
    "Please upgrade at https://api.tiingo.com/pricing to have your limits increased."
)


def prices(ticker):
    return f"/tiingo/daily/{ticker}/prices"


class FakeTiingo(FakeVendor):
    """`articles[ticker]` are JSON articles, newest first; `spent` is how many requests are still answered as over the allowance."""

    def __init__(self, world=None, **options):
        self.world = world or World()
        self.prices = {name: list(found["prices"]) for name, found in RECORDED.items() if "prices" in found}
        self.articles = {"aapl": [RECORDED["news"]]}
        self.spent = 0
        super().__init__(**options)

    def route(self, path, query, headers):
        if headers.get("Authorization") != f"Token {TOKEN}":
            return Reply(status=401, body={"detail": "Invalid token."})
        if self.spent:
            self.spent -= 1
            return Reply(body=SPENT, content_type="text/plain")
        if path == NEWS:
            return Reply(body=self._news(query))
        ticker, _, what = path.removeprefix("/tiingo/daily/").partition("/")
        if "." in ticker or ticker in self.world.unknown:
            return Reply(status=404, body={"detail": f"Error: Ticker '{ticker}' not found"})
        return Reply(body=self._prices(ticker, query["startDate"]) if what == "prices" else self._meta(ticker))

    def _meta(self, ticker):
        if ticker in RECORDED:
            return RECORDED[ticker]["meta"]
        days = {"startDate": str(self.world.first), "endDate": str(self.world.today)}
        return {"ticker": ticker, "name": f"{ticker} Inc", "description": None, "exchangeCode": "NYSE", **days}

    def _prices(self, ticker, first):
        if ticker in self.prices:
            return [row for row in self.prices[ticker] if row["date"][:10] >= first]
        traded = self.world.traded(ticker)
        splits = {day: new / old for day, new, old in self.world.splits[ticker]}
        dividends = dict(self.world.dividends[ticker])
        rows = []
        for place in np.flatnonzero((self.world.days >= np.datetime64(first)) & (self.world.days <= np.datetime64(self.world.today))):
            date = self.world.days[place].item()
            bar = {name: float(values[place]) for name, values in traded.items()}
            adjusted = {f"adj{name.capitalize()}": value / 7 for name, value in bar.items()}  # wrong on purpose: nothing may read them
            action = {"divCash": dividends.get(date, 0.0), "splitFactor": splits.get(date, 1.0)}
            rows.append({"date": f"{date}T00:00:00.000Z", **bar, "volume": int(bar["volume"]), **adjusted, **action})
        return rows

    def _news(self, query):
        found = [a for a in self.articles.get(query["tickers"], []) if a["publishedDate"][:10] >= query.get("startDate", "")]
        start = int(query["offset"])
        return found[start : start + int(query["limit"])]
