"""Yahoo's headlines: what is kept of a search, and when it was known."""

import datetime as dt
import json
from pathlib import Path

import pytest
import yfinance

from trader_pipeline.schema import core
from trader_pipeline.schema.raw_yahoo import YAHOO_NEWS
from trader_pipeline.sources.yahoo_news import YAHOO_HEADLINES, _params
from trader_pipeline_tests.fake_yahoo import SEARCH
from trader_pipeline_tests.feeds import fetched
from trader_pipeline_tests.plain_yfinance import plain_yfinance
from trader_pipeline_tests.sources.asking_yahoo import request, settings_for

WIRE = json.loads((Path(__file__).parents[1] / "resources" / "yahoo_wire.json").read_text())


def news(settings, *tickers, **changes):
    result = fetched(YAHOO_HEADLINES, request(*tickers, **changes), settings)
    return {attempt.ticker: attempt for attempt in result.attempts}, result.tables.get(YAHOO_NEWS)


def test_headlines_of_other_companies_are_left_out(yahoo, settings):
    attempts, rows = news(settings, "AAA", "BBB")
    assert {a.outcome for a in attempts.values()} == {"ok"}
    assert {ticker: rows["ticker"].to_pylist().count(ticker) for ticker in attempts} == {"AAA": 11, "BBB": 11}  # the twelfth is of OTHER
    assert sum(a.requests for a in attempts.values()) == yahoo.hits.total() == 4


def test_recorded_headlines(yahoo, settings):
    """Bloomberg's article on AAPL of 2025-02-25 05:54:47 UTC; the other of the answer is about BRK-B."""
    yahoo.canned[SEARCH] = WIRE["search"]
    _, rows = news(settings, "AAPL")
    (row,) = YAHOO_HEADLINES.to_core({YAHOO_NEWS.full_name: rows})[core.NEWS].to_pylist()
    published = dt.datetime(2025, 2, 25, 5, 54, 47, tzinfo=dt.UTC)
    assert row == {
        "ticker": "AAPL",
        "news_id": "bfb8b663-081c-3c2b-84e3-df8fff2c37d8",
        "published_at": published,
        "known_at": published,
        "source": "yahoo",
        "title": "A ban on a telephone ends",
        "summary": None,
        "publisher": "Bloomberg",
        "url": "https://finance.yahoo.com/news/a.html",
        "fetched_at": request().fetched_at,
    }


def test_headlines_before_the_watermark_are_stored_already(settings):
    attempts, rows = news(settings, "AAA", since={"AAA": dt.date(2025, 6, 3)})
    assert (attempts["AAA"].outcome, rows.num_rows) == ("ok", 0)
    attempts, rows = news(settings, "AAA", since={"AAA": dt.date(2025, 6, 2)})
    assert 0 < rows.num_rows == attempts["AAA"].rows


@pytest.mark.parametrize(
    ("fault", "outcome"), [("empty", "no_data"), ("404", "schema_change"), ("no_chart", "schema_change"), ("403", "schema_change")]
)
def test_what_asking_again_cannot_mend(yahoo, settings, fault, outcome):
    yahoo.forever["AAA"] = fault
    attempts, rows = news(settings, "AAA")
    assert (attempts["AAA"].outcome, rows) == (outcome, None)
    assert yahoo.hits[SEARCH] == 1


def headline(**changes):
    return {"uuid": "u", "title": "T", "providerPublishTime": 1_748_800_000, "relatedTickers": ["AAA"]} | changes


def test_related_tickers_that_are_no_text_cost_nothing(yahoo, settings):
    yahoo.canned[SEARCH] = {"news": [headline(relatedTickers=["AAA", None])]}
    _, rows = news(settings, "AAA")
    assert rows["relatedTickers"].to_pylist() == ["AAA,None"]


def test_a_time_in_other_units_is_a_schema_change(yahoo, settings):
    yahoo.canned[SEARCH] = {"news": [headline(providerPublishTime=1_748_800_000_000)]}
    attempts, rows = news(settings, "AAA")
    assert (attempts["AAA"].outcome, rows) == ("schema_change", None)
    assert "1748800000000" in attempts["AAA"].detail


@pytest.mark.parametrize("fault", ["429", "500", "502", "503", "html", "malformed", "truncated", "reset"])
def test_each_fault_is_got_over(yahoo, tmp_path, fault):
    yahoo.retry_after = "0"
    yahoo.plan("AAA", fault, fault)
    attempts, rows = news(settings_for(tmp_path, yahoo.url), "AAA")
    assert (attempts["AAA"].outcome, attempts["AAA"].retries, rows.num_rows) == ("ok", 2, 11)


def test_we_ask_what_yfinance_asks(yahoo, settings):
    news(settings, "AAA")
    with plain_yfinance(yahoo.url) as session:
        asked = {"max_results": 0, "lists_count": 0, "include_cb": False, "recommended": 0}
        theirs = yfinance.Search("AAA", news_count=settings.yahoo.news_count, session=session, **asked).news
    first, second = (target for target in yahoo.targets if target.startswith(SEARCH))
    assert first == second
    assert len(theirs) == 12
    assert set(_params("AAA", 1)) == {part.split("=")[0] for part in first.partition("?")[2].split("&")} - {"crumb"}
