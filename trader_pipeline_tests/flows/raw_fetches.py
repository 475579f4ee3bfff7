"""Raw rows as vendors' fetches leave them, by hand: what a fetch at a moment said."""

import datetime as dt

import pyarrow as pa

from trader_pipeline import calendar
from trader_pipeline.flows.standardize import DERIVED, standardize
from trader_pipeline.lake import Change, Lake
from trader_pipeline.schema import raw
from trader_pipeline.schema.raw_fmp import FMP_EARNINGS, FMP_NEWS
from trader_pipeline.schema.raw_fred import FRED_LATEST, FRED_VINTAGES
from trader_pipeline.sources.fmp_earnings import FMP_EARNINGS_FEED
from trader_pipeline.sources.fmp_news import FMP_NEWS_FEED
from trader_pipeline.sources.fred import FRED
from trader_pipeline.sources.yahoo import YAHOO

FEEDS = (YAHOO, FMP_EARNINGS_FEED, FMP_NEWS_FEED, FRED)
DAYS = calendar.sessions("XNYS", dt.date(2024, 1, 2), dt.date(2024, 6, 28)).tolist()


def after(day, minutes=0):
    """A moment after the bar of `day` is known."""
    return calendar.known_at("XNYS", day) + dt.timedelta(minutes=minutes)


def bar(ticker, day, close=10.0, *, split=0.0, dividend=0.0, volume=1000.0, role="stock"):
    prices = dict.fromkeys(("Open", "High", "Low", "Close", "Adj Close"), close)
    said = {"Volume": volume, "Dividends": dividend, "Stock Splits": split, "splits_after": 1.0}
    named = {"currency": "USD", "exchange": "NYQ", "longName": f"{ticker} Inc.", "role": role}
    return raw.YAHOO_BARS, {"ticker": ticker, "Date": day, **prices, **said, **named}


def headline(ticker, url, published, title="title"):
    return FMP_NEWS, {"ticker": ticker, "url": url, "publishedDate": published, "title": title}


def report(ticker, day, actual=None, estimate=1.0):
    return FMP_EARNINGS, {"ticker": ticker, "date": day, "epsActual": actual, "epsEstimated": estimate, "splits_after": 1.0}


def latest(series, day, value):
    return FRED_LATEST, {"series_id": series, "date": day, "value": value}


def vintage(series, day, released, value):
    return FRED_VINTAGES, {
        "series_id": series,
        "date": day,
        "realtime_start": released,
        "realtime_end": dt.date(9999, 12, 31),
        "value": value,
    }


def publish(lake, fetched_at, *rows):
    """Append what one fetch brought."""
    tables = {}
    for table, row in rows:
        tables.setdefault(table, []).append(row | {"fetched_at": fetched_at, "request_sha256": "x"})
    lake.publish(*(Change.append(t, pa.Table.from_pylist(found, schema=t.arrow_schema)) for t, found in tables.items()))


def brought_up(lake, symbols_file=None, feeds=FEEDS):
    return standardize(lake, feeds, as_of=after(DAYS[-1]), run_id="run", symbols_file=symbols_file)


def tables(lake):
    """Every core table's rows, sorted by key."""
    snapshot = lake.snapshot()
    return {table.full_name: table.sorted(snapshot.read(table)).to_pylist() for table in DERIVED}


def fresh(path):
    return Lake(path / "lake", "live")
