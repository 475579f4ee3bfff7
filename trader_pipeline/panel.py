"""Tables to dense [ticker, session] arrays and back. NaN marks what a table has no value for.

Legend: N tickers, T sessions, F features.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from trader_pipeline.errors import SchemaError

Days = npt.NDArray[np.datetime64]
Float = npt.NDArray[np.float64]
Float32 = npt.NDArray[np.float32]
Index = npt.NDArray[np.int64]
Flag = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Grid:
    """The axes of a panel: sorted tickers, and sorted sessions as datetime64[D]. Raises `SchemaError` when not sorted and unique."""

    tickers: tuple[str, ...]
    sessions: Days

    def __post_init__(self) -> None:
        if any(a >= b for a, b in zip(self.tickers, self.tickers[1:], strict=False)) or np.any(np.diff(self.sessions.view("int64")) <= 0):
            raise SchemaError("a grid's tickers and sessions must ascend without repeats; build it with Grid.of or sort them")

    @classmethod
    def of(cls, *tables: pa.Table) -> "Grid":
        """Return the grid of all tickers and sessions that occur in `tables` (columns ticker, session)."""
        tickers = sorted({name for table in tables for name in pc.unique(table["ticker"]).to_pylist()})
        days = [_days(pc.unique(table["session"])) for table in tables]
        return cls(tuple(tickers), np.unique(np.concatenate(days)))

    @property
    def shape(self) -> tuple[int, int]:
        """(N, T)."""
        return len(self.tickers), len(self.sessions)

    def session_index(self, days: Days) -> Index:
        """Return each day's position, -1 where the grid has no such session."""
        return _position(self.sessions, np.asarray(days, dtype="datetime64[D]"))

    def ticker_index(self, names: pa.ChunkedArray | pa.Array) -> Index:
        """Return each ticker's position, -1 where the grid has no such ticker."""
        encoded = pa.chunked_array([names] if isinstance(names, pa.Array) else names.chunks, names.type).combine_chunks()
        encoded = encoded if pa.types.is_dictionary(encoded.type) else encoded.dictionary_encode()
        if not len(encoded):
            return np.empty(0, np.int64)
        where = pc.fill_null(pc.index_in(encoded.dictionary.cast(pa.string()), pa.array(self.tickers, pa.string())), -1)
        codes: Index = where.to_numpy(zero_copy_only=False)[encoded.indices.to_numpy(zero_copy_only=False)].astype(np.int64)
        return codes

    def cells(self, table: pa.Table, session_column: str = "session") -> Index:
        """Return each row's flat position in an [N, T] array, -1 for a row outside of the grid."""
        row, column = self.ticker_index(table["ticker"]), self.session_index(_days(table[session_column]))
        return np.where((row < 0) | (column < 0), -1, row * len(self.sessions) + column)


def dense(table: pa.Table, grid: Grid, column: str) -> Float:
    """Return one numeric column as float64 [N, T]; NaN where the table has no row or null. Rows outside of the grid are left out."""
    values = np.full(grid.shape, np.nan)
    _scatter(values.reshape(-1), grid.cells(table), table[column])
    return values


def dense_columns(table: pa.Table, grid: Grid, columns: Sequence[str]) -> dict[str, Float]:
    """Return `dense` of each column, finding the cells once."""
    cells, arrays = grid.cells(table), {}
    for name in columns:
        arrays[name] = np.full(grid.shape, np.nan)
        _scatter(arrays[name].reshape(-1), cells, table[name])
    return arrays


def present(table: pa.Table, grid: Grid) -> Flag:
    """Return where the table has a row, bool [N, T]."""
    flags = np.zeros(grid.shape, dtype=np.bool_)
    cells = grid.cells(table)
    flags.reshape(-1)[cells[cells >= 0]] = True
    return flags


def long(grid: Grid, rows_NT: Flag, columns: Mapping[str, npt.NDArray[np.floating]]) -> pa.Table:
    """Return one row for each True of `rows_NT`, sorted by ticker and session; NaN becomes null."""
    row, column = np.nonzero(rows_NT)
    names = pa.DictionaryArray.from_arrays(pa.array(row.astype(np.int32)), pa.array(grid.tickers, pa.string())).cast(pa.string())
    data = {"ticker": names, "session": pa.array(grid.sessions[column]).cast(pa.date32())}
    for name, values_NT in columns.items():
        data[name] = pa.array(values_NT[row, column], from_pandas=True)
    return pa.table(data)


def read_features(paths: Sequence[Path | str], columns: Sequence[str]) -> tuple[Grid, Float32]:
    """Return the grid and x_NTF float32 of the Parquet parts of features.panel (or any ticker-session table); NaN where there is no value.

    Reads part by part, so the peak is the array and one part.
    """
    keys = [pq.read_table(path, columns=["ticker", "session"]) for path in paths]
    grid = Grid.of(*keys) if keys else Grid((), np.empty(0, "datetime64[D]"))
    x_NTF = np.full((*grid.shape, len(columns)), np.nan, np.float32)
    flat = x_NTF.reshape(-1, len(columns))
    for path, key in zip(paths, keys, strict=True):
        cells, part = grid.cells(key), pq.read_table(path, columns=list(columns))
        for number, name in enumerate(columns):
            _scatter(flat[:, number], cells, part[name])
    return grid, x_NTF


def read_column(paths: Iterable[Path | str], grid: Grid, column: str) -> Float:
    """Return one column of the Parquet parts on a given grid, float64 [N, T]; rows outside of the grid are left out."""
    values = np.full(grid.shape, np.nan)
    for path in paths:
        part = pq.read_table(path, columns=["ticker", "session", column])
        _scatter(values.reshape(-1), grid.cells(part), part[column])
    return values


def _scatter(flat: npt.NDArray[np.floating], cells: Index, values: pa.ChunkedArray) -> None:
    numbers = values.cast(pa.float64() if flat.dtype == np.float64 else pa.float32(), safe=False).to_numpy()
    inside = cells >= 0
    if inside.all():
        flat[cells] = numbers
    else:
        flat[cells[inside]] = numbers[inside]


def _days(column: pa.ChunkedArray | pa.Array) -> Days:
    days = column.cast(pa.date32()).cast(pa.int32())
    return np.asarray(days.to_numpy()).astype("datetime64[D]")


def _position(ordered: Days, wanted: Days) -> Index:
    """Look each day up in a table of all days between the first and the last: a few thousand entries, and no search."""
    if not len(ordered) or not len(wanted):
        return np.full(len(wanted), -1, np.int64)
    first, last = (int(day) for day in ordered[[0, -1]].view(np.int64))
    places = np.full(last - first + 2, -1, np.int64)  # the last entry stands for all days outside
    places[ordered.view(np.int64) - first] = np.arange(len(ordered))
    at = wanted.astype("datetime64[D]").view(np.int64) - first
    found: Index = places[np.where((at >= 0) & (at <= last - first), at, -1)]
    return found
