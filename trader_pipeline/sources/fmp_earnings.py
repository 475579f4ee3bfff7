"""FMP's earnings reports, past and ahead. Its per-share figures are rescaled by later splits, which `splits_after` undoes."""

from collections.abc import Iterator, Mapping

import duckdb
import pyarrow as pa

from trader_pipeline.schema import Table, core
from trader_pipeline.schema.raw_fmp import FMP_EARNINGS
from trader_pipeline.settings import Settings
from trader_pipeline.sources import fmp
from trader_pipeline.sources.asking import Found
from trader_pipeline.sources.fmp_splits import splits_after
from trader_pipeline.sources.http import NoDataError
from trader_pipeline.sources.json_rows import date_of
from trader_pipeline.sources.source import Feed, FetchRequest, FetchResult, RawTables

EARNINGS = "/earnings"


def fetch(request: FetchRequest, settings: Settings) -> Iterator[FetchResult]:
    """Ask for every ticker's reports; those before its first day are dropped, FMP always sends all."""
    return fmp.fetch(request, settings, _ask, request.tickers)


def _ask(asking: fmp.FmpTicker) -> Found:
    rows = asking.get(EARNINGS, symbol=asking.symbol)
    if not rows:
        raise NoDataError(f"{EARNINGS}: no rows of {asking.ticker}")
    first = asking.first_day
    wanted = [row for row in rows if first is None or str(row.get("date") or "9") >= first.isoformat()]
    if not wanted:
        raise NoDataError(f"{EARNINGS}: no reports of {asking.ticker} since {first}")
    ratios = splits_after(asking, [date_of(row.get("date")) for row in wanted])
    scaled = [{**row, "splits_after": ratio} for row, ratio in zip(wanted, ratios, strict=True)]
    reports = asking.table(FMP_EARNINGS, rows.of(scaled), needed=("epsActual", "epsEstimated"))
    return asking.found({FMP_EARNINGS: reports}, reports["date"])


def to_core(tables: RawTables) -> Mapping[Table, pa.Table]:
    """Return the reports. The vendor tells no moment: an estimate is known when fetched."""
    with duckdb.connect(config={"threads": 2}) as con:
        con.execute("set timezone = 'UTC'")
        con.register(FMP_EARNINGS.name, tables[FMP_EARNINGS.full_name])
        return {core.EARNINGS: con.sql(_QUERY).to_arrow_table()}


_QUERY = """
    select ticker, date as report_date, 'fmp' as source, fetched_at,
           "epsEstimated" * splits_after as eps_estimate, "epsActual" * splits_after as eps_actual,
           "revenueEstimated" as revenue_estimate, "revenueActual" as revenue_actual
    from fmp_earnings"""

FMP_EARNINGS_FEED = Feed(
    source=fmp.SOURCE, kind="earnings", raw_tables=(FMP_EARNINGS,), fetch=fetch, to_core=to_core, every_sessions=5, unready=fmp.unready
)
