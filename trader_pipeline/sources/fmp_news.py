"""FMP's headlines by ticker. `publishedDate` is New York's wall clock; of an hour that comes twice the later is meant."""

import datetime as dt
from collections.abc import Iterator, Mapping

import duckdb
import pyarrow as pa

from trader_pipeline.schema import Table, core
from trader_pipeline.schema.raw_fmp import FMP_NEWS
from trader_pipeline.settings import Settings
from trader_pipeline.sources import fmp
from trader_pipeline.sources.asking import Found
from trader_pipeline.sources.http import NoDataError
from trader_pipeline.sources.json_rows import Row, date_of
from trader_pipeline.sources.source import Feed, FetchRequest, FetchResult, RawTables

NEWS = "/news/stock"
ROWS_A_PAGE = 250
MOST_PAGES = 100


def fetch(request: FetchRequest, settings: Settings) -> Iterator[FetchResult]:
    """Ask for every ticker's headlines from its first day up to now, page by page, newest first."""
    return fmp.fetch(request, settings, _ask, request.tickers)


def _ask(asking: fmp.FmpTicker) -> Found:
    first = asking.first_day
    span = {} if first is None else {"from": first.isoformat()}
    seen: set[str] = set()
    pages = []
    for page in range(MOST_PAGES):
        rows = asking.get(NEWS, symbols=asking.symbol, page=page, limit=ROWS_A_PAGE, **span)
        pages.append(asking.table(FMP_NEWS, rows.of(_new(rows, seen)), needed=("publishedDate", "title")))
        if len(rows) < ROWS_A_PAGE or _before(rows[-1], first):
            break
    else:
        asking.unread.append(f"over {MOST_PAGES * ROWS_A_PAGE} headlines: the oldest are missing")
    news = pa.concat_tables(pages)
    if not news.num_rows:
        raise NoDataError(f"{NEWS}: no headlines of {asking.ticker} since {first}")
    days = pa.chunked_array([[date_of(text) for text in news["publishedDate"].to_pylist()]], pa.date32())
    return asking.found({FMP_NEWS: news}, days.drop_null())


def _new(rows: list[Row], seen: set[str]) -> list[Row]:
    """Return the rows whose URL was not seen yet: what appears while we page moves a row to the next page."""
    fresh = {str(row.get("url")): row for row in reversed(rows) if str(row.get("url")) not in seen}
    seen.update(fresh)
    return list(reversed(fresh.values()))


def _before(row: Row, first: dt.date | None) -> bool:
    published = date_of(row.get("publishedDate"))
    return first is not None and published is not None and published < first


def to_core(tables: RawTables) -> Mapping[Table, pa.Table]:
    """Return headlines, known when published; one whose moment cannot be read is left out."""
    with duckdb.connect(config={"threads": 2}) as con:
        con.execute("set timezone = 'UTC'")
        con.register(FMP_NEWS.name, tables[FMP_NEWS.full_name])
        return {core.NEWS: con.sql(_QUERY).to_arrow_table()}


_QUERY = """
    select ticker, sha256(url) as news_id, published_at, published_at as known_at, 'fmp' as source, title, "text" as summary, publisher,
           url, fetched_at
    from (select *, try_cast("publishedDate" as timestamp) at time zone 'America/New_York' as published_at from fmp_news)
    where published_at is not null"""

FMP_NEWS_FEED = Feed(source=fmp.SOURCE, kind="news", raw_tables=(FMP_NEWS,), fetch=fetch, to_core=to_core, unready=fmp.unready)
