import datetime as dt

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from trader_pipeline import panel
from trader_pipeline.errors import SchemaError

NAN = float("nan")


def _table(rows):
    return pa.table(
        {
            "ticker": pa.array([r[0] for r in rows], pa.string()),
            "session": pa.array([dt.date(2024, 1, r[1]) for r in rows], pa.date32()),
            "close": pa.array([r[2] for r in rows], pa.float64()),
        }
    )


BARS = _table([("B", 3, 20.0), ("A", 2, 10.0), ("A", 4, 12.0), ("B", 4, None)])


def test_dense_puts_each_row_in_its_cell_and_nan_in_the_gaps():
    grid = panel.Grid.of(BARS)
    assert grid.tickers == ("A", "B")
    assert grid.shape == (2, 3)
    np.testing.assert_array_equal(panel.dense(BARS, grid, "close"), [[10.0, NAN, 12.0], [NAN, 20.0, NAN]])
    np.testing.assert_array_equal(panel.present(BARS, grid), [[True, False, True], [False, True, True]])


def test_rows_outside_of_the_grid_are_left_out():
    grid = panel.Grid(("B", "Z"), np.array(["2024-01-03", "2024-01-05"], "datetime64[D]"))
    np.testing.assert_array_equal(panel.dense(BARS, grid, "close"), [[20.0, NAN], [NAN, NAN]])


def test_long_is_the_inverse_of_dense_and_nan_becomes_null():
    grid = panel.Grid.of(BARS)
    back = panel.long(grid, panel.present(BARS, grid), {"close": panel.dense(BARS, grid, "close")})
    assert back.to_pylist() == [
        {"ticker": "A", "session": dt.date(2024, 1, 2), "close": 10.0},
        {"ticker": "A", "session": dt.date(2024, 1, 4), "close": 12.0},
        {"ticker": "B", "session": dt.date(2024, 1, 3), "close": 20.0},
        {"ticker": "B", "session": dt.date(2024, 1, 4), "close": None},
    ]


def test_a_chunked_table_and_dictionary_tickers_give_the_same_cells():
    chunked = pa.concat_tables([BARS.slice(0, 1), BARS.slice(1, 0), BARS.slice(1)])
    coded = chunked.set_column(0, "ticker", chunked["ticker"].dictionary_encode())
    grid = panel.Grid.of(BARS)
    np.testing.assert_array_equal(grid.cells(coded), grid.cells(BARS))


def test_read_features_joins_parts_of_different_tickers(tmp_path):
    pq.write_table(BARS.slice(0, 2), tmp_path / "2023-a.parquet")
    pq.write_table(BARS.slice(2), tmp_path / "2024-b.parquet")
    paths = [tmp_path / "2023-a.parquet", tmp_path / "2024-b.parquet"]
    grid, x_NTF = panel.read_features(paths, ["close"])
    assert x_NTF.dtype == np.float32
    np.testing.assert_array_equal(x_NTF[:, :, 0], [[10.0, NAN, 12.0], [NAN, 20.0, NAN]])
    own, columns = panel.read_columns(paths, ["close"])
    assert own.tickers == grid.tickers
    assert columns["close"].dtype == np.float64
    np.testing.assert_array_equal(columns["close"], [[10.0, NAN, 12.0], [NAN, 20.0, NAN]])


def test_row_groups_are_laid_one_by_one_and_rows_outside_of_the_grid_left_out(tmp_path):
    pq.write_table(BARS, tmp_path / "bars.parquet", row_group_size=1)
    _, x_NTF = panel.read_features([tmp_path / "bars.parquet"], ["close"])
    np.testing.assert_array_equal(x_NTF[:, :, 0], [[10.0, NAN, 12.0], [NAN, 20.0, NAN]])
    grid = panel.Grid(("B", "Z"), np.array(["2024-01-03", "2024-01-05"], "datetime64[D]"))
    _, columns = panel.read_columns([tmp_path / "bars.parquet"], ["close"], grid)
    np.testing.assert_array_equal(columns["close"], [[20.0, NAN], [NAN, NAN]])


def test_days_and_tickers_outside_of_the_grid_have_no_cell():
    grid = panel.Grid(("A", "B"), np.array(["2024-01-03", "2024-01-04"], "datetime64[D]"))
    rows = _table([("A", 2, 1.0), ("A", 3, 1.0), ("B", 4, 1.0), ("B", 5, 1.0), ("C", 3, 1.0), ("0", 4, 1.0)])
    assert (grid.cells(rows) >= 0).tolist() == [False, True, True, False, False, False]
    assert grid.cells(rows)[1:3].tolist() == [0, 3]


def test_read_features_of_nothing_is_empty():
    grid, x_NTF = panel.read_features([], ["close"])
    assert grid.shape == (0, 0)
    assert x_NTF.shape == (0, 0, 1)


def test_an_unsorted_grid_is_refused():
    with pytest.raises(SchemaError, match="ascend"):
        panel.Grid(("B", "A"), np.array(["2024-01-03"], "datetime64[D]"))
    with pytest.raises(SchemaError, match="ascend"):
        panel.Grid(("A",), np.array(["2024-01-03", "2024-01-03"], "datetime64[D]"))
