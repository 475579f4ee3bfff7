"""FMP's daily bars as traded, with the splits and dividends of the same days.

`historical-price-eod/full` is split-adjusted, as is `dividend-adjusted`; `non-split-adjusted` is as traded in prices and
in volume, whatever its fields are called (AAPL 2020-08-28: adjClose 499.24, volume 46,907,500, four times and a quarter
of what `full` says). `dividend` is cash a share as traded, `adjDividend` is divided by later splits. A spin-off comes as a
split of odd numbers: it is kept as one, which is what its price did. FMP names no currency: the symbol's listing does, and
where that leaves the unit open (pence or pounds, and dollars for some in London) no bars are taken.
"""

import datetime as dt
from collections.abc import Iterator, Mapping

import duckdb
import pyarrow as pa

from trader_pipeline import calendar
from trader_pipeline.errors import UsageError
from trader_pipeline.schema import Table, core
from trader_pipeline.schema.raw_fmp import FMP_BARS, FMP_DIVIDENDS, FMP_SPLITS
from trader_pipeline.settings import Settings
from trader_pipeline.sources import fmp
from trader_pipeline.sources.asking import Found
from trader_pipeline.sources.fmp_splits import SPLITS
from trader_pipeline.sources.http import NoDataError, UnknownSymbolError
from trader_pipeline.sources.json_rows import numbered
from trader_pipeline.sources.listings import UNITED_STATES, listing_of
from trader_pipeline.sources.source import Feed, FetchRequest, FetchResult, RawTables

BARS, DIVIDENDS = "/historical-price-eod/non-split-adjusted", "/dividends"
_YEARS_A_REQUEST = 15
"""FMP cuts an answer at 5,000 rows, the newest; fifteen years hold 3,800 sessions."""


def fetch(request: FetchRequest, settings: Settings) -> Iterator[FetchResult]:
    """Ask for every ticker's bars from its first day up to now, then its splits and dividends. Bars not yet final are left out."""
    return fmp.fetch(request, settings, _ask, request.tickers)


def _ask(asking: fmp.FmpTicker) -> Found:
    first = asking.first_day
    if first is None:
        raise UsageError(f"{asking.ticker} is not stored yet and the request names no first session; set live_first_session")
    _refuse_unknown_unit(asking)
    role = "benchmark" if asking.ticker == asking.settings.benchmark else "stock"
    parts = []
    for params in _windows(first, asking.asked_at.date()):
        rows = asking.get(BARS, symbol=asking.symbol, **params)
        parts.append(asking.table(FMP_BARS, rows, needed=("adjOpen", "adjHigh", "adjLow", "adjClose", "volume"), role=role))
    bars = pa.concat_tables(parts)
    if not bars.num_rows:
        raise UnknownSymbolError(f"{BARS}: no rows of {asking.ticker}")
    bars = _final(bars, asking)
    if not bars.num_rows:
        raise NoDataError("no session that was final when it was asked")
    splits = _actions(asking, SPLITS, FMP_SPLITS, first)
    dividends = _actions(asking, DIVIDENDS, FMP_DIVIDENDS, first)
    return asking.found({FMP_BARS: bars, FMP_SPLITS: splits, FMP_DIVIDENDS: dividends}, bars["date"])


def _refuse_unknown_unit(asking: fmp.FmpTicker) -> None:
    listing = listing_of(asking.ticker)
    if listing.price_unit != listing.currency:
        raise NoDataError(f"{asking.ticker}: FMP's bars do not say whether they are in {listing.price_unit} or another unit; use yahoo")
    if listing is UNITED_STATES and "." in asking.symbol:
        raise NoDataError(f"{asking.ticker}: its suffix is no listing that we know, so its currency is not; add it to sources/listings.py")


def _windows(first: dt.date, today: dt.date) -> Iterator[dict[str, str]]:
    """Yield from-to of one request each, oldest first; the last is open, so that it ends now."""
    while first.year + _YEARS_A_REQUEST <= today.year:
        after = dt.date(first.year + _YEARS_A_REQUEST, 1, 1)
        yield {"from": first.isoformat(), "to": (after - dt.timedelta(days=1)).isoformat()}
        first = after
    yield {"from": first.isoformat()}


def _actions(asking: fmp.FmpTicker, path: str, table: Table, first: dt.date) -> pa.Table:
    """Return the actions from `first` to now: FMP ignores a span and sends all there ever were, and those declared ahead."""
    rows = asking.get(path, symbol=asking.symbol)
    wanted = [row for row in rows if str(row.get("date") or "9") >= first.isoformat()]
    needed = ("numerator", "denominator") if table is FMP_SPLITS else ("dividend",)
    return _final(asking.table(table, rows.of(numbered(wanted, "date")), needed=needed), asking)


def _final(rows: pa.Table, asking: fmp.FmpTicker) -> pa.Table:
    days = rows["date"].to_numpy().astype("datetime64[D]")
    return rows.filter(pa.array(calendar.final_by(listing_of(asking.ticker).exchange, days, asking.asked_at)))


def to_core(tables: RawTables) -> Mapping[Table, pa.Table]:
    """Return bars and actions as traded, and listings. Splits of one session multiply, its dividends add."""
    tickers = tables[FMP_BARS.full_name]["ticker"].unique().to_pylist()
    listings = [listing_of(ticker) for ticker in tickers]
    facts = {
        "ticker": pa.array(tickers, pa.string()),
        "mic": pa.array([found.exchange for found in listings], pa.string()),
        "currency": pa.array([found.currency for found in listings], pa.string()),
        "price_unit": pa.array([found.price_unit for found in listings], pa.string()),
    }
    with duckdb.connect(config={"threads": 2}) as con:
        con.execute("set timezone = 'UTC'")
        con.register("listings", pa.table(facts))
        for table in (FMP_BARS, FMP_SPLITS, FMP_DIVIDENDS):
            con.register(table.name, tables.get(table.full_name, table.empty()))
        return {table: con.sql(query).to_arrow_table() for table, query in _QUERIES.items()}


_QUERIES = {
    core.DAILY_BARS: """
        select ticker, date as session, 'fmp' as source, fetched_at, "adjOpen" as open, "adjHigh" as high, "adjLow" as low,
               "adjClose" as close, volume as volume_shares, currency, price_unit
        from fmp_bars join listings using (ticker)""",
    core.CORPORATE_ACTIONS: """
        select ticker, date as session, 'split' as kind, 'fmp' as source, product(numerator / denominator) as value, fetched_at
        from fmp_splits where numerator > 0 and denominator > 0 group by ticker, date, fetched_at
        union all
        select ticker, date, 'dividend', 'fmp', sum(dividend order by entry), fetched_at
        from fmp_dividends where dividend > 0 group by ticker, date, fetched_at""",
    core.LISTINGS: """
        select 'fmp' as source, ticker as symbol, min(date) as first_session, max(date) as last_session, any_value(mic) as exchange,
               null::varchar as name, null::varchar as issuer_id, arg_max(role, fetched_at) as role
        from fmp_bars join listings using (ticker) group by ticker""",
}

FMP_BARS_FEED = Feed(
    source=fmp.SOURCE,
    kind="bars",
    raw_tables=(FMP_BARS, FMP_SPLITS, FMP_DIVIDENDS),
    fetch=fetch,
    to_core=to_core,
    unready=fmp.unready,
)
