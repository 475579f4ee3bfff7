"""What every rule looks at: bars with their series, and the exchange sessions that they should cover."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from trader_pipeline.checks.overrides import Override
from trader_pipeline.checks.prepared import prepare
from trader_pipeline.checks.window import Window
from trader_pipeline.lake import Snapshot
from trader_pipeline.schema import Table, core
from trader_pipeline.schema.columns import DATE
from trader_pipeline.schema.quality import PEER_MOVES, QUARANTINE
from trader_pipeline.settings import CheckSettings

BESIDE = (
    core.CORPORATE_ACTIONS,
    core.SECTORS,
    core.UNIVERSE,
    core.FUNDAMENTALS,
    core.EARNINGS,
    core.MACRO,
    core.NEWS,
    core.OPTION_QUOTES,
)
"""Tables that rules look at beside the bars and the map of tickers, each a view of its own name: `fundamentals`."""

VENDOR_PRICES = pa.schema(
    [
        pa.field("ticker", pa.string()),
        pa.field("session", DATE),
        pa.field("source", pa.string()),
        *(pa.field(name, pa.float64()) for name in ("open", "high", "low", "close", "volume", "adj_close")),
        *(pa.field(name, pa.float64()) for name in ("dividend", "split_ratio", "capital_gain")),
    ]
)
"""A series as the vendor adjusted it: prices, dividends and gains on the basis of its last row's shares, `adj_close` for dividends too.

Of sources that send adjusted closes only. Null dividend and capital gain are none, null split_ratio is no split."""

QUARANTINED = pa.schema(
    [QUARANTINE.arrow_schema.field(name) for name in ("table_name", "ticker", "session", "item", "source", "rule", "reason")]
)
"""What rules keep out. `item` tells rows of one ticker and day apart: a metric, a series, a contract; of bars it is empty."""

_NO_MOVES = PEER_MOVES.empty()

_WITH_VALUES = "* exclude (known_at_basis)"
_WITHOUT_VALUES = "ticker, session, source, known_at, close, " + ", ".join(
    f"case when {name} is not null then true end as {name}" for name in ("open", "high", "low", "volume_shares")
)
_ACTIONS = """
create temp table corporate_actions as
with placed as (
  select a.*, coalesce(a.session between p.first and p.last, false) as inside, a.source = l.lead as led, coalesce(o.place, 1000) as place
  from told_actions a
  left join (select distinct ticker, lead from leads) l on l.ticker = a.ticker
  left join reaches p on p.ticker = a.ticker and p.source = l.lead
  left join leads o on o.ticker = a.ticker and o.source = a.source
  where a.value <> case a.kind when 'split' then 1.0 else 0.0 end
)
select * exclude (inside, led, place) from placed where led or not inside
qualify row_number() over (partition by ticker, session, kind order by place, source) = 1
"""
"""Of a ticker's first source while it has bars, of whichever source has some outside: two sources may date one split a session apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckContext:
    """Bars of one table at one instant, opened in an in-memory DuckDB.

    Views and tables of `connection`: `bars` (core.daily_bars rows, the versions known at `as_of`, with `position`, the number of
    the session in its exchange's calendar, null on a day without one; a row that repeats a ticker-session-source is there twice;
    ticker and source are enums, which group and sort three times as fast as text); `sessions` (exchange, session, position);
    `closed`, one row an exchange: judged_from, where its calendar begins, and last_closed, its last closed session at `as_of`;
    `series`, one row a ticker and source: exchange, valid_to, repeats (rows of a session that has one already), spacing (daily,
    weekly, monthly or intraday), first_session, last_session (null where nothing is closed), first_position, last_position and
    last_closed; `leads`, one row a ticker and source, also of one whose rows a window leaves out: its place in the order and the
    ticker's first source, which the others stand in for; `daily_series`, the daily ones, those that stand in joined with their lead,
    with newest_session (of the exchange), behind_sessions (closed at `as_of` and after the last one), behind_newest_sessions (up to
    newest_session) and until_position, up to where the ticker should have bars: the newest session, unless it was delisted or has been
    silent for `stale_error` sessions;
    `ticker_map`; one view for each of BESIDE, of the versions known at `as_of`; `vendor_prices`, as VENDOR_PRICES says;
    `every_close` (ticker, source, session, close), times the `close_factors` that repairs apply, also of what a window leaves out, and
    `earlier_moves`, rows of quality.peer_moves of the sessions that it leaves out.
    `quarantine` holds what the rules before this one quarantined, `overrides` what people decided, `memo` what a rule computed and
    others may use.
    """

    as_of: dt.datetime
    settings: CheckSettings
    published_through: dt.date | None
    connection: duckdb.DuckDBPyConnection
    quarantine: pa.Table
    overrides: tuple[Override, ...] = ()
    memo: dict[str, Any] = field(default_factory=dict)

    def register_quarantined(self) -> None:
        """Show what was quarantined of the bars so far as the view `quarantined`: ticker, session, source."""
        bars = self.quarantine.filter(pc.equal(self.quarantine["table_name"], core.DAILY_BARS.full_name))
        self.connection.register("quarantined", bars.select(["ticker", "session", "source"]))

    @property
    def is_empty(self) -> bool:
        """Say whether there are no bars at all."""
        return not self.rows("select exists (from bars) as some")[0]["some"]

    def table(self, query: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> pa.Table:
        """Run one SELECT; values are bound. Tickers and sources come as text."""
        found = self.connection.sql(query, params=parameters or None).to_arrow_table()
        for place, column in enumerate(found.schema):
            if pa.types.is_dictionary(column.type):
                found = found.set_column(place, column.name, found[column.name].cast(column.type.value_type))
        return found

    def rows(self, query: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> list[dict[str, Any]]:
        """Run one SELECT and return its rows as dicts."""
        rows: list[dict[str, Any]] = self.connection.sql(query, params=parameters or None).to_arrow_table().to_pylist()
        return rows


def open_context(
    bars: pa.Table,
    ticker_map: pa.Table,
    *,
    as_of: dt.datetime,
    settings: CheckSettings,
    published_through: dt.date | None = None,
    order: Sequence[str] = (),
    overrides: Sequence[Override] = (),
    beside: Mapping[Table, pa.Table] = MappingProxyType({}),
    vendor_prices: pa.Table | None = None,
) -> CheckContext:
    """Return the context of `bars` (core.daily_bars shape).

    `published_through` is the newest session that core.accepted_bars already holds, None before the first load. `order` ranks
    the sources; without one no source stands in for another, each is judged alone. `beside` holds rows of BESIDE; what is not
    in it is empty.
    """
    connection = duckdb.connect(":memory:", config={"threads": 2})
    connection.execute("set timezone = 'UTC'")
    connection.register("known_bars", bars)
    connection.register("ticker_map", ticker_map)
    for table in BESIDE:
        connection.register(table.name, beside.get(table, table.empty()))
    connection.register("vendor_prices", VENDOR_PRICES.empty_table() if vendor_prices is None else vendor_prices.cast(VENDOR_PRICES))
    connection.register("earlier_moves", _NO_MOVES)
    connection.execute("create temp view every_bar as from known_bars")
    _view_closes(connection, "select * from known_bars")
    return _prepared(connection, as_of=as_of, settings=settings, published_through=published_through, order=order, overrides=overrides)


def open_lake_context(
    snapshot: Snapshot,
    *,
    as_of: dt.datetime,
    settings: CheckSettings,
    published_through: dt.date | None,
    order: Sequence[str],
    overrides: Sequence[Override] = (),
    vendor_prices: pa.Table,
    window: Window | None = None,
    earlier_moves: pa.Table = _NO_MOVES,
    values: bool = True,
) -> CheckContext:
    """Return the context of what `snapshot` knew at `as_of`: its bars in memory, everything else read when a rule asks for it.

    With a `window` it holds the bars that are seen through it alone, and `earlier_moves` of the sessions before. Without `values` a
    bar keeps its close, and of its other numbers whether they are there: what rules that are `whole` look at.
    """
    connection = snapshot.cursor(core.DAILY_BARS, core.TICKER_MAP, *BESIDE)
    known = f"known_at <= timestamptz '{as_of.isoformat()}'"
    columns = _WITH_VALUES if values else _WITHOUT_VALUES
    near = ""
    if window:
        connection.register("whole_tickers", pa.table({"ticker": pa.array(sorted(window.whole), pa.string())}))
        near = f"and (session >= date '{window.seen_from}' or ticker in (select ticker from whole_tickers))"  # noqa: S608 - a day of ours
    bars = f"select {columns} from core.daily_bars where {known} {near}"  # noqa: S608 - as above; a view takes no values
    connection.execute(f"create temp view known_bars as {bars}")
    connection.register("earlier_moves", earlier_moves)
    connection.execute(f"create temp view every_bar as select ticker, source, session from core.daily_bars where {known}")  # noqa: S608 - as above
    _view_closes(connection, _newest(core.DAILY_BARS, known))
    connection.execute("create temp view ticker_map as select * from core.ticker_map")
    for table in BESIDE:
        name = "told_actions" if table is core.CORPORATE_ACTIONS else table.name
        connection.execute(f"create temp view {name} as {_newest(table, known)}")
    connection.register("vendor_prices", vendor_prices)
    context = _prepared(connection, as_of=as_of, settings=settings, published_through=published_through, order=order, overrides=overrides)
    connection.execute(_ACTIONS)
    return context


def _view_closes(connection: duckdb.DuckDBPyConnection, bars: str) -> None:
    connection.execute("create temp table close_factors (ticker varchar, session date, source varchar, factor double)")
    connection.execute(
        f"create temp view every_close as select b.ticker, b.source, b.session, b.close * coalesce(f.factor, 1) as close from ({bars}) b "  # noqa: S608 - SELECTs of ours
        "left join (select ticker, session, source, product(factor) as factor from close_factors group by all) f "
        "using (ticker, session, source)"
    )


def _newest(table: Table, known: str) -> str:
    """Return the SELECT of a table's newest versions; one without that clock is taken as it stands."""
    if "known_at" not in {column.name for column in table.columns}:
        return f"select * from {table.full_name}"  # noqa: S608 - identifiers of the schema
    identity = ", ".join(f'"{name}"' for name in table.key if name != "known_at")
    newest = f"qualify row_number() over (partition by {identity} order by known_at desc) = 1" if "known_at" in table.key else ""
    return f"select * from {table.full_name} where {known} {newest}"  # noqa: S608 - as above


def _prepared(
    connection: duckdb.DuckDBPyConnection,
    *,
    as_of: dt.datetime,
    settings: CheckSettings,
    published_through: dt.date | None,
    order: Sequence[str],
    overrides: Sequence[Override],
) -> CheckContext:
    prepare(connection, as_of=as_of, order=order, presumed_delisted=settings.stale_error)
    return CheckContext(
        as_of=as_of,
        settings=settings,
        published_through=published_through,
        connection=connection,
        quarantine=QUARANTINED.empty_table(),
        overrides=tuple(overrides),
    )
