"""Feeds for tests: the one that fills a dataset, and all that a feed yields as one result."""

import pyarrow as pa

from trader_pipeline.settings import Settings
from trader_pipeline.sources import bars_feed
from trader_pipeline.sources.source import FetchResult


def feed_of(dataset):
    return bars_feed(Settings(dataset=dataset, _env_file=None))


def fetched(feed, request, settings):
    """Return everything that the feed yields, tables of the same name joined."""
    results = list(feed.fetch(request, settings))
    tables = list(dict.fromkeys(table for result in results for table in result.tables))
    return FetchResult(
        tables={table: pa.concat_tables([r.tables[table] for r in results if table in r.tables]) for table in tables},
        attempts=tuple(attempt for result in results for attempt in result.attempts),
    )
