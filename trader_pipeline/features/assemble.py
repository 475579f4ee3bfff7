"""From core tables, already cut to what was known at `as_of`, to the dense arrays of a `Market`."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from trader_pipeline import adjustment, panel
from trader_pipeline.features import kernels
from trader_pipeline.features.characteristics import MAXIMUM_AGE_SESSIONS
from trader_pipeline.features.intervals import spans
from trader_pipeline.features.market import Float, Index, Market, Prices
from trader_pipeline.panel import Days, Grid

Instants = npt.NDArray[np.datetime64]
_BENCHMARK = "benchmark"


@dataclass(frozen=True, eq=False, kw_only=True)
class CoreTables:
    """Rows of the core tables known at one `as_of`: one version a fact, but every version of characteristics and macro."""

    accepted_bars: pa.Table
    corporate_actions: pa.Table
    ticker_map: pa.Table
    sectors: pa.Table
    characteristics: pa.Table
    macro: pa.Table


def assemble(tables: CoreTables, sessions: Days, known_at: Instants) -> Market:
    """Return the market on the given sessions; `known_at` [T] is when each session's bar is known, UTC without zone.

    Tickers with the role `benchmark` are no rows of the panel; the first of them that has bars is the benchmark.
    """
    grid = Grid(Grid.of(tables.accepted_bars).tickers, sessions)
    rows = panel.present(tables.accepted_bars, grid)
    prices = _prices(tables, grid, rows)
    stands_apart = np.array([name in _benchmarks(tables.ticker_map) for name in grid.tickers], dtype=np.bool_)
    chosen = np.flatnonzero(stands_apart)[:1]
    stocks = Grid(tuple(np.array(grid.tickers, dtype=object)[~stands_apart]), sessions)
    rows = rows[~stands_apart]
    return Market(
        grid=stocks,
        rows=rows,
        prices=prices.rows(~stands_apart),
        benchmark=prices.rows(np.isin(np.arange(len(grid.tickers)), chosen)) if len(chosen) else None,
        sector=_sectors(tables.sectors, stocks),
        characteristics=_characteristics(tables.characteristics, stocks, known_at, rows),
        macro=_macro(tables.macro, stocks, known_at),
    )


def _benchmarks(ticker_map: pa.Table) -> set[str]:
    return set(ticker_map.filter(pc.equal(ticker_map["role"], _BENCHMARK))["ticker"].to_pylist())


def _prices(tables: CoreTables, grid: Grid, rows: npt.NDArray[np.bool_]) -> Prices:
    columns = panel.dense_columns(tables.accepted_bars, grid, ("open", "high", "low", "close", "close_usd", "volume_shares"))
    for name in ("open", "high", "low", "close", "close_usd"):
        columns[name][~(columns[name] > 0)] = np.nan  # a price that is not positive is no price
    split, step = _factors(tables.corporate_actions, grid, columns["close"], rows)
    return Prices(
        open=columns["open"] * split,
        high=columns["high"] * split,
        low=columns["low"] * split,
        close=columns["close"] * split,
        volume=columns["volume_shares"] / split,
        dividend_step=step,
        dollar_volume=columns["close_usd"] * columns["volume_shares"],
    )


def _factors(actions: pa.Table, grid: Grid, close: Float, rows: npt.NDArray[np.bool_]) -> tuple[Float, Float]:
    """Return the forward split factor and the dividend step, both [N, T] and 1 before a ticker's first bar."""
    split, step = np.ones(grid.shape), np.ones(grid.shape)
    index = grid.ticker_index(actions["ticker"])
    days = actions["session"].to_numpy().astype("datetime64[D]")
    value = actions["value"].to_numpy()
    is_split = np.asarray(pc.equal(actions["kind"], "split").to_numpy())
    for i in np.unique(index[index >= 0]).tolist():
        first = int(np.argmax(rows[i]))
        own, own_sessions = index == i, grid.sessions[first:]
        a_split, a_dividend = own & is_split, own & ~is_split
        split[i, first:] = adjustment.split_factors(own_sessions, days[a_split], value[a_split])
        step[i, first:] = adjustment.dividend_steps(own_sessions, close[i, first:], split[i, first:], days[a_dividend], value[a_dividend])
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
        arrays[name] = np.where(rows, _as_known(own, grid.ticker_index(own["ticker"]), grid, known_at), np.nan)
    return arrays


def _macro(facts: pa.Table, grid: Grid, known_at: Instants) -> Mapping[str, Float]:
    """Return each series as known at each session, [1, T]."""
    arrays = {}
    single = Grid(("",), grid.sessions)
    for series in sorted(pc.unique(facts["series"]).to_pylist()):
        own = facts.filter(pc.equal(facts["series"], series))
        arrays[series] = _as_known(own, np.zeros(own.num_rows, np.int64), single, known_at)
    return arrays


def _as_known(facts: pa.Table, row_of: Index, grid: Grid, known_at: Instants) -> Float:
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
    return kernels.carried_forward(values, speaks_of, MAXIMUM_AGE_SESSIONS)
