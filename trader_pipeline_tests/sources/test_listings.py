"""A share class has one spelling for every vendor; an exchange's suffix is none."""

import datetime as dt

import numpy as np
import pytest

from trader_pipeline import calendar
from trader_pipeline.sources.fmp_bars import FMP_BARS_FEED
from trader_pipeline.sources.fmp_earnings import FMP_EARNINGS_FEED
from trader_pipeline.sources.fmp_news import FMP_NEWS_FEED
from trader_pipeline.sources.fmp_statements import FMP_STATEMENTS_FEED
from trader_pipeline.sources.listings import Listing, listing_of, listing_of_file, with_hyphen
from trader_pipeline.sources.tiingo import TIINGO
from trader_pipeline.sources.tiingo_news import TIINGO_HEADLINES
from trader_pipeline.sources.yahoo import YAHOO
from trader_pipeline.sources.yahoo_news import YAHOO_HEADLINES
from trader_pipeline.sources.yahoo_options import YAHOO_CHAINS
from trader_pipeline_tests.fake_yahoo import FakeYahoo
from trader_pipeline_tests.feeds import fetched
from trader_pipeline_tests.sources.asking_yahoo import request, settings_for
from trader_pipeline_tests.sources.fmp_market import fmp_server
from trader_pipeline_tests.sources.tiingo_market import article, tiingo_server, tiingo_settings
from trader_pipeline_tests.sources.vendors import fmp_settings


@pytest.mark.parametrize(
    ("written", "asked"),
    [
        *(("BRK.B", "BRK-B"), ("BF.A", "BF-A"), ("BRK-B", "BRK-B"), ("AAPL", "AAPL")),
        *(
            ("VOD.L", "VOD.L"),
            ("7203.T", "7203.T"),
            ("BMW.F", "BMW.F"),
            ("X.V", "X.V"),
            ("SAP.DE", "SAP.DE"),
            ("^GSPC", "^GSPC"),
            (".B", ".B"),
        ),
    ],
)
def test_a_class_has_a_hyphen_and_an_exchange_a_dot(written, asked):
    assert with_hyphen(written) == asked


def tiingo_with_news():
    fake = tiingo_server()
    fake.articles["brk-b"] = [article(72, "2025-05-30T13:00:00Z", None)]
    return fake


YAHOOS = (FakeYahoo, settings_for)
FMPS = (fmp_server, fmp_settings)
TIINGOS = (tiingo_with_news, tiingo_settings)


@pytest.mark.parametrize(
    ("feed", "serve", "settings_of"),
    [
        *((feed, *YAHOOS) for feed in (YAHOO, YAHOO_HEADLINES, YAHOO_CHAINS)),
        *((feed, *FMPS) for feed in (FMP_BARS_FEED, FMP_NEWS_FEED, FMP_STATEMENTS_FEED, FMP_EARNINGS_FEED)),
        *((feed, *TIINGOS) for feed in (TIINGO, TIINGO_HEADLINES)),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_every_vendor_is_asked_for_the_hyphen_and_rows_keep_the_name_that_was_wanted(tmp_path, feed, serve, settings_of):
    with serve() as server:
        server.world.unknown |= {"BRK.B", "brk.b"}
        result = fetched(feed, request("BRK.B"), settings_of(tmp_path, server.url))
    (attempt,) = result.attempts
    assert attempt.outcome == "ok", attempt.detail
    assert {name for rows in result.tables.values() for name in rows["ticker"].to_pylist()} == {"BRK.B"}


@pytest.mark.parametrize(
    ("symbol", "listing"),
    [
        ("KEN.TA", Listing("XTAE", "ILS", "ILA")),
        ("SSW.JO", Listing("XJSE", "ZAR", "ZAc")),
        ("TEM.L", Listing("XLON", "GBP", "GBp")),
        ("KO", Listing("XNYS", "USD", "USD")),
        ("OTE.AT", Listing("ASEX", "EUR", "EUR")),
        ("RELIANCE.NS", Listing("XBOM", "INR", "INR")),
        ("035420.KQ", Listing("XKRX", "KRW", "KRW")),
        ("000001.SZ", Listing("XSHG", "CNY", "CNY")),
        ("6488.TWO", Listing("XTAI", "TWD", "TWD")),
        ("SAP.MU", Listing("XFRA", "EUR", "EUR")),
        ("COMI.CA", Listing("XNYS", "USD", "USD")),
    ],
)
def test_a_suffix_says_calendar_currency_and_unit(symbol, listing):
    assert listing_of(symbol) == listing


def _open(exchange, first="2024-01-02", last="2024-12-31"):
    return calendar.sessions(exchange, dt.date.fromisoformat(first), dt.date.fromisoformat(last))


@pytest.mark.parametrize(
    ("name", "days", "exchange"),
    [
        ("TEM-L", _open("XLON"), "XLON"),
        ("TEM-L-1d-bad-div", _open("XLON"), "XLON"),
        ("TEM.L", _open("XNYS"), "XLON"),
        ("SAP-DE", _open("XNYS", "2024-06-03", "2024-06-07"), "XETR"),
        ("BRK-B", _open("XLON"), "XNYS"),
        ("BAC-PA", _open("XNYS"), "XNYS"),
        ("KEN-TA", _open("XNYS"), "XNYS"),
    ],
)
def test_a_suffix_after_a_hyphen_is_an_exchange_where_the_days_are_its_own(name, days, exchange):
    assert listing_of_file(name, days).exchange == exchange


def test_a_file_without_sundays_stays_tel_aviv_s_though_new_york_s_days_fit_it_better():
    union = sorted(set(_open("XTAE").tolist()) | set(_open("XNYS").tolist()))
    days = np.array([day for day in union if day.weekday() < 4], dtype="datetime64[D]")  # Monday to Thursday, holidays of Tel Aviv too
    closed = [np.count_nonzero(~np.isin(days, _open(exchange))) for exchange in ("XTAE", "XNYS")]
    assert closed == [15, 8]
    assert listing_of_file("KEN-TA", days).exchange == "XTAE"
