import csv

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from trader_pipeline.errors import UsageError
from trader_pipeline.flows.export import export_duckdb, export_table
from trader_pipeline.lake import Change, Lake
from trader_pipeline_tests.test_lake import NAMES, NOTES, notes


@pytest.fixture
def snapshot(tmp_path):
    lake = Lake(tmp_path / "lake", "deep")
    lake.publish(
        Change.append(NOTES, notes(("A", "2019-01-02", 1), ("B", "2020-01-02", 2))), Change.append(NAMES, pa.table({"ticker": ['Q"uote,']}))
    )
    return lake.snapshot()


def test_csv_and_parquet_hold_every_row(snapshot, tmp_path):
    assert export_table(snapshot, "core.notes", tmp_path / "out" / "notes.csv") == tmp_path / "out" / "notes.csv"
    with (tmp_path / "out/notes.csv").open() as file:
        assert sorted(csv.reader(file)) == [["A", "2019-01-02", "1"], ["B", "2020-01-02", "2"], ["ticker", "session", "value"]]
    export_table(snapshot, "core.notes", tmp_path / "notes.parquet")
    assert pq.read_table(tmp_path / "notes.parquet").num_rows == 2
    export_table(snapshot, "core.names", tmp_path / "names.csv")
    with (tmp_path / "names.csv").open() as file:
        assert list(csv.reader(file))[1] == ['Q"uote,']


def test_a_duckdb_file_has_every_table(snapshot, tmp_path):
    path = export_duckdb(snapshot, tmp_path / "all.duckdb")
    export_duckdb(snapshot, path)  # over an older one
    with duckdb.connect(str(path), read_only=True) as database:
        assert database.execute("select ticker, value from core.notes order by 1").fetchall() == [("A", 1), ("B", 2)]
        assert database.execute("select count(*) from core.names").fetchone() == (1,)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["all.duckdb", "lake"]


@pytest.mark.parametrize(
    ("table", "name", "fact"),
    [
        ("core.notes", "notes.xlsx", "export writes .csv and .parquet"),
        ("core.nothing", "x.csv", "'core.nothing' is no published table; choose one of core.names, core.notes"),
        ("core.notes; select 1", "x.csv", "no published table"),
    ],
)
def test_what_cannot_be_written_is_named(snapshot, tmp_path, table, name, fact):
    with pytest.raises(UsageError, match=fact):
        export_table(snapshot, table, tmp_path / name)
    assert not (tmp_path / name).exists()
