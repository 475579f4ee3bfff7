"""Parts of every older version are read as rows of today's, however they are asked for."""

import datetime as dt
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from trader_pipeline import lake as lakes
from trader_pipeline import snapshot as snapshots
from trader_pipeline.errors import SchemaError
from trader_pipeline.features import PANEL
from trader_pipeline.lake import Change, Entry, Lake
from trader_pipeline.schema import TABLES, core, raw
from trader_pipeline.schema.columns import count, text
from trader_pipeline.schema.table import Migration, Table
from trader_pipeline_tests.old_lakes import commit, old_file, old_part

EVERY = (*TABLES, PANEL)
OLD = [(table, version) for table in EVERY for version in range(1, table.version)]


def day(text):
    return dt.date.fromisoformat(text)


def instant(text):
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


EXPECTED = {
    ("core.corporate_actions", 1): [
        ("AAPL", day("2020-08-31"), "split", instant("2020-08-31T20:30"), "assumed", "yahoo", 4.0),
        ("AAPL", day("2020-11-06"), "dividend", instant("2020-11-06T21:30"), "observed", "yahoo", 0.205),
        ("NVDA", day("2024-06-10"), "split", instant("2024-06-10T20:30"), "assumed", "sample", 10.0),
    ],
    ("core.macro", 1): [
        ("DGS10", day("2020-01-02"), instant("2020-01-02T21:30"), "assumed", "sample", "latest", 1.88),
        ("DGS10", day("2020-01-03"), instant("2020-01-03T21:30"), "assumed", "sample", "latest", 1.80),
        ("regime", day("2020-01-02"), instant("2020-01-02T21:30"), "released", "simulated", "final", 0.5),
    ],
    ("core.ticker_map", 1): [
        ("AAPL", "AAPL", day("2015-01-02"), None, "AAPL", "XNYS", "Apple Inc.", "stock", None),
        ("SPY", "SPY", day("2015-01-02"), None, "SPY", "XNYS", None, "benchmark", None),
        ("TWTR", "TWTR", day("2015-01-02"), day("2022-10-27"), "TWTR", "XNYS", "Twitter, Inc.", "stock", None),
    ],
    ("raw.fetch_attempts", 1): [
        ("yahoo", "AAPL", instant("2024-06-10T21:31"), "ok", None, 16, 1, 0, day("2024-05-17"), day("2024-06-10"), "old", None, None),
        (
            *("yahoo", "ZZZZ", instant("2024-06-10T21:32"), "unknown_symbol", "No data found, symbol may be delisted", 0, 2, 1),
            *(None, None, "old", None, None),
        ),
    ],
}
_OWN = ("stock", "bars.csv", instant("2024-06-11T12:00"), "0" * 64, None, None)
_CARD = ("20240607-abc", "ridge", 5, 0.53)
_SKILL = (*(0.52, 0.02, 0.7, False, 1.0, 0.01, 0.02, 0.249, 0.001, None, 0.01, 0.02), *(None, None, None), *(0.9, 1000, 40, None))
_SAID = ("53.0 % vs 52.0 % base (±2.0), target 70 %: not met", None, instant("2024-06-07T20:30"))
EXPECTED["evaluation.scorecard", 1] = [(*_CARD, None, *_SKILL, *_SAID)]
EXPECTED["evaluation.scorecard", 2] = [(*_CARD, 0.54, *_SKILL, *_SAID)]
_SHARPE = (*(0.9, None, None), *(0.75, 0.15, -0.25, 0.55), *[None] * 4, *(-0.2, 0.5, 0.99, 0.95, 4, 1.5))
_RISK = (*[None] * 6, *(0.02, 0.25, 0.3, 1384), instant("2024-06-07T20:30"))
EXPECTED["evaluation.strategy", 1] = [
    ("20240607-abc", against, multiple, *_SHARPE, overfitted, *_RISK)
    for against, multiple, overfitted in (("benchmark", 0, None), ("momentum", 1, 0.5))
]
EXPECTED["raw.own_bars", 1] = [
    ("ACME", day("2024-06-07"), 99.0, 101.5, 98.5, 100.0, 1000.0, None, None, 2.0, *_OWN),
    ("ACME", day("2024-06-10"), 50.5, 51.0, 49.0, 50.25, 2500.0, 0.5, 2.0, 1.0, *_OWN),
]
EXPECTED["core.accepted_bars", 1] = [
    ("AAPL", day("2020-02-06"), instant("2020-02-06T21:30"), "yahoo", 322.57, 325.22, 320.26, 325.21, 26356400.0, 325.21, None),
    ("VOD.L", day("2020-02-06"), instant("2020-02-06T17:00"), "yahoo", 152.0, 153.5, 151.2, 153.0, 5e7, None, None),
]
_CHECKED = (instant("2020-02-07T21:30"), 1, instant("2020-02-07T21:30"), "old")
EXPECTED["quality.quarantine", 1] = [
    ("core.daily_bars", "BA", day("2019-11-29"), "", "yahoo", "ohlc_order", "high is below open, close or low", *_CHECKED),
    ("core.daily_bars", "NWSA", day("2009-09-08"), "", "sample", "missing_dates", "7 of 250 sessions missing, longest run 3", *_CHECKED),
]
_PRICE = ("core.daily_bars", "BLT.L", day("2018-09-10"), "yahoo", "close", "price_unit", 1580.4, 15.804)
_SPLIT = ("core.daily_bars", "KWS.L", day("2022-01-05"), "yahoo", "open", "split_applied", 10.0, 40.0)
_REPAIRED = instant("2026-11-20T21:30")
EXPECTED["quality.repairs", 1] = [
    (*_PRICE, "100 times the rows around it: another unit", True, _REPAIRED, _REPAIRED, _REPAIRED, "old"),
    (
        *(*_SPLIT, "stands 0.25 times the rows around it: a split applied in the wrong place"),
        *(False, _REPAIRED, None, _REPAIRED, "old"),
    ),
]
_TESTED = tuple(map(day, ("2015-01-02", "2022-12-30", "2023-01-10", "2023-12-29")))
EXPECTED["training.trials", 1] = [
    ("20260105-old", "ridge", 0, 1, *_TESTED, 0.031, None, 1100, "old"),
    ("20260105-old", "ridge", 0, 60, *_TESTED, None, None, 1100, "old"),
]
EXPECTED["training.curves", 1] = [
    ("20260105-old", "panel_former", -1, 0, 4.1, None, None, 0.0005, 1, 2.5),
    ("20260105-old", "panel_former", 0, 0, 4.1, 4.25, None, 0.0005, 1, 2.5),
]
_SHRUNK = {
    1: (0.0, 0.03466596753676049, 0.031138555978503662, 0.0, 0.013235878022806043, 0.007483560051948921, 0.02086208741476421),
    5: (0.0, 0.053451209024498014, 0.0, 0.0, 0.008670024385514506, 0.11129166907389032, 0.12738438024388493),
}
_AFTER_SCALES = {
    1: (-0.0021775013605457205, 0.5096558066211245, 0.017378193602141254, 15224),
    5: (0.006596239789898317, 0.5646903820816864, 0.023857348614698265, 15180),
}
EXPECTED["training.calibration", 1] = [
    ("m", -1, "ensemble", h, *_SHRUNK[h], scale, *[None] * 13, *_AFTER_SCALES[h], instant("2020-02-07T21:30"), None)
    for h, scale in ((1, 0.9754193679822561), (5, 0.9894338917038523))
]
_SCALES = tuple(k / 4 for k in range(1, 11))
EXPECTED["training.calibration", 2] = [
    ("m", -1, "ensemble", 5, *_SHRUNK[5], 0.75, 0.125, *_SCALES, True, None, *_AFTER_SCALES[5], instant("2020-02-07T21:30"), None)
]
_AT = instant("2020-02-07T22:04")
EXPECTED["predictions.daily", 1] = [
    (
        *(day("2020-02-07"), "AAPL", 1, 0.00075, -0.02, -0.0075, 0.0005, 0.0085, 0.021, 0.5125, 0.5, 0.51, -0.25, 0.125, 0.5, 0.75),
        *(False, "old", "0" * 64, _AT, "old", None, None, None, None),
    ),
    (
        *(day("2020-02-07"), "NEWB", 1, None, None, None, None, None, None, 0.5, 0.625, 0.5, 0.5, 0.0, 0.25, 1.0),
        *(True, "old", "0" * 64, _AT, "old", None, None, None, None),
    ),
]
_ENTERED = day("2020-02-06")
EXPECTED["predictions.paper_log", 1] = [
    (
        *(day("2020-02-05"), "AAPL", 1, "old", instant("2020-02-05T22:04"), True, 0.00075, 0.5125, 0.51, -0.25, False),
        *(_ENTERED, 320.0, _ENTERED, 325.0, 0.015625, 0.00125, 1, 0.0005, 0.015125),
        *(instant("2020-02-06T22:04"), "0" * 64, "old", None, None),
    ),
    (
        *(day("2020-02-05"), "NEWB", 1, "old", instant("2020-02-07T22:04"), False, None, 0.5, 0.5, 0.5, True),
        *(_ENTERED, None, _ENTERED, None, 0.25, None, -1, 0.0005, -0.2505),
        *(instant("2020-02-07T22:04"), "0" * 64, "old", None, None),
    ),
]
YEARS = {
    "predictions.daily": 2020,
    "predictions.paper_log": 2020,
    "core.accepted_bars": 2020,
    "core.macro": 2020,
    "raw.own_bars": 2024,
    "raw.fetch_attempts": 2024,
}
pytestmark = pytest.mark.filterwarnings("error")


def unread(table: Table) -> list[str]:
    """What is missing for a reader of the table's older versions: a kept file, or a step that leads on from it."""
    told = {m.of for m in table.migrations} | {c.since - 1 for c in table.columns}
    found = [f"{table.full_name} {v}: no file" for v in range(1, table.version) if not old_file(table.full_name, v).exists()]
    found += [f"{table.full_name} {v}: neither a migration nor columns since {v + 1}" for v in range(1, table.version) if v not in told]
    if not table.made_again:
        found += [f"{table.full_name} {m.of}: nothing makes it again" for m in table.migrations if m.rows is None]
    return found


def old_lake(tmp_path, table, version):
    lake = Lake(tmp_path / "lake", "live")
    part = old_part(lake, table.full_name, version, YEARS.get(table.full_name))
    commit(lake, **{f"{table.layer}__{table.name}": Entry(schema_version=version, parts=(part,))})
    return lake


def rows_of(found):
    return [tuple(row.values()) for row in found.to_pylist()]


def test_every_table_that_had_another_version_is_read_in_it():
    assert [problem for table in EVERY for problem in unread(table)] == []
    assert {(table.full_name, version) for table, version in OLD} <= set(EXPECTED)


def test_a_version_that_rises_alone_is_noticed():
    assert unread(replace(core.DAILY_BARS, version=2)) == [
        "core.daily_bars 1: no file",
        "core.daily_bars 1: neither a migration nor columns since 2",
    ]
    given_up = replace(raw.YAHOO_BARS, version=2, migrations=(Migration(of=1, says="Lost.", rows=None),))
    assert "raw.yahoo_bars 1: nothing makes it again" in unread(given_up)


@pytest.mark.parametrize(("table", "version"), OLD, ids=lambda x: getattr(x, "full_name", x))
def test_a_kept_file_is_of_its_version(table, version):
    metadata = pq.read_schema(old_file(table.full_name, version)).metadata
    assert (metadata[b"table"].decode(), metadata[b"schema_version"].decode()) == (table.full_name, str(version))


@pytest.mark.parametrize(("table", "version"), OLD, ids=lambda x: getattr(x, "full_name", x))
def test_an_older_version_is_read_in_todays_shape(tmp_path, table, version):
    snapshot = lakes.open(old_lake(tmp_path, table, version).root.parent)
    expected = EXPECTED[table.full_name, version]
    read = snapshot.read(table)
    assert read.schema.equals(table.arrow_schema, check_metadata=True)
    assert rows_of(read) == expected
    ordered = ", ".join(f'"{name}"' for name in table.key)
    asked = snapshot.sql(f"select * from {table.full_name} order by {ordered}")  # noqa: S608 - a name of the schema
    assert (asked.column_names, rows_of(asked)) == (read.column_names, expected)
    assert rows_of(snapshot.sql(f'select * from "{table.layer}"."{table.name}" order by {ordered}')) == expected  # noqa: S608
    first = read.select(list(table.key)).slice(0, 1)
    assert rows_of(snapshot.matching(table, first)) == expected[:1]
    names = [c.name for c in table.columns[-2:]]
    assert snapshot.read(table, names).to_pylist() == read.select(names).to_pylist()
    assert snapshot.inputs(table) is None


@pytest.mark.parametrize(("table", "version"), OLD, ids=lambda x: getattr(x, "full_name", x))
def test_a_write_leaves_no_part_that_must_be_migrated(tmp_path, table, version):
    lake = old_lake(tmp_path, table, version)
    before = lake.snapshot().read(table)
    name = next(name for name in table.key if pa.types.is_string(table.arrow_schema.field(name).type))
    row = before.slice(0, 1).to_pylist()[0] | {name: "NEW"}
    lake.publish(Change.append(table, pa.Table.from_pylist([row], schema=table.arrow_schema)))
    snapshot = lake.snapshot()
    assert snapshot.commit.tables[table.full_name].schema_version == table.version
    versions = {table.version_of(pq.read_schema(path)) for path in snapshot.files(table)}
    assert versions == ({table.version} if table.rewrites(version) else {version, table.version})
    assert rows_of(snapshot.read(table).filter(pc.field(name) != "NEW")) == EXPECTED[table.full_name, version]
    counted = snapshot.sql(f"select count(*) as n from {table.full_name}")  # noqa: S608 - a name of the schema
    assert counted["n"][0].as_py() == before.num_rows + 1


def test_a_key_that_an_old_part_holds_is_still_refused(tmp_path):
    lake = old_lake(tmp_path, core.MACRO, 1)
    repeated = lake.snapshot().read(core.MACRO).slice(0, 1)
    with pytest.raises(SchemaError, match="repeat a key"):
        lake.publish(Change.append(core.MACRO, repeated))
    lake.publish(Change.upsert(core.MACRO, repeated.set_column(6, "value", pa.array([9.0]))))
    assert lake.snapshot().read(core.MACRO)["value"].to_pylist() == [9.0, 1.80, 0.5]


FIRST = Table(layer="raw", name="tones", key=("name",), description="-", columns=(text("name", "-"), text("pitch", "-")))
SECOND = replace(FIRST, version=2, columns=(*FIRST.columns, text("mood", "-", nullable=True, since=2)))
TO_HERTZ = Migration(
    of=2,
    says="pitch is hertz.",
    rows=lambda rows: rows.drop_columns(["pitch"]).append_column("hertz", pc.cast(pc.replace_substring(rows["pitch"], " Hz", ""), "int64")),
)
THIRD = replace(SECOND, version=3, columns=(FIRST.columns[0], count("hertz", "1/s", "-"), SECOND.columns[2]), migrations=(TO_HERTZ,))


@pytest.fixture
def tones(tmp_path, monkeypatch):
    lake = Lake(tmp_path / "lake", "deep")
    lake.publish(Change.append(FIRST, pa.table({"name": ["a"], "pitch": ["440 Hz"]})))
    lake.publish(Change.append(SECOND, pa.table({"name": ["b"], "pitch": ["494 Hz"], "mood": ["glad"]})))
    monkeypatch.setitem(snapshots._DECLARED, "raw.tones", THIRD)
    return lake


def test_migrations_are_composed_and_parts_of_three_versions_are_one_table(tones):
    expected = [("a", 440, None), ("b", 494, "glad")]
    assert rows_of(tones.snapshot().read(THIRD)) == expected
    assert rows_of(tones.snapshot().sql("select * from raw.tones order by name")) == expected
    assert tones.snapshot().sql("select max(hertz) as m from raw.tones where mood is null")["m"].to_pylist() == [440]
    tones.publish(Change.append(THIRD, pa.table({"name": ["c"], "hertz": [523]})))
    assert rows_of(tones.snapshot().sql("select * from raw.tones order by name")) == [*expected, ("c", 523, None)]


def test_an_old_table_is_not_read_until_it_is_asked_for(tones, monkeypatch):
    read = []
    monkeypatch.setattr(snapshots.parts, "read", lambda *args: read.append(args) or pa.table({"name": ["a"], "hertz": [1], "mood": ["x"]}))
    snapshot = tones.snapshot()
    snapshot.sql("select * from core.macro")
    assert read == []
    for _ in range(2):
        assert snapshot.sql("select count(*) as n from raw.tones")["n"].to_pylist() == [2]
    assert len(read) == 2


def test_a_migration_that_does_not_give_the_tables_shape_is_refused(tones):
    wrong = replace(THIRD, migrations=(replace(TO_HERTZ, rows=lambda rows: rows),))
    with pytest.raises(SchemaError, match=r'raw.tones: missing: "hertz"; unknown: "pitch"'):
        tones.snapshot().read(wrong)


def test_what_no_migration_reads_is_refused_by_every_way_of_reading(tones, monkeypatch):
    fifth = replace(THIRD, version=5)
    monkeypatch.setitem(snapshots._DECLARED, "raw.tones", fifth)
    refusal = r"raw.tones: the lake holds schema version 2, this code declares 5; use the release that wrote it, or start a new TRADER_HOME"
    snapshot = tones.snapshot()
    attempts = (
        lambda: snapshot.read(fifth),
        lambda: snapshot.sql("select * from raw.tones"),
        lambda: snapshot.matching(fifth, pa.table({"name": ["a"]})),
        lambda: tones.publish(Change.append(fifth, pa.table({"name": ["c"], "hertz": [1]}))),
    )
    for attempt in attempts:
        with pytest.raises(SchemaError, match=refusal):
            attempt()
    with pytest.raises(Exception, match=refusal):
        snapshot.sql('select * from "raw"."tones"')
    assert snapshot.sql("select count(*) as n from raw.fetch_attempts")["n"].to_pylist() == [0]


def test_what_is_made_again_is_empty_for_flows_and_refused_outside(tmp_path):
    lake = old_lake(tmp_path, core.MACRO, 1)
    commit(lake, core__macro=replace(lake.snapshot().commit.tables["core.macro"], schema_version=0))
    flows = lake.snapshot()
    assert (flows.read(core.MACRO).num_rows, flows.sql("select * from core.macro").num_rows, flows.stale()) == (0, 0, ["core.macro"])
    outside = lakes.open(lake.root.parent)
    for attempt in (lambda: outside.read(core.MACRO), lambda: outside.sql("select * from core.macro")):
        with pytest.raises(SchemaError, match=r"core.macro: .* version 0, .* declares 2 and reads from 1 on; `trader run` makes it again"):
            attempt()
    row = core.MACRO.conform(pa.Table.from_pylist([dict(zip(core.MACRO.arrow_schema.names, EXPECTED["core.macro", 1][0], strict=True))]))
    lake.publish(Change.append(core.MACRO, row))
    assert lake.snapshot().read(core.MACRO).num_rows == 1
    assert lake.snapshot().stale() == []
