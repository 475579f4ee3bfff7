"""Yahoo's headlines: what its search relates to a symbol, the newest `news_count`. There is no history to ask for.

Timing: `providerPublishTime` is the publisher's moment and `known_at`. Search has no summary, so that is null.
"""

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

from trader_pipeline.schema import Table, core
from trader_pipeline.schema.raw_yahoo import YAHOO_NEWS
from trader_pipeline.settings import Settings
from trader_pipeline.sources.asking import Found, Tally
from trader_pipeline.sources.http import NoDataError, SchemaChangeError
from trader_pipeline.sources.json_rows import read_rows
from trader_pipeline.sources.listings import with_hyphen
from trader_pipeline.sources.source import Feed, FetchRequest, FetchResult, RawTables
from trader_pipeline.sources.yahoo_answers import SEARCH

if TYPE_CHECKING:
    from trader_pipeline.sources.yahoo_client import YahooClient


def fetch(request: FetchRequest, settings: Settings) -> Iterator[FetchResult]:
    """Ask for every ticker's newest headlines; those of days before `request.since` are stored already and left out."""
    from trader_pipeline.sources.yahoo_client import fetch_each  # noqa: PLC0415 - brings pandas and yfinance; only a fetch needs them

    def ask(client: "YahooClient", ticker: str, tally: Tally) -> Found:
        answer = client.get(SEARCH, _params(ticker, settings.yahoo.news_count), tally=tally)
        return _found(ticker, answer.body, answer.sha256, request)

    return fetch_each(request, settings, ask)


def _params(ticker: str, news_count: int) -> dict[str, object]:
    """Return the query that yfinance's Search sends; a test holds the two together."""
    return {
        "q": with_hyphen(ticker),
        "quotesCount": 0,
        "enableFuzzyQuery": False,
        "newsCount": news_count,
        "quotesQueryId": "tss_match_phrase_query",
        "newsQueryId": "news_cie_vespa",
        "listsCount": 0,
        "enableCb": False,
        "enableNavLinks": False,
        "enableResearchReports": False,
        "enableCulturalAssets": False,
        "recommendedCount": 0,
    }


def _found(ticker: str, body: Any, sha256: str, request: FetchRequest) -> Found:
    news = body.get("news") if isinstance(body, dict) else None
    if not isinstance(news, list) or not all(isinstance(item, dict) for item in news):
        raise SchemaChangeError("the answer has no list of news")
    if not news:
        raise NoDataError(f"no headline of {ticker}")
    related = {str(item.get("uuid")): {**item, "relatedTickers": _joined(item)} for item in news if _is_about(ticker, item)}
    read = read_rows(
        YAHOO_NEWS,
        list(related.values()),
        fetched_at=request.fetched_at,
        sha256=sha256,
        ours={"ticker": ticker},
        needed=("title", "providerPublishTime"),
    )
    days = [_day(seconds) for seconds in read.rows["providerPublishTime"].to_pylist()]
    since = request.since.get(ticker)
    kept = [since is None or day >= since for day in days]
    rows = read.rows.filter(pa.array(kept, pa.bool_()))
    return Found(
        tables={YAHOO_NEWS: rows}, days=[day for day, keep in zip(days, kept, strict=True) if keep], detail="; ".join(read.unread) or None
    )


def _is_about(ticker: str, item: Mapping[str, Any]) -> bool:
    """Say whether Yahoo relates the article to the symbol; its search also brings others."""
    related = item.get("relatedTickers")
    return isinstance(related, list) and with_hyphen(ticker.upper()) in related


def _joined(item: Mapping[str, Any]) -> str:
    return ",".join(str(name) for name in item["relatedTickers"])


def _day(seconds: int) -> dt.date:
    try:
        return dt.datetime.fromtimestamp(seconds, dt.UTC).date()
    except (ValueError, OverflowError, OSError) as error:
        raise SchemaChangeError(f"a headline of {seconds}, which is no second since 1970") from error


def to_core(tables: RawTables) -> Mapping[Table, pa.Table]:
    """Return the headlines, known from their publication."""
    with duckdb.connect(config={"threads": 2}) as con:
        con.execute("set timezone = 'UTC'")
        con.register("yahoo_news", tables[YAHOO_NEWS.full_name])
        return {core.NEWS: con.sql(_NEWS).to_arrow_table()}


_NEWS = """
    select ticker, uuid as news_id, to_timestamp("providerPublishTime") as published_at,
           to_timestamp("providerPublishTime") as known_at, 'yahoo' as source, title, null::varchar as summary,
           publisher, link as url, fetched_at
    from yahoo_news"""

YAHOO_HEADLINES = Feed(source="yahoo", kind="news", raw_tables=(YAHOO_NEWS,), fetch=fetch, to_core=to_core)
