"""What a source must tell us: which raw tables it fills, how it fetches, and what its rows mean."""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import pyarrow as pa

from trader_pipeline.schema import Table
from trader_pipeline.settings import Settings

Outcome = Literal["ok", "no_data", "unknown_symbol", "throttled", "transient_exhausted", "schema_change"]
RawTables = Mapping[str, pa.Table]
"""Raw rows by full table name, for example {"raw.sample_bars": ...}."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchRequest:
    """What to ask for. `tickers=None` is everything the source has; `watermarks` is the last stored session a ticker.

    `seen` holds the request hashes that are stored already: a local source skips bytes that it read before.
    """

    as_of: dt.datetime
    fetched_at: dt.datetime
    tickers: tuple[str, ...] | None = None
    first_session: dt.date | None = None
    watermarks: Mapping[str, dt.date] = field(default_factory=dict)
    seen: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What became of one ticker."""

    ticker: str
    outcome: Outcome
    at: dt.datetime
    detail: str | None = None
    rows: int = 0
    requests: int = 0
    retries: int = 0
    first_session: dt.date | None = None
    last_session: dt.date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchResult:
    """New raw rows (to append) and what became of each ticker."""

    tables: Mapping[Table, pa.Table]
    attempts: tuple[Attempt, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One vendor. `local` sources read files or compute; they send no requests and are always asked.

    The first of `raw_tables` holds the bars; its `year_of` is their date. `request_hashes` names what a local source
    would read now, so that it is due only when something of it is not stored yet.

    `to_core` turns all of the source's raw rows into core rows. Bars and corporate actions come back with one extra
    column `fetched_at` and without `known_at`, `known_at_basis`: `standardize.point_in_time` tells first loads from
    corrections and fills both clocks. Every other core table comes back complete.
    """

    name: str
    raw_tables: tuple[Table, ...]
    local: bool
    fetch: Callable[[FetchRequest, Settings], FetchResult]
    to_core: Callable[[RawTables], Mapping[Table, pa.Table]]
    request_hashes: Callable[[Settings], frozenset[str]] | None = None
