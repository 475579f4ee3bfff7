"""From core tables, already cut to what was known at `as_of`, to the dense arrays of a `Market`."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from trader_pipeline import adjustment, panel
from trader_pipeline.features import chains, characteristics, kernels, macro
from trader_pipeline.features.earnings_reports import read_reports
from trader_pipeline.features.headlines import SCORED_NEWS, headline_arrays
from trader_pipeline.features.inflation import risen_in_a_year
from trader_pipeline.features.intervals import members, spans
from trader_pipeline.features.known import splits_of
from trader_pipeline.features.market import Float, Index, Market, Prices
from trader_pipeline.features.statements import read_statements
from trader_pipeline.panel import Days, Grid
from trader_pipeline.schema.core import OPTION_QUOTES, UNIVERSE
from trader_pipeline.schema.features import MARKET_STATE

Instants = npt.NDArray[np.datetime64]
BENCHMARK = "benchmark"


@dataclass(frozen=True, eq=False, kw_only=True)
class CoreTables:
    """Rows of the core tables known at one `as_of`: one version of bars and actions, every version of other facts.

    `scored_news` has the columns `SCORED_NEWS`; `market_state` is features.market_state.
    `universe` has one name of core.universe, or no row: then everybody with a bar is a member.
    """

    accepted_bars: pa.Table
    corporate_actions: pa.Table
    ticker_map: pa.Table
    sectors: pa.Table
    characteristics: pa.Table
    macro: pa.Table
    fundamentals: pa.Table
    earnings: pa.Table
    market_state: pa.Table = field(default_factory=MARKET_STATE.empty)
    scored_news: pa.Table = field(default_factory=SCORED_NEWS.empty_table)
    option_quotes: pa.Table = field(default_factory=OPTION_QUOTES.empty)
    universe: pa.Table = field(default_factory=UNIVERSE.empty)


def assemble(tables: CoreTables, sessions: Days, known_at: Instants, *, start: int = 0, first_bars: pa.Table | None = None) -> Market:
    """Return the market on the given sessions; `known_at` [T] is when each session's bar is known, UTC without zone.

    Tickers with the role `benchmark` are no rows of the panel; one of them is the benchmark (`benchmark_of`).

    With `start` the market begins there, and of bars and quotes only those from there on need be in `tables`; `first_bars` (ticker,
    session) then says since when each ticker has bars, for adjustment begins there, and which benchmark was the first.
    """
    first_bars = tables.accepted_bars if first_bars is None else first_bars
    benchmark, apart = benchmark_of(tables.ticker_map, first_bars), benchmarks(tables.ticker_map)
    names = {*pc.unique(tables.accepted_bars["ticker"]).to_pylist(), *([benchmark] if benchmark else [])}
    grid = Grid(tuple(sorted(names)), sessions[start:])
    rows = panel.present(tables.accepted_bars, grid)
    prices = _prices(tables, grid, sessions, _first_bars(first_bars, grid, sessions))
    stands_apart = np.array([name in apart for name in grid.tickers], dtype=np.bool_)
    stocks = Grid(tuple(np.array(grid.tickers, dtype=object)[~stands_apart]), grid.sessions)
    rows = rows[~stands_apart]
    splits = splits_of(tables.corporate_actions, stocks)
    series = _since(_macro(tables, sessions, known_at), start)
    return Market(
        grid=stocks,
        rows=rows,
        members=members(tables.universe, stocks, rows),
        prices=prices.rows(~stands_apart),
        benchmark=prices.rows(np.array([name == benchmark for name in grid.tickers])) if benchmark else None,
        sector=_sectors(tables.sectors, stocks),
        characteristics=_characteristics(tables.characteristics, stocks, known_at[start:], rows),
        macro=series,
        statements=read_statements(tables.fundamentals, stocks, known_at[start:], splits),
        reports=read_reports(tables.earnings, stocks, known_at[start:], splits),
        news=headline_arrays(tables.scored_news, stocks, known_at[start:]),
        options=_options(tables.option_quotes, stocks, known_at[start:], series),
        first=start,
    )


def _since(arrays: Mapping[str, Float], start: int) -> Mapping[str, Float]:
    return {name: np.ascontiguousarray(x_NT[:, start:]) for name, x_NT in arrays.items()}


def _first_bars(bars: pa.Table, grid: Grid, sessions: Days) -> Index:
    """Return the place among `sessions` of each ticker's first bar, [N]; of a ticker without bars, past the end."""
    first_N = np.full(len(grid.tickers), len(sessions), dtype=np.int64)
    row, place = grid.ticker_index(bars["ticker"]), np.searchsorted(sessions, bars["session"].to_numpy().astype("datetime64[D]"))
    np.minimum.at(first_N, row[row >= 0], place[row >= 0])
    return first_N


def benchmarks(ticker_map: pa.Table) -> set[str]:
    """Return the tickers with the role `benchmark`."""
    return set(ticker_map.filter(pc.equal(ticker_map["role"], BENCHMARK))["ticker"].to_pylist())


def benchmark_of(ticker_map: pa.Table, bars: pa.Table) -> str | None:
    """Return the benchmark whose bars (ticker, session) begin first, ties by name; None where none has bars.

    One that begins later changes nothing: what was computed stands.
    """
    own = bars.filter(pc.is_in(bars["ticker"], pa.array(sorted(benchmarks(ticker_map)), pa.string())))
    first = own.group_by("ticker").aggregate([("session", "min")]).sort_by([("session_min", "ascending"), ("ticker", "ascending")])
    return str(first["ticker"][0].as_py()) if first.num_rows else None


def _prices(tables: CoreTables, grid: Grid, sessions: Days, first_N: Index) -> Prices:
    columns = panel.dense_columns(tables.accepted_bars, grid, ("open", "high", "low", "close", "close_usd", "volume_shares"))
    for name in ("open", "high", "low", "close", "close_usd"):
        columns[name][~(columns[name] > 0)] = np.nan  # a price that is not positive is no price
    split, step = _factors(tables.corporate_actions, grid, columns["close"], sessions, first_N)
    return Prices(
        open=columns["open"] * split,
        high=columns["high"] * split,
        low=columns["low"] * split,
        close=columns["close"] * split,
        volume=columns["volume_shares"] / split,
        dividend_step=step,
        dollar_volume=columns["close_usd"] * columns["volume_shares"],
        close_usd=columns["close_usd"],
    )


def _factors(actions: pa.Table, grid: Grid, close: Float, sessions: Days, first_N: Index) -> tuple[Float, Float]:
    """Return the forward split factor and the dividend step, both [N, T] and 1 before a ticker's first bar.

    `sessions` is the whole history, of which the grid has the end; `first_N` are the places in it of the tickers' first bars.
    """
    split, step = np.ones(grid.shape), np.ones(grid.shape)
    start = len(sessions) - len(grid.sessions)
    index = grid.ticker_index(actions["ticker"])
    days = actions["session"].to_numpy().astype("datetime64[D]")
    value = actions["value"].to_numpy()
    is_split = np.asarray(pc.equal(actions["kind"], "split").to_numpy())
    for i in np.unique(index[index >= 0]).tolist():
        first = int(first_N[i])
        own, seen = index == i, max(first, start) - start
        a_split, a_dividend = own & is_split, own & ~is_split
        split_T = adjustment.split_factors(sessions[first:], days[a_split], value[a_split])
        split[i, seen:] = split_T[max(0, start - first) :]
        a_dividend &= days > grid.sessions[seen] if seen < len(grid.sessions) else False
        step[i, seen:] = adjustment.dividend_steps(
            grid.sessions[seen:], close[i, seen:], split[i, seen:], days[a_dividend], value[a_dividend]
        )
    return split, step


def _sectors(sectors: pa.Table, grid: Grid) -> Index:
    """Return sector codes [N, T] by validity date, -1 where none is known."""
    codes = np.full(grid.shape, -1, dtype=np.int64)
    names = {name: code for code, name in enumerate(sorted(set(sectors["sector"].to_pylist())))}
    for row, span, fact in spans(sectors, grid):
        codes[row, span] = names[fact["sector"]]
    return codes


def _characteristics(facts: pa.Table, grid: Grid, known_at: Instants, rows: npt.NDArray[np.bool_]) -> Mapping[str, Float]:
    """Return each characteristic as known at each session, [N, T], NaN where the ticker has no bar."""
    arrays = {}
    for name in sorted(pc.unique(facts["name"]).to_pylist()):
        own = facts.filter(pc.equal(facts["name"], name))
        values = _as_known(own, grid.ticker_index(own["ticker"]), grid, known_at, characteristics.MAXIMUM_AGE_SESSIONS)
        arrays[name] = np.where(rows, values, np.nan)
    return arrays


def _macro(tables: CoreTables, sessions: Days, known_at: Instants) -> Mapping[str, Float]:
    """Return each series as known at each session, and the probability of turbulence, [1, T]."""
    facts, arrays = tables.macro, {}
    single = Grid(("",), sessions)
    for series in sorted(pc.unique(facts["series"]).to_pylist()):
        own = facts.filter(pc.equal(facts["series"], series))
        arrays[series] = _as_known(own, np.zeros(own.num_rows, np.int64), single, known_at, macro.maximum_age(series))
        if series == macro.PRICES:
            ages = {"newest_age": macro.MONTHLY, "oldest_age": macro.INFLATION_SESSIONS}
            arrays[macro.INFLATION] = risen_in_a_year(own, sessions, known_at, **ages)
    if tables.market_state.num_rows:
        states = tables.market_state.select(["session", "known_at", "p_turbulent"]).rename_columns(["observed_on", "known_at", "value"])
        arrays[macro.STATE] = _as_known(states, np.zeros(states.num_rows, np.int64), single, known_at, 0)
    return arrays


def _options(quotes: pa.Table, grid: Grid, known_at: Instants, series: Mapping[str, Float]) -> Mapping[str, Float]:
    """Return what the newest snapshot known at each session says, [N, T]; what it does not say is not taken from an older one."""
    if not quotes.num_rows:
        return {}
    rate_T = series.get(chains.RATE_SERIES, np.full((1, len(grid.sessions)), np.nan))[0]
    quotes = quotes.filter(pc.greater_equal(quotes["session"], pa.scalar(grid.sessions[0].item(), pa.date32())))
    if not quotes.num_rows:
        return {}
    found = chains.snapshots(quotes, dict(zip(grid.sessions, rate_T, strict=True)))
    numbered = pa.table({"observed_on": found.session, "known_at": found.known_at, "value": np.arange(len(found.session), dtype=float)})
    newest_NT = _as_known(numbered, grid.ticker_index(found.ticker), grid, known_at, chains.MAXIMUM_AGE_SESSIONS)
    seen_NT = np.isfinite(newest_NT)
    index_NT = np.where(seen_NT, newest_NT, 0).astype(np.int64)
    return {name: np.where(seen_NT, values[index_NT], np.nan) for name, values in found.columns.items()}


def _as_known(facts: pa.Table, row_of: Index, grid: Grid, known_at: Instants, maximum_age: int) -> Float:
    """Return the newest observation known at each session's `known_at`, [N, T]; absent once it is too old."""
    observed = np.searchsorted(grid.sessions, facts["observed_on"].to_numpy().astype("datetime64[D]"), side="right") - 1
    published = facts["known_at"].cast(pa.int64()).to_numpy().view("datetime64[us]")
    column = np.searchsorted(known_at, published, side="left")
    keep = np.flatnonzero((row_of >= 0) & (column < len(grid.sessions)))
    keep = keep[np.lexsort((published[keep], facts["observed_on"].to_numpy()[keep]))]
    values, speaks_of = np.full(grid.shape, np.nan), np.full(grid.shape, -1, dtype=np.int64)
    cells = row_of[keep], column[keep]
    values[cells] = facts["value"].to_numpy()[keep]
    speaks_of[cells] = observed[keep]
    return kernels.carried_forward(values, speaks_of, maximum_age)
