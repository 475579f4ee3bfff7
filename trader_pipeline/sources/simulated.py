"""The simulated market as a source: bars, a benchmark, observables, regime, sectors, filings, headlines, options, macro, and its oracle.

Sessions are real XNYS sessions that end on 2020-02-07. The oracle is a table of its own, which only evaluation reads.
"""

import datetime as dt
import hashlib
import json
from collections.abc import Iterator, Mapping

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from trader_pipeline import calendar
from trader_pipeline.errors import UsageError
from trader_pipeline.schema import Table, core, raw
from trader_pipeline.settings import Settings
from trader_pipeline.sources import simulated_macro, simulated_news, simulated_options
from trader_pipeline.sources.simulated_filings import simulate_filings
from trader_pipeline.sources.simulated_macro import series
from trader_pipeline.sources.simulated_news import headlines
from trader_pipeline.sources.simulated_options import chains
from trader_pipeline.sources.simulation import Market, MarketSize, simulate
from trader_pipeline.sources.source import Attempt, Feed, FetchRequest, FetchResult, RawTables

GENERATOR_VERSION = 2
"""Rises when the same settings would give another market."""

LAST_SESSION = dt.date(2020, 2, 7)
BENCHMARK = "MKT"
EXCHANGE = "XNYS"
_MARKET_WIDE = "*"
_BENCHMARK_VOLUME_SHARES = 1e8


def fetch(request: FetchRequest, settings: Settings) -> Iterator[FetchResult]:
    """Simulate, unless this very market is stored already. Raises `UsageError` where the home holds another one."""
    digest = market_sha256(settings)
    if digest in request.seen:
        return
    if request.seen:
        raise UsageError(
            "this home holds a simulated market of another seed or size, or of an older release; set TRADER_HOME to a new folder, "
            "or TRADER_SEED and TRADER_SIMULATED_* to what they were"
        )
    days_T = _sessions(settings.simulated_days)
    market = simulate(_size(settings))
    bars, facts = _bar_rows(market, days_T), _fact_rows(market, days_T)
    stocks = _tickers(settings.simulated_tickers)
    filed = simulate_filings(market, stocks, days_T, settings.seed)
    first, last = days_T[0].item(), days_T[-1].item()
    yield FetchResult(
        tables={
            raw.SIMULATED_BARS: _stamped(bars, request.fetched_at, digest),
            raw.SIMULATED_FACTS: _stamped(facts, request.fetched_at, digest),
            raw.SIMULATED_FILINGS: _stamped(filed.filings, request.fetched_at, digest),
            raw.SIMULATED_REPORTS: _stamped(filed.reports, request.fetched_at, digest),
            raw.SIMULATED_NEWS: _stamped(headlines(market.z_TN, stocks, days_T, EXCHANGE, settings.seed), request.fetched_at, digest),
            raw.SIMULATED_OPTIONS: _stamped(chains(market, stocks, days_T, settings.seed), request.fetched_at, digest),
            raw.SIMULATED_MACRO: _stamped(series(market, days_T, EXCHANGE, settings.seed), request.fetched_at, digest),
        },
        attempts=tuple(
            Attempt(ticker=t, outcome="ok", at=request.fetched_at, rows=len(days_T), first_session=first, last_session=last)
            for t in [*stocks, BENCHMARK]
        ),
    )


def to_core(tables: RawTables) -> Mapping[Table, pa.Table]:
    """Return bars, tickers, sectors, characteristics, regime, macro series, filings, reports, headlines, option quotes, and the oracle."""
    with duckdb.connect(config={"threads": 2}) as con:
        con.execute("set timezone = 'UTC'")
        con.register("bars", tables[raw.SIMULATED_BARS.full_name])
        con.register("facts", tables[raw.SIMULATED_FACTS.full_name])
        con.register("filings", tables[raw.SIMULATED_FILINGS.full_name])
        con.register("reports", tables[raw.SIMULATED_REPORTS.full_name])
        con.register("news", tables[raw.SIMULATED_NEWS.full_name])
        con.register("options", tables[raw.SIMULATED_OPTIONS.full_name])
        con.register("macro", tables[raw.SIMULATED_MACRO.full_name])
        found = {table: con.sql(query).to_arrow_table() for table, query in _QUERIES.items()}
        vintages = core.MACRO.conform(con.sql(simulated_macro.TO_CORE).to_arrow_table())
    for table, day in ((core.CHARACTERISTICS, "observed_on"), (core.MACRO, "observed_on"), (core.OPTION_QUOTES, "session")):
        days = found[table][day].to_numpy().astype("datetime64[D]")
        known_at = pa.array(calendar.known_at_array(EXCHANGE, days), pa.timestamp("us")).cast(pa.timestamp("us", tz="UTC"))
        found[table] = found[table].append_column("known_at", known_at)
    found[core.MACRO] = pa.concat_tables([core.MACRO.conform(found[core.MACRO]), vintages])
    return found


def market_sha256(settings: Settings) -> str:
    """Return the identity of the market that the settings describe."""
    size = _size(settings)
    facts = {"version": GENERATOR_VERSION, "tickers": size.tickers, "sessions": size.sessions, "seed": size.seed, "null": size.null}
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


_QUERIES: dict[Table, str] = {
    core.DAILY_BARS: """
        select ticker, date as session, 'simulated' as source, fetched_at, open, high, low, close, volume as volume_shares,
               'USD' as currency, 'USD' as price_unit
        from bars""",
    core.TICKER_MAP: """
        select ticker, ticker as symbol, min(date) as valid_from, null::date as valid_to, ticker as issuer_id, 'XNYS' as exchange,
               case when ticker = 'MKT' then 'Simulated market' else 'Simulated ' || ticker end as name,
               case when ticker = 'MKT' then 'benchmark' else 'stock' end as role
        from bars group by ticker""",
    core.SECTORS: """
        select ticker, date as valid_from, null::date as valid_to, 'Sector ' || value::integer as sector
        from facts where kind = 'sector'""",
    core.CHARACTERISTICS: """
        select ticker, name, date as observed_on, 'simulated' as source, value from facts where kind = 'characteristic'""",
    core.MACRO: """
        select name as series, date as observed_on, 'simulated' as source, 'released' as known_at_basis, 'final' as vintage, value
        from facts where kind = 'macro'""",
    core.FUNDAMENTALS: """
        select ticker, metric, period_end, months::smallint as months, 'simulated' as source, value, unit, filed_on, fetched_at
        from filings""",
    core.EARNINGS: """
        select ticker, date as report_date, 'simulated' as source, eps_estimate, eps_actual, fetched_at from reports""",
    core.NEWS: simulated_news.TO_CORE,
    core.OPTION_QUOTES: simulated_options.TO_CORE,
    core.ORACLE: """
        select ticker, date as session, name::smallint as horizon_sessions, value as expected_log_return
        from facts where kind = 'oracle'""",
}


def _size(settings: Settings) -> MarketSize:
    return MarketSize(
        tickers=settings.simulated_tickers, sessions=settings.simulated_days, seed=settings.seed, null=settings.simulated_null
    )


def _sessions(count: int) -> calendar.Days:
    """Return the last `count` sessions to 2020-02-07; raise `UsageError` where the calendar holds fewer."""
    days_T = calendar.sessions(EXCHANGE, dt.date(1990, 1, 2), LAST_SESSION)
    if count > len(days_T):
        raise UsageError(f"{count} simulated sessions are asked for, the calendar holds {len(days_T)}; lower TRADER_SIMULATED_DAYS")
    return days_T[-count:]


def _tickers(count: int) -> list[str]:
    return [f"SIM{index:04d}" for index in range(count)]


def _bar_rows(market: Market, days_T: calendar.Days) -> pa.Table:
    names = ("open", "high", "low", "close", "volume")
    stocks = (market.open_TN, market.high_TN, market.low_TN, market.close_TN, market.volume_TN)
    index = (
        market.market_open_T,
        market.market_high_T,
        market.market_low_T,
        market.market_close_T,
        np.full(len(days_T), _BENCHMARK_VOLUME_SHARES),
    )
    rows = _long(_tickers(market.close_TN.shape[1]), days_T, dict(zip(names, stocks, strict=True)))
    benchmark = _long([BENCHMARK], days_T, {name: values_T[:, None] for name, values_T in zip(names, index, strict=True)})
    return pa.concat_tables([rows, benchmark])


def _fact_rows(market: Market, days_T: calendar.Days) -> pa.Table:
    tickers = _tickers(market.close_TN.shape[1])
    series = [("characteristic", "z", market.z_TN), ("characteristic", "w", market.w_TN)]
    series += [("oracle", str(h), values_TN) for h, values_TN in market.oracle_TN.items()]
    pieces = [_named(_long(tickers, days_T, {"value": values_TN}), kind, name) for kind, name, values_TN in series]
    pieces.append(_named(_long([_MARKET_WIDE], days_T, {"value": market.regime_T[:, None]}), "macro", "regime"))
    pieces.append(_named(_long(tickers, days_T[:1], {"value": market.sector_N[None].astype(float)}), "sector", "sector"))
    return pa.concat_tables(pieces)


def _long(tickers: list[str], days_T: calendar.Days, columns: Mapping[str, npt.NDArray[np.float64]]) -> pa.Table:
    """Return [T, N] arrays as rows, ticker by ticker."""
    N, T = len(tickers), len(days_T)
    indices = pa.array(np.repeat(np.arange(N, dtype=np.int32), T))
    ticker = pa.DictionaryArray.from_arrays(indices, pa.array(tickers)).cast(pa.string())
    values = {name: pa.array(np.ascontiguousarray(values_TN.T).ravel()) for name, values_TN in columns.items()}
    return pa.table({"ticker": ticker, "date": pa.array(np.tile(days_T, N)), **values})


def _named(rows: pa.Table, kind: str, name: str) -> pa.Table:
    return rows.append_column("kind", pa.repeat(kind, rows.num_rows)).append_column("name", pa.repeat(name, rows.num_rows))


def _stamped(rows: pa.Table, fetched_at: dt.datetime, digest: str) -> pa.Table:
    clock = pa.repeat(pa.scalar(fetched_at, pa.timestamp("us", tz="UTC")), rows.num_rows)
    return rows.append_column("fetched_at", clock).append_column("request_sha256", pa.repeat(digest, rows.num_rows))


def _request_hashes(settings: Settings) -> frozenset[str]:
    return frozenset({market_sha256(settings)})


SIMULATED = Feed(
    source="simulated",
    kind="bars",
    raw_tables=(
        raw.SIMULATED_BARS,
        raw.SIMULATED_FACTS,
        raw.SIMULATED_FILINGS,
        raw.SIMULATED_REPORTS,
        raw.SIMULATED_NEWS,
        raw.SIMULATED_OPTIONS,
        raw.SIMULATED_MACRO,
    ),
    local=True,
    fetch=fetch,
    to_core=to_core,
    request_hashes=_request_hashes,
)
