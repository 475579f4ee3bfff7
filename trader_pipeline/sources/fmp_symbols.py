"""FMP's renames of symbols: one answer for the whole market. It reaches back some months only, so it is asked often and kept."""

from collections.abc import Iterator, Mapping

import duckdb
import pyarrow as pa

from trader_pipeline.schema import Table, core
from trader_pipeline.schema.raw_fmp import FMP_SYMBOL_CHANGES
from trader_pipeline.settings import Settings
from trader_pipeline.sources import fmp
from trader_pipeline.sources.asking import Found
from trader_pipeline.sources.http import NoDataError
from trader_pipeline.sources.source import Feed, FetchRequest, FetchResult, RawTables

CHANGES = "/symbol-change"
SUBJECT = "symbol-change"
_MOST_ROWS = 10_000


def fetch(request: FetchRequest, settings: Settings) -> Iterator[FetchResult]:
    """Ask for the list of renames, whatever the tickers."""
    return fmp.fetch(request, settings, _ask, (SUBJECT,))


def _ask(asking: fmp.FmpTicker) -> Found:
    rows = asking.get(CHANGES, invalid="false", limit=_MOST_ROWS)
    if not rows:
        raise NoDataError(f"{CHANGES}: an empty list")
    unique = {(row.get("oldSymbol"), row.get("date"), row.get("newSymbol")): row for row in rows}
    changes = asking.table(FMP_SYMBOL_CHANGES, rows.of(list(unique.values())))
    return asking.found({FMP_SYMBOL_CHANGES: changes}, changes["date"])


def to_core(tables: RawTables) -> Mapping[Table, pa.Table]:
    """Return the renames, each once."""
    with duckdb.connect(config={"threads": 2}) as con:
        con.execute("set timezone = 'UTC'")
        con.register(FMP_SYMBOL_CHANGES.name, tables[FMP_SYMBOL_CHANGES.full_name])
        return {core.SYMBOL_CHANGES: con.sql(_QUERY).to_arrow_table()}


_QUERY = """
    select "oldSymbol" as symbol, date as changed_on, "newSymbol" as new_symbol, 'fmp' as source, "companyName" as name
    from fmp_symbol_changes where "oldSymbol" <> "newSymbol"
    qualify row_number() over (partition by "oldSymbol", date order by fetched_at desc, "newSymbol") = 1"""


def _subjects(_: Settings) -> tuple[str, ...]:
    return (SUBJECT,)


FMP_SYMBOLS_FEED = Feed(
    source=fmp.SOURCE,
    kind="symbols",
    raw_tables=(FMP_SYMBOL_CHANGES,),
    fetch=fetch,
    to_core=to_core,
    subjects=_subjects,
    unready=fmp.unready,
)
