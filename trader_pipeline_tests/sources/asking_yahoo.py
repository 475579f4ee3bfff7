"""Asking the fake Yahoo through the real source: settings, requests and answers in one line."""

import datetime as dt

from trader_pipeline.schema import core, raw
from trader_pipeline.settings import Settings, YahooSettings
from trader_pipeline.sources.source import FetchRequest
from trader_pipeline.sources.yahoo import YAHOO
from trader_pipeline_tests.fast import FAST
from trader_pipeline_tests.feeds import fetched

TODAY = dt.date(2025, 6, 2)
AFTER_CLOSE = dt.datetime(2025, 6, 2, 20, 30, tzinfo=dt.UTC)  # New York closes at 20:00 UTC in June
FIRST = dt.date(2025, 3, 3)
SESSIONS = 64  # 2025-03-03 to 2025-06-02: 66 weekdays less Good Friday (04-18) and Memorial Day (05-26)


def settings_for(home, url, **changes):
    fast = FAST | {"timeout_seconds": 5}
    return Settings(home=home, _env_file=None, yahoo=YahooSettings(base_url=url, **(fast | changes)))


def request(*tickers, as_of=AFTER_CLOSE, **changes):
    return FetchRequest(**({"as_of": as_of, "fetched_at": as_of, "tickers": tickers, "first_session": FIRST} | changes))


def fetch(settings, *tickers, **changes):
    """Return the attempts by ticker and the raw rows."""
    result = fetched(YAHOO, request(*tickers, **changes), settings)
    return {attempt.ticker: attempt for attempt in result.attempts}, result.tables.get(raw.YAHOO_BARS)


def bars_of(table):
    return YAHOO.to_core({raw.YAHOO_BARS.full_name: table})[core.DAILY_BARS].sort_by([("ticker", "ascending"), ("session", "ascending")])
