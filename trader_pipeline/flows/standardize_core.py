"""Raw rows of a feed as new rows of core tables: one meaning, one name a security, both clocks."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from trader_pipeline.lake import Snapshot
from trader_pipeline.schema import Table, core
from trader_pipeline.schema.columns import INSTANT
from trader_pipeline.sources.listings import listing_of
from trader_pipeline.sources.source import Feed
from trader_pipeline.standardize.first_known import followed_since, with_first_known
from trader_pipeline.standardize.point_in_time import FINAL_ONLY, SPAN_OF, loaded_spans, with_clocks
from trader_pipeline.standardize.retractions import taken_back
from trader_pipeline.standardize.symbols import Symbols
from trader_pipeline.standardize.versions import identity_of

CLOCKED = (
    core.DAILY_BARS,
    core.CORPORATE_ACTIONS,
    core.MACRO,
    core.FUNDAMENTALS,
    core.EARNINGS,
    core.NEWS,
    core.FACTOR_RETURNS,
)
"""Tables whose clocks are filled here, in this order; a feed may hand over any of them complete: without `fetched_at`."""

_ASKED_IN = ZoneInfo("America/New_York")
_LONG_AGO = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
Found = dict[Table, pa.Table]


@dataclass(frozen=True, slots=True)
class Known:
    """What the lake says already: `snapshot` None says nothing, as when everything is made anew."""

    snapshot: Snapshot | None
    symbols: Symbols
    first_news: pa.Table
    """When each ticker's news was first asked for: ticker, source, fetched_at."""

    def versions(self, table: Table, rows: pa.Table, by: Sequence[str] = ()) -> pa.Table:
        """Return the stored versions of the facts among `rows`."""
        columns = list(by or identity_of(table))
        if self.snapshot is None or not rows.num_rows:
            return table.empty()
        return self.snapshot.matching(table, rows.select(columns).group_by(columns).aggregate([]))

    def spans(self, table: Table) -> pa.Table | None:
        """Return what was loaded before, as `loaded_spans` gives it; None where the table has no spans."""
        if self.snapshot is None or table not in SPAN_OF:
            return None
        whose, day = SPAN_OF[table]
        return self.snapshot.sql(
            f"select {', '.join(whose)}, ?::timestamptz as fetched_at, min({day}) as low, max({day}) as high "  # noqa: S608 - identifiers come from the schema
            f"from {table.full_name} group by all",
            [_LONG_AGO],
        )


@dataclass(frozen=True, slots=True)
class Came:
    """What a feed says in core tables: `complete` ones, and the `clocked` ones whose clocks are still to be set."""

    feed: Feed
    complete: Found
    clocked: Found


def core_rows(raw: Mapping[Feed, Mapping[str, pa.Table]], known: Known) -> Found:
    """Return the rows that `raw`, rows of the feeds' raw tables by full name, add to each core table."""
    came = [_came(feed, rows, known) for feed, rows in raw.items()]
    bars = [loaded_spans(core.DAILY_BARS, one.clocked[core.DAILY_BARS]) for one in came if core.DAILY_BARS in one.clocked]
    found: dict[Table, list[pa.Table]] = {}
    for one in came:
        for table, rows in one.complete.items():
            found.setdefault(table, []).append(table.conform(rows, source=one.feed.source))
        for table, rows in one.clocked.items():
            found.setdefault(table, []).append(table.conform(_versions(table, rows, one, bars, known), source=one.feed.source))
    return {table: pa.concat_tables(tables) for table, tables in found.items()}


def _came(feed: Feed, raw: Mapping[str, pa.Table], known: Known) -> Came:
    found = dict(feed.to_core(raw))
    exchange_of = _exchanges(found)
    clocked = {t: _dated(t, found.pop(t), exchange_of, known) for t in CLOCKED if t in found and "fetched_at" in found[t].column_names}
    if core.OPTION_QUOTES in found:
        quotes = relabelled(found[core.OPTION_QUOTES], "known_at", known.symbols)
        found[core.OPTION_QUOTES] = _first_of_key(core.OPTION_QUOTES, quotes, known)
    return Came(feed, found, clocked)


def _versions(table: Table, rows: pa.Table, came: Came, bars: Sequence[pa.Table], known: Known) -> pa.Table:
    """Return the new versions among `rows`; `bars` are the spans of bars that the feeds together loaded."""
    if table is core.CORPORATE_ACTIONS and came.feed.actions_in_bars:
        said = came.clocked[core.DAILY_BARS]
        rows = taken_back(rows, said, known.versions(table, said, by=("ticker", "session", "source")))
    loaded = None
    if table in SPAN_OF:
        of_bars = table in FINAL_ONLY
        pieces = list(bars) if of_bars else [loaded_spans(table, rows)]
        before = known.spans(core.DAILY_BARS if of_bars else table)
        loaded = pa.concat_tables([*pieces, *([before.cast(pieces[0].schema)] if before is not None else [])])
    return with_clocks(table, rows, loaded=loaded, stored=known.versions(table, rows))


def _dated(table: Table, rows: pa.Table, exchange_of: Mapping[str, str], known: Known) -> pa.Table:
    """Return the rows complete in their columns, with the clock of a first version, under the name of the security."""
    rows = with_first_known(table, _complete(table, rows), exchange_of)
    if "ticker" in rows.column_names:
        rows = relabelled(rows, "fetched_at", known.symbols)
    return followed_since(rows, known.first_news) if table is core.NEWS else rows


def _complete(table: Table, rows: pa.Table) -> pa.Table:
    """Return the table's columns but `known_at_basis`, absent nullable ones as null, and `fetched_at`."""
    columns = {}
    for column in table.columns:
        if column.name in rows.column_names:
            columns[column.name] = rows[column.name].cast(column.dtype)
        elif column.nullable:
            columns[column.name] = pa.nulls(rows.num_rows, column.dtype)
    return pa.table(columns | {"fetched_at": rows["fetched_at"].cast(INSTANT)})


def relabelled(rows: pa.Table, day: str, symbols: Symbols) -> pa.Table:
    """Return the rows with the security that `ticker` meant on `day`, a date or an instant; vendors ask and answer by New York's date.

    Of what ended, the sessions before its end are its own whenever they were asked for (`Symbols.sessions_before`).
    """
    known = symbols.known
    asked = rows.filter(pc.is_in(rows["ticker"], value_set=pa.array(sorted(known), pa.string()))) if known else rows.slice(0, 0)
    if not asked.num_rows:
        return rows
    pairs = asked.select(["ticker", day]).group_by(["ticker", day]).aggregate([])
    asked_on = [(row["ticker"], _date(row[day])) for row in pairs.to_pylist()]
    earlier = [symbols.sessions_before(*one) or (None, None) for one in asked_on]
    names = pa.table(
        {
            "ticker": pairs["ticker"],
            "on_day": pairs[day],
            "security": pa.array([symbols.security(*one) for one in asked_on], pa.string()),
            "before": pa.array([ticker for ticker, _ in earlier], pa.string()),
            "until": pa.array([end for _, end in earlier], pa.date32()),
        }
    )
    sessions = "case when r.session < n.until then n.before end" if "session" in rows.column_names else "null"
    with duckdb.connect(config={"threads": 2}) as con:
        con.execute("set timezone = 'UTC'")
        con.register("rows", rows)
        con.register("names", names)
        return con.sql(
            f"select r.* replace (coalesce({sessions}, n.security, r.ticker) as ticker) from rows r "  # noqa: S608 - a column of the schema
            f"left join names n on r.ticker = n.ticker and r.{day} = n.on_day"
        ).to_arrow_table()


def first_news(snapshot: Snapshot, feeds: Sequence[Feed], symbols: Symbols) -> pa.Table:
    """Return when the news of each security was first asked for, by source."""
    pieces = [
        snapshot.sql(
            "select ticker, ? as source, min(fetched_at) as fetched_at "  # noqa: S608 - identifiers come from the schema
            f"from {feed.raw_tables[0].full_name} group by ticker, fetched_at::date",
            [feed.source],
        )
        for feed in feeds
        if feed.kind == "news"
    ]
    none = pa.schema([("ticker", pa.string()), ("source", pa.string()), ("fetched_at", INSTANT)]).empty_table()
    rows = relabelled(pa.concat_tables([none, *(piece.cast(none.schema) for piece in pieces)]), "fetched_at", symbols)
    return rows.group_by(["ticker", "source"]).aggregate([("fetched_at", "min")]).rename_columns(["ticker", "source", "fetched_at"])


def _date(value: dt.date | dt.datetime) -> dt.date:
    return value.astimezone(_ASKED_IN).date() if isinstance(value, dt.datetime) else value


def _exchanges(found: Mapping[Table, pa.Table]) -> dict[str, str]:
    """Return the calendar of each symbol: as the source lists it, else as the symbol's suffix says."""
    names = {
        name
        for table in CLOCKED
        if table in found and "ticker" in found[table].column_names
        for name in pc.unique(found[table]["ticker"]).to_pylist()
    }
    told = {name: listing_of(name).exchange for name in names}
    for table, symbol in ((core.LISTINGS, "symbol"), (core.TICKER_MAP, "ticker")):
        if table in found:
            told |= dict(zip(found[table][symbol].to_pylist(), found[table]["exchange"].to_pylist(), strict=True))
    return told


def _first_of_key(table: Table, rows: pa.Table, known: Known) -> pa.Table:
    """Return the first row of each key that the lake does not hold yet."""
    key = ", ".join(table.key)
    with duckdb.connect(config={"threads": 2}) as con:
        con.execute("set timezone = 'UTC'")
        con.register("rows", table.conform(rows))
        con.register("stored", known.versions(table, rows, by=table.key))
        return con.sql(
            f"select * from rows anti join stored using ({key}) qualify row_number() over (partition by {key} order by known_at) = 1"  # noqa: S608 - identifiers come from the schema
        ).to_arrow_table()
