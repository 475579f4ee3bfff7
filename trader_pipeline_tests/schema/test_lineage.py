"""What is declared is whole, and names nothing that is not there."""

import pytest

from trader_pipeline.features import PANEL
from trader_pipeline.flows.lineage import LINEAGE, NAMED
from trader_pipeline.schema import TABLES, quality
from trader_pipeline.schema.columns import number, text
from trader_pipeline.schema.lineage import EVERY, WHOLE, Lineage, names, same
from trader_pipeline.schema.table import Table

ORIGIN = Table(
    layer="raw",
    name="bars",
    description="",
    key=("ticker",),
    columns=(text("ticker", ""), number("Open", "-", ""), number("Close", "-", "")),
)
TABLE = Table(
    layer="core", name="bars", description="", key=("ticker",), columns=(text("ticker", ""), number("open", "-", ""), text("source", ""))
)
BARS = Lineage(table=TABLE, reads={"raw.bars": {**same("ticker"), "open": "Open"}}, made={"source": "its name"})
JUDGED = [lineage for lineage in LINEAGE.values() if lineage.table in {quality.FINDINGS, quality.QUARANTINE, quality.REPAIRS}]


def columns(table):
    return {column.name for column in table.columns}


def test_a_column_tells_its_origins_or_how_it_is_made():
    assert BARS.origins("open") == {"raw.bars": ("Open",)}
    assert [BARS.said(name) for name in ("ticker", "open", "source")] == ["raw.bars: ticker", "raw.bars: Open", "made here: its name"]
    more = BARS.and_reads({"raw.bars": {"open": "Close, Open"}, "raw.more": {"open": "open"}})
    assert more.origins("open") == {"raw.bars": ("Open", "Close"), "raw.more": ("open",)}
    assert BARS.origins("open") == {"raw.bars": ("Open",)}


def test_many_columns_of_a_table_are_all_but_its_key_or_all():
    every = Lineage(table=TABLE, reads={"raw.bars": {"open": EVERY}}, made={})
    assert [(table.full_name, name) for table, name in every.deps("open", {"raw.bars": ORIGIN})] == [
        ("raw.bars", "Open"),
        ("raw.bars", "Close"),
    ]
    assert every.said("open") == "raw.bars: all but the key"
    whole = Lineage(table=TABLE, reads={"raw.bars": {"open": WHOLE}}, made={})
    assert [name for _, name in whole.deps("open", {"raw.bars": ORIGIN})] == ["ticker", "Open", "Close"]
    assert whole.said("open") == "raw.bars: all"


def test_every_table_that_is_not_raw_is_declared_and_no_other():
    assert set(LINEAGE) == {table for table in (*TABLES, PANEL) if table.layer != "raw"}


@pytest.mark.parametrize("lineage", LINEAGE.values(), ids=lambda lineage: lineage.table.full_name)
def test_every_column_has_an_origin_or_is_said_to_be_made_here(lineage):
    for column in lineage.table.columns:
        assert bool(lineage.origins(column.name)) != bool(lineage.how_made(column.name)), column.name


@pytest.mark.parametrize("lineage", LINEAGE.values(), ids=lambda lineage: lineage.table.full_name)
def test_every_name_is_one_of_its_table(lineage):
    ours = {name for columns in (lineage.made, *lineage.reads.values()) for text in columns for name in names(text)}
    assert ours <= columns(lineage.table)
    for table, read in lineage.reads.items():
        theirs = {name for text in read.values() for name in names(text)} - {EVERY, WHOLE}
        assert theirs <= columns(NAMED[table])


@pytest.mark.parametrize("lineage", LINEAGE.values(), ids=lambda lineage: lineage.table.full_name)
def test_a_table_is_made_of_tables_before_it(lineage):
    order = ["raw", "core", "quality", "features", "training", "evaluation", "predictions", "decisions"]
    read = {NAMED[name].layer for name in lineage.reads}
    assert lineage.table.full_name not in lineage.reads
    assert all(order.index(layer) <= order.index(lineage.table.layer) for layer in read - {"quality", "predictions"})


@pytest.mark.parametrize("lineage", JUDGED, ids=lambda lineage: lineage.table.full_name)
def test_what_checks_find_comes_from_the_bars(lineage):
    assert {"open", "volume_shares", "session"} <= {
        name for column in columns(lineage.table) for table, name in lineage.deps(column, NAMED) if table.full_name == "core.daily_bars"
    }
