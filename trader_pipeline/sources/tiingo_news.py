"""Tiingo's news: headlines by ticker, newest first. The free plan has none (it answers 403).

Timing: `publishedDate` is the publisher's word and `crawlDate` when Tiingo took the article in; nobody could have it from
Tiingo before both, so the later one is `known_at`. Of articles that Tiingo added to its history later that is late, never early.
Nulls: an article without id, headline or date of publication is left out and told.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import duckdb
import pyarrow as pa

from trader_pipeline.errors import UsageError
from trader_pipeline.schema import Table, core
from trader_pipeline.schema.raw_tiingo import TIINGO_NEWS
from trader_pipeline.settings import Settings
from trader_pipeline.sources.asking import Found, Stop, Tally
from trader_pipeline.sources.cells import Told, moment, objects, since, stamped, words
from trader_pipeline.sources.http import NoDataError
from trader_pipeline.sources.listings import with_hyphen
from trader_pipeline.sources.rest import Body, RestClient
from trader_pipeline.sources.source import Feed, FetchRequest, FetchResult, RawTables
from trader_pipeline.sources.tiingo_client import tiingo, unready

PATH = "/tiingo/news"
PAGE = 1000
"""Articles a request: Tiingo's limit."""
PAGES = 10
"""Requests a ticker at most: a first load ends there, and says so."""

_KEYS = ("id", "publishedDate", "title")


def fetch(request: FetchRequest, settings: Settings) -> Iterator[FetchResult]:
    """Ask for every ticker's articles from its first day up to now."""
    if request.tickers is None:
        raise UsageError("tiingo's news is asked for by ticker; name tickers or a universe")
    client = tiingo(settings, Stop())
    return client.ask_each(request.tickers, request, lambda ticker, tally: _found(ticker, request, client, tally))


def _found(ticker: str, request: FetchRequest, client: RestClient, tally: Tally) -> Found:
    first = since(request, ticker)
    asked: dict[str, str | int] = {"tickers": with_hyphen(ticker).lower(), "sortBy": "publishedDate", "limit": PAGE}
    if first is not None:
        asked["startDate"] = first.isoformat()
    told = Told()
    rows: dict[str, dict[str, Any]] = {}
    pages: list[pa.Table] = []
    for page in range(PAGES):
        articles = objects(client.get(PATH, {**asked, "offset": page * PAGE}, tally=tally, read=Body.json), _KEYS, PATH)
        # An article that comes in between two requests moves one to the next page, so one can come twice.
        new = {row["id"]: row for row in (_row(ticker, article, told) for article in articles) if row and row["id"] not in rows}
        rows |= new
        pages.append(stamped(TIINGO_NEWS, list(new.values()), request, tally))
        if len(articles) < PAGE:
            break
    else:
        oldest = min((row["publishedDate"].isoformat() for row in rows.values()), default="none readable")
        told.add(f"older articles not asked for after {PAGES} pages", oldest)
    if not rows:
        raise NoDataError(told.text() or f"no article on {ticker} since {first}")
    days = [row["publishedDate"].date() for row in rows.values()]
    return Found(tables={TIINGO_NEWS: pa.concat_tables(pages)}, days=days, detail=told.text())


def _row(ticker: str, article: Mapping[str, Any], told: Told) -> dict[str, Any] | None:
    published = moment(article["publishedDate"], "publishedDate", told)
    key, title = words(article["id"]), words(article["title"])
    if key is None or title is None or published is None:
        told.add("an article without id, headline or date, left out", article["id"])
        return None
    return {
        "ticker": ticker,
        "id": key,
        "publishedDate": published,
        "crawlDate": moment(article.get("crawlDate"), "crawlDate", told),
        "title": title,
        "description": words(article.get("description")),
        "url": words(article.get("url")),
        "source": words(article.get("source")),
        "tickers": ",".join(str(name) for name in article.get("tickers") or ()) or None,
    }


def to_core(tables: RawTables) -> Mapping[Table, pa.Table]:
    """Return the headlines, known from the later of publication and Tiingo's taking them in."""
    with duckdb.connect(config={"threads": 2}) as con:
        con.execute("set timezone = 'UTC'")
        con.register("tiingo_news", tables[TIINGO_NEWS.full_name])
        return {core.NEWS: con.sql(_NEWS).to_arrow_table()}


_NEWS = """
    select ticker, id as news_id, publishedDate as published_at, greatest(publishedDate, crawlDate) as known_at,
           'tiingo' as source, title, description as summary, source as publisher, url, fetched_at
    from tiingo_news"""

TIINGO_HEADLINES = Feed(source="tiingo", kind="news", raw_tables=(TIINGO_NEWS,), fetch=fetch, to_core=to_core, unready=unready)
