"""Feeds, a file each. To add one: write its file, then name it here."""

import datetime as dt

from trader_pipeline.errors import UsageError
from trader_pipeline.settings import Settings
from trader_pipeline.sources import sample, simulated
from trader_pipeline.sources.cboe import CBOE
from trader_pipeline.sources.fmp_bars import FMP_BARS_FEED
from trader_pipeline.sources.fmp_earnings import FMP_EARNINGS_FEED
from trader_pipeline.sources.fmp_news import FMP_NEWS_FEED
from trader_pipeline.sources.fmp_statements import FMP_STATEMENTS_FEED
from trader_pipeline.sources.fmp_symbols import FMP_SYMBOLS_FEED
from trader_pipeline.sources.fred import FRED
from trader_pipeline.sources.french import FRENCH
from trader_pipeline.sources.own_files import OWN
from trader_pipeline.sources.sample import SAMPLE
from trader_pipeline.sources.sec import SEC
from trader_pipeline.sources.simulated import SIMULATED
from trader_pipeline.sources.source import KINDS, Feed, Kind
from trader_pipeline.sources.sp500 import SP500
from trader_pipeline.sources.tiingo import TIINGO
from trader_pipeline.sources.tiingo_news import TIINGO_HEADLINES
from trader_pipeline.sources.yahoo import YAHOO
from trader_pipeline.sources.yahoo_news import YAHOO_HEADLINES
from trader_pipeline.sources.yahoo_options import YAHOO_CHAINS

FEEDS: tuple[Feed, ...] = (
    SAMPLE,
    OWN,
    SIMULATED,
    YAHOO,
    YAHOO_HEADLINES,
    YAHOO_CHAINS,
    FRED,
    SEC,
    FMP_BARS_FEED,
    FMP_NEWS_FEED,
    FMP_STATEMENTS_FEED,
    FMP_EARNINGS_FEED,
    FMP_SYMBOLS_FEED,
    TIINGO,
    TIINGO_HEADLINES,
    CBOE,
    FRENCH,
    SP500,
)

_OF_DATASET = {"deep": SAMPLE, "broad": SAMPLE, "us20": SAMPLE, "own": OWN, "simulated": SIMULATED}


def feeds_of(settings: Settings) -> tuple[Feed, ...]:
    """Return the feeds that fill the dataset, kind by kind, first choice first; those of `live` are `settings.sources`.

    Raises `UsageError` for a source that has no such feed, or live data without any source of bars.
    """
    if settings.dataset in _OF_DATASET:
        return (_OF_DATASET[settings.dataset],)
    if not settings.sources.bars:
        raise UsageError('no source of bars is set; set TRADER_SOURCES__BARS, for example ["yahoo"]')
    return tuple(_feed(source, kind) for kind in KINDS for source in getattr(settings.sources, kind))


def bars_feed(settings: Settings) -> Feed:
    """Return the first choice for the dataset's bars."""
    return feeds_of(settings)[0]


def bars_order(settings: Settings) -> tuple[str, ...]:
    """Return the sources of the dataset's bars, first choice first: a later one stands in for an earlier one."""
    return tuple(feed.source for feed in feeds_of(settings) if feed.kind == "bars")


def _feed(source: str, kind: Kind) -> Feed:
    found = next((feed for feed in FEEDS if (feed.source, feed.kind) == (source, kind)), None)
    if found is None:
        known = sorted(feed.source for feed in FEEDS if feed.kind == kind and not feed.local)
        raise UsageError(f"{source!r} has no {kind}; set TRADER_SOURCES__{kind.upper()} to a list of {known}")
    return found


def last_session_of(dataset: str) -> dt.date | None:
    """Return the last session of a dataset that does not grow, None of one that does."""
    return simulated.LAST_SESSION if dataset == "simulated" else sample.LAST_SESSIONS.get(dataset)


__all__ = ["FEEDS", "Feed", "bars_feed", "bars_order", "feeds_of", "last_session_of"]
