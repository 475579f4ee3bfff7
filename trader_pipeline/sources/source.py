"""What a feed must tell us: which raw tables it fills, how it fetches, and what its rows mean."""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

import pyarrow as pa

from trader_pipeline.schema import Table
from trader_pipeline.settings import Settings

Kind = Literal["bars", "news", "options", "fundamentals", "earnings", "macro", "factors", "members", "symbols"]
KINDS: tuple[Kind, ...] = get_args(Kind)

Outcome = Literal["ok", "no_data", "unknown_symbol", "throttled", "transient_exhausted", "schema_change"]
RawTables = Mapping[str, pa.Table]
"""Raw rows by full table name, for example {"raw.sample_bars": ...}."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchRequest:
    """What to ask for. `tickers=None` is everything the feed has; of a macro feed they are series.

    `since` is the first day to ask for, by ticker; of a ticker that is not in it, `first_session`. The last day is always
    now: an answer that ended earlier could miss a split that its prices are adjusted for.
    `seen` holds the request hashes that are stored already: a local feed skips bytes that it read before.
    """

    as_of: dt.datetime
    fetched_at: dt.datetime
    tickers: tuple[str, ...] | None = None
    first_session: dt.date | None = None
    since: Mapping[str, dt.date] = field(default_factory=dict)
    seen: frozenset[str] = frozenset()

    @property
    def asked_at(self) -> dt.datetime:
        """The moment that answers speak of: what was known later is not to be stored."""
        return min(self.as_of, self.fetched_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What became of one ticker (or series). `retries` are requests beyond the first of their kind, `throttled` answers 429."""

    ticker: str
    outcome: Outcome
    at: dt.datetime
    detail: str | None = None
    rows: int = 0
    requests: int = 0
    retries: int = 0
    throttled: int = 0
    first_session: dt.date | None = None
    last_session: dt.date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchResult:
    """New raw rows (to append) and what became of the tickers that they are of."""

    tables: Mapping[Table, pa.Table]
    attempts: tuple[Attempt, ...]


def _ready(_: Settings) -> str | None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """One kind of thing from one source. `local` feeds read files or compute; they send no requests and are always asked.

    `fetch` yields results as they come, a vendor's feed one a ticker, so that what came is published while the rest is
    under way; it keeps no rows. One ticker's failure is its outcome and stops no other.

    `to_core` turns raw rows into core rows, row by row: of two sets of rows together it says what it says of each, so
    that new rows can be standardized alone. Only `core.listings` of it sums up. Bars, corporate actions, fundamentals,
    earnings, news, macro and factor returns of a vendor come back with one extra column `fetched_at` and without
    `known_at_basis`; with `known_at` where the fact itself tells it (a filing, a release, a publication), else without:
    `standardize` tells first loads from corrections and fills both clocks. A local feed may hand over complete tables.

    The first of `raw_tables` of bars holds the bars; its `year_of` is their date. `request_hashes` names what a local feed
    would read now, so that it is due only when something of it is not stored yet.
    """

    source: str
    kind: Kind
    raw_tables: tuple[Table, ...]
    fetch: Callable[[FetchRequest, Settings], Iterator[FetchResult]]
    to_core: Callable[[RawTables], Mapping[Table, pa.Table]]
    local: bool = False
    subjects: Callable[[Settings], tuple[str, ...]] | None = None
    """What is asked for whatever the run's tickers are: series, or the one file. None: the run's tickers."""
    actions_in_bars: bool = False
    """A bar row carries its session's split and dividend, so that one that comes again without takes them back."""
    answers_in: Callable[[Settings], Callable[[str], Table]] | None = None
    """The raw table in which answers about a subject show under these settings: one with no row there is asked for all there is,
    whatever was answered under others. None: an answer is an answer."""
    every_sessions: int = 1
    """Asked again when so many sessions closed since the last answer."""
    unready: Callable[[Settings], str | None] = _ready
    """Why it cannot be asked: "fmp wants a key; set TRADER_FMP__API_KEY". None: it can."""
    request_hashes: Callable[[Settings], frozenset[str]] | None = None

    @property
    def name(self) -> str:
        """`fmp_news`: what its Dagster asset is called, after raw_."""
        return f"{self.source}_{self.kind}"
