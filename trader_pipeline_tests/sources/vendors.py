"""Every feed that asks through `RestClient`, for the suites that all of them pass. To add one: a line in VENDORS."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from trader_pipeline.settings import FmpSettings, FredSettings, PublicSettings, SecSettings, Settings
from trader_pipeline.sources.cboe import CBOE
from trader_pipeline.sources.fmp_bars import FMP_BARS_FEED
from trader_pipeline.sources.fmp_earnings import FMP_EARNINGS_FEED
from trader_pipeline.sources.fmp_news import FMP_NEWS_FEED
from trader_pipeline.sources.fmp_statements import FMP_STATEMENTS_FEED
from trader_pipeline.sources.fmp_symbols import FMP_SYMBOLS_FEED
from trader_pipeline.sources.fred import FRED
from trader_pipeline.sources.french import FRENCH
from trader_pipeline.sources.sec import SEC
from trader_pipeline.sources.source import Feed, FetchRequest
from trader_pipeline.sources.sp500 import SP500
from trader_pipeline.sources.tiingo import TIINGO
from trader_pipeline.sources.tiingo_news import TIINGO_HEADLINES
from trader_pipeline_tests import fake_fmp, fake_fred, fake_public, fake_sec, fake_tiingo, fast
from trader_pipeline_tests.fake_vendor import FakeVendor
from trader_pipeline_tests.sources.fmp_market import fmp_server
from trader_pipeline_tests.sources.tiingo_market import tiingo_server, tiingo_settings

AS_OF = dt.datetime(2025, 6, 2, 20, 30, tzinfo=dt.UTC)
FIRST = dt.date(2025, 3, 3)
FAST = fast.FAST | {
    "timeout_seconds": 10,
    "deadline_seconds": 60,
}


@dataclass(frozen=True, kw_only=True)
class Vendor:
    """`serve(**options)` starts a fake that knows `tickers`; `path` is the one that a fault strikes; `key` must be seen nowhere.

    `ends` are the faults after which asking again does not help, and their outcome: a vendor may differ.
    """

    feed: Feed
    serve: Callable[..., FakeVendor]
    settings: Callable[..., Settings]
    path: str
    tickers: tuple[str, ...] | None
    key: str | None = None
    as_of: dt.datetime = AS_OF
    first: dt.date | None = FIRST
    ends: dict[str, str] = field(default_factory=dict)

    def request(self, **changes: Any) -> FetchRequest:
        asked = {"as_of": self.as_of, "fetched_at": self.as_of, "tickers": self.tickers, "first_session": self.first}
        return FetchRequest(**(asked | changes))


def fmp_settings(home, url, **changes):
    """A home whose FMP is the fake, with its key."""
    vendor = {"base_url": url + fake_fmp.STABLE, "api_key": fake_fmp.KEY}
    return Settings(home=home, _env_file=None, fmp=FmpSettings(**(vendor | FAST | changes)))


def _fmp(feed, path, *tickers):
    return Vendor(feed=feed, serve=fmp_server, settings=fmp_settings, path=path, tickers=tickers or None, key=fake_fmp.KEY)


def _tiingo(feed, path):
    return Vendor(feed=feed, serve=tiingo_server, settings=tiingo_settings, path=path, tickers=("KO", "MSFT"), key=fake_tiingo.TOKEN)


PUBLIC_AS_OF = dt.datetime(2026, 9, 22, 20, 30, tzinfo=dt.UTC)
"""The last row of the recorded VIX file has just become final."""


def public_settings(home, url, **changes):
    """A home whose public files are the fake's."""
    same = PublicSettings(**({"base_url": url} | FAST | changes))
    return Settings(home=home, _env_file=None, cboe=same, french=same, sp500=same)


def _public(feed, path, *names):
    asked = {"tickers": names, "as_of": PUBLIC_AS_OF, "first": None}
    return Vendor(feed=feed, serve=fake_public.FakePublic, settings=public_settings, path=path, **asked)


def fred_settings(home, url, **changes):
    """A home whose FRED is the fake, with its key."""
    return Settings(home=home, _env_file=None, fred=FredSettings(**({"base_url": url, "api_key": fake_fred.KEY} | FAST | changes)))


def sec_settings(home, url, **changes):
    """A home whose EDGAR is the fake, with a contact."""
    return Settings(
        home=home, _env_file=None, sec=SecSettings(**({"base_url": url, "contact": "Jane Doe jane@example.com"} | FAST | changes))
    )


VENDORS: tuple[Vendor, ...] = (
    _fmp(FMP_BARS_FEED, fake_fmp.BARS, "AAPL", "MSFT"),
    _fmp(FMP_NEWS_FEED, fake_fmp.NEWS, "AAPL", "MSFT"),
    _fmp(FMP_STATEMENTS_FEED, fake_fmp.INCOME, "AAPL", "MSFT"),
    _fmp(FMP_EARNINGS_FEED, fake_fmp.EARNINGS, "AAPL", "MSFT"),
    _fmp(FMP_SYMBOLS_FEED, fake_fmp.CHANGES),
    _tiingo(TIINGO, fake_tiingo.prices("KO")),
    _tiingo(TIINGO_HEADLINES, fake_tiingo.NEWS),
    _public(CBOE, fake_public.VIX, "vix"),
    _public(FRENCH, fake_public.FIVE_FACTORS, "five_factors", "momentum"),
    _public(SP500, fake_public.MEMBERS, "sp500"),
    Vendor(
        feed=FRED,
        serve=fake_fred.FakeFred,
        settings=fred_settings,
        path=fake_fred.OBSERVATIONS,
        tickers=("GDP", "DGS10"),
        key=fake_fred.KEY,
    ),
    Vendor(
        feed=SEC,
        serve=fake_sec.FakeSec,
        settings=sec_settings,
        path=fake_sec.companyfacts(fake_sec.APPLE),
        tickers=("AAPL", "MSFT"),
        ends={"404": "no_data"},
    ),
)
