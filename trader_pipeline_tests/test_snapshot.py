"""SQL over the lake reads the tables and nothing else, in UTC wherever the machine stands."""

import datetime as dt
import os
import subprocess
import sys

import duckdb
import pyarrow as pa
import pytest

from trader_pipeline import snapshot as snapshots
from trader_pipeline.errors import UsageError
from trader_pipeline.lake import Change, Lake
from trader_pipeline.schema.core import DAILY_BARS
from trader_pipeline_tests.checks.build import DAYS, bars
from trader_pipeline_tests.test_lake import NAMES, NOTES, notes


@pytest.fixture
def lake(tmp_path):
    made = Lake(tmp_path / "lake", "deep")
    made.publish(Change.append(NOTES, notes(("A", "2020-01-02", 1))), Change.append(NAMES, pa.table({"ticker": ["A"]})))
    return made


def test_values_are_bound(lake):
    query = "select value from core.notes where ticker = $ticker and session = $session"
    assert lake.snapshot().sql(query, {"ticker": "A", "session": dt.date(2020, 1, 2)}).to_pylist() == [{"value": 1}]
    assert lake.snapshot().sql(query, {"ticker": "' or 1=1 --", "session": dt.date(2020, 1, 2)}).num_rows == 0


@pytest.mark.parametrize(
    "query",
    [
        "copy (select 1) to '{folder}/stolen.csv'",
        "copy (select 1 as ticker) to '{part}' (format parquet, use_tmp_file false)",
        "attach '{folder}/other.db'",
        "install httpfs",
        "load httpfs",
        "set enable_external_access = true",
        "create table core.mine (i integer)",
        "drop view core.notes",
        "pragma database_list",
        "select 1; select 2",
        "explain analyze copy (select 1) to '{part}'",
        "export database '{folder}'",
        "",
    ],
)
def test_anything_but_one_select_is_refused(lake, tmp_path, query):
    part = lake.snapshot().files(NOTES)[0]
    with pytest.raises(UsageError, match="one SELECT at a time"):
        lake.snapshot().sql(query.format(folder=tmp_path, part=part))
    assert {p.name for p in tmp_path.iterdir()} == {"lake"}
    lake.snapshot().verify()


@pytest.mark.parametrize(
    "query",
    [
        "select * from read_csv('{secret}')",
        "select * from read_text('{secret}')",
        "select * from read_blob('{secret}')",
        "select * from '{secret}'",
        "select * from glob('{folder}/*')",
        "select * from read_parquet('https://127.0.0.1:9/x.parquet')",
        "select * from sniff_csv('{secret}')",
        "select * from sys_secret",
    ],
)
def test_a_select_reaches_no_other_file_and_no_python_variable(lake, tmp_path, query):
    sys_secret = pa.table({"x": ["secret"]})
    secret = tmp_path / "secret.csv"
    secret.write_text("password\nhunter2\n")
    with pytest.raises(duckdb.Error):
        lake.snapshot().sql(query.format(secret=secret, folder=tmp_path))
    assert sys_secret.num_rows == 1


def test_the_connection_cannot_be_unlocked(lake):
    with pytest.raises(duckdb.Error, match="locked"):
        lake.snapshot().connection.execute("set enable_external_access = true")


def test_instants_are_utc_in_any_zone(lake):
    code = (
        "from trader_pipeline.lake import Lake; from pathlib import Path; import sys;"
        "t = Lake(Path(sys.argv[1]), 'deep').snapshot().sql(\"select timestamptz '2020-01-02 21:30:00+00' as t, "
        "cast(timestamptz '2020-01-02 03:30:00+00' as date) as d, cast(timestamptz '2020-01-02 03:30:00+00' as varchar) as s\");"
        "print(t.schema.field('t').type, t['d'][0], t['s'][0])"
    )
    environment = os.environ | {"TZ": "America/New_York"}
    done = subprocess.run([sys.executable, "-c", code, str(lake.root)], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "timestamp[us, tz=UTC] 2020-01-02 2020-01-02 03:30:00+00"


def test_importing_the_lake_brings_no_pandas():
    code = "import sys, trader_pipeline.lake; print(sorted({'pandas', 'dagster', 'torch', 'exchange_calendars'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_what_does_not_fit_into_memory_is_spilled_beside_the_lake_and_gone_afterwards(tmp_path, monkeypatch):
    monkeypatch.setattr(snapshots, "MEMORY_LIMIT", "64MB")
    lake = Lake(tmp_path / "lake", "own")
    lake.publish(Change.replace(DAILY_BARS, bars({f"T{n:03d}": DAYS for n in range(60)})))
    snapshot = lake.snapshot()
    cursor = snapshot.cursor(DAILY_BARS)
    cursor.execute(
        "create temp table ordered as select *, row_number() over (partition by ticker order by session) "
        "from (select b.* exclude (ticker), b.ticker || i as ticker from core.daily_bars b, range(40) r(i))"
    )
    assert list(lake.root.glob(f"{snapshots.SPILL}*/*"))
    assert cursor.sql("select count(*) from ordered").fetchall() == [(60 * 40 * len(DAYS),)]
    cursor.close()
    snapshot.connection.close()
    assert not list(lake.root.glob(f"{snapshots.SPILL}*"))
