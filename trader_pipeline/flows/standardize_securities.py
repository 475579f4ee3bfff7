"""Tables that sum up: listings, the map of tickers with what became of them, and membership."""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import duckdb
import pyarrow as pa

from trader_pipeline.flows.standardize_core import Found, relabelled
from trader_pipeline.lake import Snapshot
from trader_pipeline.schema import core
from trader_pipeline.sources.source import Feed
from trader_pipeline.standardize import delisting
from trader_pipeline.standardize.symbols import Symbols
from trader_pipeline.standardize.ticker_map import ticker_map
from trader_pipeline.standardize.universe import stock_members

_SUMMED = """
select source, symbol, min(first_session) as first_session, max(last_session) as last_session,
    arg_max(exchange, place) as exchange, arg_max(name, place) as name, arg_max(issuer_id, place) as issuer_id, arg_max(role, place) as role
from (select *, 1 as place from came union all by name select *, 0 as place from stored) group by source, symbol
"""
_SPANS = "select ticker, min(session) as first, max(session) as last from {} group by ticker"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """What is known of the listed: core.listings rows, first and last session with a bar by ticker, and what feeds hand over complete."""

    listings: pa.Table = field(default_factory=core.LISTINGS.empty)
    spans: dict[str, tuple[dt.date, dt.date]] = field(default_factory=dict)
    tickers: pa.Table | None = None

    @classmethod
    def stored(cls, snapshot: Snapshot) -> "Listed":
        """Return what the lake holds."""
        return cls(listings=snapshot.read(core.LISTINGS), spans=_spans(snapshot.sql(_SPANS.format("core.daily_bars"))))

    def with_rows(self, found: Found) -> "Listed":
        """Return it with new rows of core tables; they are newer."""
        with duckdb.connect(config={"threads": 2}) as con:
            con.register("bars", found.get(core.DAILY_BARS, core.DAILY_BARS.empty()))
            con.register("came", found.get(core.LISTINGS, core.LISTINGS.empty()))
            con.register("stored", self.listings)
            listings, new = con.sql(_SUMMED).to_arrow_table(), _spans(con.sql(_SPANS.format("bars")).to_arrow_table())
        spans = self.spans | {
            ticker: (min(first, self.spans.get(ticker, (first, last))[0]), max(last, self.spans.get(ticker, (first, last))[1]))
            for ticker, (first, last) in new.items()
        }
        told = [table for table in (self.tickers, found.get(core.TICKER_MAP)) if table is not None]
        return Listed(listings=core.LISTINGS.conform(listings), spans=spans, tickers=pa.concat_tables(told) if told else None)


def securities(snapshot: Snapshot, feeds: Sequence[Feed], symbols: Symbols, listed: Listed) -> Found:
    """Return core.listings, core.ticker_map and core.universe as a whole."""
    order = [feed.source for feed in feeds if feed.kind == "bars"]
    told = listed.tickers
    if told is None:
        ended = delisting.ended(_answers(snapshot, symbols), configured=len(order))
        told = ticker_map(listed.spans, listed.listings.to_pylist(), symbols, ended=ended, order=order)
    members = [
        core.UNIVERSE.conform(stock_members(told, order[0])),
        *(_members(snapshot, f, symbols) for f in feeds if f.kind == "members"),
    ]
    return {core.LISTINGS: listed.listings, core.TICKER_MAP: told, core.UNIVERSE: pa.concat_tables(members)}


def _members(snapshot: Snapshot, feed: Feed, symbols: Symbols) -> pa.Table:
    """Return a vendor's membership by security: a symbol means what it meant on the first day of the stay."""
    rows = feed.to_core({table.full_name: snapshot.read(table) for table in feed.raw_tables})[core.UNIVERSE]
    return core.UNIVERSE.conform(relabelled(rows, "valid_from", symbols))


def _answers(snapshot: Snapshot, symbols: Symbols) -> Iterator[delisting.Answer]:
    """Yield what was said of symbols that a source of bars ever called unknown, or that changed; all would be a row a ticker and day."""
    rows = snapshot.sql(
        """select distinct ticker, source, ("at" at time zone 'America/New_York')::date as day, outcome from raw.fetch_attempts
           where coalesce(kind, 'bars') = 'bars' and outcome in ('ok', 'unknown_symbol') and (
               ticker in (select ticker from raw.fetch_attempts where outcome = 'unknown_symbol')
               or ticker in (select unnest($renamed::varchar[])))""",
        {"renamed": sorted(symbols.known)},
    )
    for row in rows.to_pylist():
        yield delisting.Answer(symbols.security(row["ticker"], row["day"]), row["source"], row["day"], row["outcome"])


def _spans(rows: pa.Table) -> dict[str, tuple[dt.date, dt.date]]:
    return {row["ticker"]: (row["first"], row["last"]) for row in rows.to_pylist()}
