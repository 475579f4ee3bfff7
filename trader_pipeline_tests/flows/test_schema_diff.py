"""Every difference between lake and code is told, with what becomes of the table; nothing else is."""

from dataclasses import replace

import pyarrow as pa
import pytest

from trader_pipeline.errors import SchemaError
from trader_pipeline.features import PANEL
from trader_pipeline.flows.schema_diff import ColumnDiff, schema_diff
from trader_pipeline.lake import Change, Entry, Lake
from trader_pipeline.schema import core, raw
from trader_pipeline.schema.columns import number, text
from trader_pipeline_tests.conftest import trader
from trader_pipeline_tests.old_lakes import commit, old_part

SECTOR = {"ticker": ["A"], "valid_from": pa.array(["2020-01-02"]).cast(pa.date32()), "sector": ["Technology"]}


@pytest.fixture
def lake(tmp_path):
    made = Lake(tmp_path / "lake", "deep")
    made.publish(Change.append(core.SECTORS, pa.table(SECTOR)))
    return made


def found(lake):
    return {diff.table: diff for diff in schema_diff(lake.snapshot())}


def test_todays_tables_are_the_same(lake):
    (sectors,) = schema_diff(lake.snapshot())
    assert (sectors.table, sectors.fate, sectors.columns, sectors.why, sectors.part_versions) == ("core.sectors", "same", (), "", (1,))


def test_an_older_version_is_migrated_and_its_columns_are_told(lake):
    commit(
        lake,
        core__macro=Entry(schema_version=1, parts=(old_part(lake, "core.macro", 1, 2020),)),
        raw__fetch_attempts=Entry(schema_version=1, parts=(old_part(lake, "raw.fetch_attempts", 1, 2024),)),
    )
    macro = found(lake)["core.macro"]
    assert (macro.fate, macro.stored, macro.declared, macro.part_versions, macro.rows) == ("migrated", 1, 2, (1,), 3)
    assert {(c.column, c.change, c.stored, c.declared) for c in macro.columns} == {
        ("known_at_basis", "added", None, "string"),
        ("vintage", "added", None, "string"),
    }
    assert "barred from backtests" in macro.why
    attempts = found(lake)["raw.fetch_attempts"]
    assert (attempts.fate, attempts.why) == ("migrated", "kind, throttled: null in older parts.")
    lake.publish(Change.append(raw.FETCH_ATTEMPTS, lake.snapshot().read(raw.FETCH_ATTEMPTS).slice(0, 1).set_column(0, "source", [["x"]])))
    attempts = found(lake)["raw.fetch_attempts"]
    assert (attempts.fate, attempts.stored, attempts.part_versions) == ("same", 2, (1, 2))


def test_what_cannot_be_migrated_is_made_again_or_refused(lake):
    lake.publish(Change.append(raw.SAMPLE_SECTORS, pa.table(SECTOR | {"fetched_at": [0], "request_sha256": ["-"]}).cast(_sample())))
    entries = lake.snapshot().commit.tables
    commit(lake, core__sectors=replace(entries["core.sectors"], schema_version=0))
    commit(lake, raw__sample_sectors=replace(entries["raw.sample_sectors"], schema_version=7))
    diffs = found(lake)
    assert (diffs["core.sectors"].fate, diffs["core.sectors"].why) == ("made again", "`trader run` makes it again from raw.")
    assert diffs["raw.sample_sectors"].fate == "refused"
    with pytest.raises(SchemaError) as refused:
        lake.snapshot().read(raw.SAMPLE_SECTORS)
    assert diffs["raw.sample_sectors"].why == str(refused.value)


def _sample():
    schema = raw.SAMPLE_SECTORS.arrow_schema
    return pa.schema([schema.field(n) for n in ("ticker", "valid_from", "sector", "fetched_at", "request_sha256")])


def test_columns_that_changed_under_one_version_are_refused(lake):
    columns = (
        replace(core.SECTORS.columns[0], nullable=True),
        *core.SECTORS.columns[1:3],
        number("sector", "-", ".", nullable=False),
        text("more", "."),
    )
    other = replace(core.SECTORS, columns=columns)
    lake.publish(Change.replace(other, pa.table(SECTOR | {"sector": [1.0], "more": ["x"]})))
    sectors = found(lake)["core.sectors"]
    assert sectors.fate == "refused"
    assert sectors.why.startswith("columns changed under one version: sector, more")
    with pytest.raises(SchemaError, match="has other columns than version 1 declares"):
        lake.snapshot().read(core.SECTORS)
    assert set(sectors.columns) == {
        ColumnDiff(column="ticker", change="nulls", stored="nulls", declared="no nulls"),
        ColumnDiff(column="sector", change="type", stored="double", declared="string"),
        ColumnDiff(column="more", change="gone", stored="string", declared=None),
    }


def test_features_that_changed_are_made_again(lake):
    fewer = replace(PANEL, columns=PANEL.columns[:3])
    lake.publish(Change.append(fewer, pa.table({"ticker": ["A"], "session": SECTOR["valid_from"]})))
    panel = found(lake)["features.panel"]
    assert (panel.fate, len(panel.columns)) == ("made again", len(PANEL.columns) - 3)


def test_a_table_that_the_code_does_not_know_is_told(lake):
    lake.publish(Change.append(replace(core.SECTORS, name="clans"), pa.table(SECTOR)))
    assert (found(lake)["core.clans"].fate, found(lake)["core.clans"].declared) == ("unknown", None)


def test_a_part_that_is_gone_hides_no_other_table(lake):
    lake.snapshot().files(core.SECTORS)[0].unlink()
    assert found(lake)["core.sectors"].part_versions == ()


def test_the_command_ends_with_1_where_something_is_refused(tmp_path):
    home = tmp_path / "home"
    lake = Lake(home / "deep" / "lake", "deep")
    lake.publish(Change.append(core.SECTORS, pa.table(SECTOR)))
    commit(lake, core__macro=Entry(schema_version=1, parts=(old_part(lake, "core.macro", 1, 2020),)))
    ran = trader("schema", "diff", home=home, DATASET="deep")
    assert ran.code == 0, ran.err
    assert "core.macro.vintage: added, stored -, declared string" in ran.out
    commit(lake, core__sectors=replace(lake.snapshot().commit.tables["core.sectors"], schema_version=2))
    ran = trader("schema", "diff", "--json", home=home, DATASET="deep")
    assert (ran.code, ran.json()["schema"], ran.json()["refused"]) == (1, "trader.schema_diff/1", ["core.sectors"])
    macro = next(t for t in ran.json()["tables"] if t["table"] == "core.macro")
    assert macro["columns"][0] == {"column": "known_at_basis", "change": "added", "stored": None, "declared": "string"}
    listed = trader("schema", "list", "--json", home=home).json()["tables"]
    daily = next(t for t in listed if t["table"] == "predictions.daily")
    assert (daily["version"], daily["reads_from"], daily["contract"]) == (2, 1, 1)
