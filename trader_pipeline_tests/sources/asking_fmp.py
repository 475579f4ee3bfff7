"""Asking the fake FMP through the real feed: attempts, core rows and raw tables in one line."""

from trader_pipeline.sources.source import FetchRequest
from trader_pipeline_tests.fake_server import Reply
from trader_pipeline_tests.feeds import fetched
from trader_pipeline_tests.sources.vendors import AS_OF, FIRST, fmp_settings


def ask(feed, fmp, home, *tickers, settings=None, **changes):
    request = FetchRequest(**({"as_of": AS_OF, "fetched_at": AS_OF, "tickers": tickers, "first_session": FIRST} | changes))
    result = fetched(feed, request, settings or fmp_settings(home, fmp.url))
    found = feed.to_core({table.full_name: rows for table, rows in result.tables.items()}) if result.tables else {}
    return {a.ticker: a for a in result.attempts}, found, result.tables


def replies(fmp, **answers):
    """Let the server give these rows, whatever is asked, by the last part of the path."""
    fmp.route = lambda path, *_: Reply(body=answers[path.rpartition("/")[2].replace("-", "_")])
