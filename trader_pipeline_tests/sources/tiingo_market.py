"""A small market for the fake Tiingo, and homes that ask it."""

import datetime as dt

from trader_pipeline.settings import Settings, TiingoSettings
from trader_pipeline_tests import fast
from trader_pipeline_tests.fake_tiingo import TOKEN, FakeTiingo

SPLIT, EX_DATE = dt.date(2025, 4, 14), dt.date(2025, 5, 12)
FAST = fast.FAST | {
    "timeout_seconds": 0.5,
    "deadline_seconds": 60,
}


def article(number, published, crawled, title="A new factory"):
    """Return an article as Tiingo sends it."""
    return {
        "id": number,
        "publishedDate": published,
        "crawlDate": crawled,
        "title": title,
        "description": f"{title}, at length.",
        "url": f"https://news.example.com/{number}",
        "source": "example.com",
        "tickers": ["ko"],
        "tags": [],
    }


def tiingo_server(**options):
    """Start a fake that knows every symbol but GONE; KO split 4:1 and paid a dividend."""
    fake = FakeTiingo(**options)
    fake.world.unknown.add("GONE")
    fake.world.splits["KO"] = [(SPLIT, 4, 1)]
    fake.world.dividends["KO"] = [(EX_DATE, 0.26)]
    for ticker in ("ko", "msft"):
        fake.articles[ticker] = [
            article(72, "2025-05-30T13:00:00Z", "2025-05-30T13:04:10.5Z"),
            article(71, "2025-03-04T13:00:00+00:00", None),
            article(70, "2024-11-03T01:30:00Z", "2024-11-03T01:31:00Z", "An older headline"),
        ]
    assert len(fake.world.days)  # the calendar is read before the first request, whose time is limited
    return fake


def tiingo_settings(home, url, **changes):
    """A home whose Tiingo is the fake, with its token."""
    return Settings(home=home, _env_file=None, tiingo=TiingoSettings(**({"base_url": url, "api_key": TOKEN} | FAST | changes)))
