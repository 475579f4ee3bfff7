"""Tables to dense [ticker, session] arrays and back. NaN marks what a table has no value for.

Legend: N tickers, T sessions, F features.
"""

from collections.abc import Mapping, Sequence
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
        days = [_day_numbers(pc.unique(table["session"])) for table in tables]
        return cls(tuple(tickers), np.unique(np.concatenate([np.empty(0, np.int32), *days])).astype("datetime64[D]"))

    @property
    def shape(self) -> tuple[int, int]:
        """(N, T)."""
        return len(self.tickers), len(self.sessions)

    def ticker_index(self, names: pa.ChunkedArray | pa.Array) -> Index:
        """Return each ticker's position, -1 where the grid has no such ticker."""
        encoded = names if pa.types.is_dictionary(names.type) else names.dictionary_encode()
        encoded = encoded.combine_chunks() if isinstance(encoded, pa.ChunkedArray) else encoded
        if not len(encoded):
            return np.empty(0, np.int64)
        where = pc.fill_null(pc.index_in(encoded.dictionary.cast(pa.string()), pa.array(self.tickers, pa.string())), -1)
        codes: Index = where.to_numpy(zero_copy_only=False).astype(np.int64)[encoded.indices.to_numpy(zero_copy_only=False)]
        return codes

    def cells(self, table: pa.Table, session_column: str = "session") -> Index:
        """Return each row's flat position in an [N, T] array, negative for a row outside of the grid."""
        cells, column = self.ticker_index(table["ticker"]), _position(self.sessions, _day_numbers(table[session_column]))
        cells *= len(self.sessions)
        cells += column
        cells[column < 0] = -1
        return cells


def dense(table: pa.Table, grid: Grid, column: str) -> Float:
    """Return one numeric column as float64 [N, T]; NaN where the table has no row or null. Rows outside of the grid are left out."""
    return dense_columns(table, grid, [column])[column]


def dense_columns(table: pa.Table, grid: Grid, columns: Sequence[str]) -> dict[str, Float]:
    """Return `dense` of each column, finding the cells once."""
    arrays = {name: np.full(grid.shape, np.nan) for name in columns}
    _lay({name: values.reshape(-1) for name, values in arrays.items()}, grid.cells(table), table)
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

    Reads row group by row group, so the peak is the array, the keys and one group.
    """
    keys = [_read_keys(path) for path in paths]
    grid = Grid.of(*keys)
    x_NTF = np.full((*grid.shape, len(columns)), np.nan, np.float32)
    flat = x_NTF.reshape(-1, len(columns))
    _fill({name: flat[:, k] for k, name in enumerate(columns)}, grid, paths, keys)
    return grid, x_NTF


def read_columns(paths: Sequence[Path | str], columns: Sequence[str], grid: Grid | None = None) -> tuple[Grid, dict[str, Float]]:
    """Return columns of the Parquet parts, float64 [N, T], on the grid of all their rows or on a given one; rows outside are left out."""
    keys = [_read_keys(path) for path in paths]
    grid = grid or Grid.of(*keys)
    arrays = {name: np.full(grid.shape, np.nan) for name in columns}
    _fill({name: values.reshape(-1) for name, values in arrays.items()}, grid, paths, keys)
    return grid, arrays


def _read_keys(path: Path | str) -> pa.Table:
    with pq.ParquetFile(path, read_dictionary=["ticker"]) as file:
        return file.read(columns=["ticker", "session"])


def _fill(flats: Mapping[str, npt.NDArray[np.floating]], grid: Grid, paths: Sequence[Path | str], keys: Sequence[pa.Table]) -> None:
    """Lay the columns of the parts; one row group's memory serves the next, for its first touch costs as much as the decoding."""
    for path, key in zip(paths, keys, strict=True):
        cells, start = grid.cells(key), 0
        with pq.ParquetFile(path) as file:
            for number in range(file.num_row_groups):
                group = file.read_row_group(number, columns=list(flats))
                _lay(flats, cells[start : start + group.num_rows], group)
                start += group.num_rows


def _lay(flats: Mapping[str, npt.NDArray[np.floating]], cells: Index, rows: pa.Table) -> None:
    """Write columns into their cells of flat arrays, chunk by chunk, without a copy of a column; rows outside are left out."""
    inside = cells >= 0
    if not inside.all():
        rows, cells = rows.filter(pa.array(inside)), cells[inside]
    for name, flat in flats.items():
        kind, start = pa.from_numpy_dtype(flat.dtype), 0
        for chunk in rows[name].chunks:
            flat[cells[start : start + len(chunk)]] = chunk.cast(kind, safe=False).to_numpy(zero_copy_only=False)
            start += len(chunk)


def _day_numbers(column: pa.ChunkedArray | pa.Array) -> npt.NDArray[np.int32]:
    """Return days since 1970."""
    numbers: npt.NDArray[np.int32] = column.cast(pa.date32()).cast(pa.int32()).to_numpy()
    return numbers


def _position(ordered: Days, wanted: npt.NDArray[np.int32]) -> Index:
    """Look each day up in a table of all days from the first to the last: a few thousand entries, and no search."""
    if not len(ordered):
        return np.full(len(wanted), -1, np.int64)
    first, last = (int(day) for day in ordered[[0, -1]].view(np.int64))
    places = np.full(last - first + 2, -1, np.int64)  # the last entry stands for all days outside
    places[ordered.view(np.int64) - first] = np.arange(len(ordered))
    at = wanted - np.int32(first)
    found: Index = places[np.clip(at, -1, last - first + 1, out=at)]
    return found
