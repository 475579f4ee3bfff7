"""What a publish does to the lake, and what a reader sees."""

import datetime as dt
import json
from dataclasses import replace

import pyarrow as pa
import pytest

from trader_pipeline import lake as lakes
from trader_pipeline.errors import CorruptPartError, NotMadeError, SchemaError, UsageError
from trader_pipeline.lake import MAX_PARTS_A_YEAR, Change, Lake
from trader_pipeline.schema import TABLES, core, raw
from trader_pipeline.schema.columns import count, day, text
from trader_pipeline.schema.table import Table

NOTES = Table(
    layer="core",
    name="notes",
    key=("ticker", "session"),
    year_of="session",
    description="A table of the tests.",
    columns=(text("ticker", "Symbol."), day("session", "Session."), count("value", "-", "Value.")),
)
NAMES = Table(layer="core", name="names", key=("ticker",), description="Not split by year.", columns=(text("ticker", "Symbol."),))


def notes(*rows):
    tickers, sessions, values = zip(*rows, strict=True)
    return pa.table({"ticker": tickers, "session": [dt.date.fromisoformat(s) for s in sessions], "value": values})


def stored(lake, table=NOTES):
    rows = lake.snapshot().read(table).to_pylist()
    return sorted((r["ticker"], r["session"].isoformat(), r["value"]) for r in rows)


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "lake", "deep")


def test_replace_is_the_whole_table(lake):
    lake.publish(Change.replace(NOTES, notes(("A", "2019-01-02", 1), ("A", "2020-01-02", 2))))
    lake.publish(Change.replace(NOTES, notes(("B", "2020-01-02", 3))))
    assert stored(lake) == [("B", "2020-01-02", 3)]
    assert [part.year for part in lake.snapshot().parts(NOTES)] == [2020]


def test_append_keeps_what_is_there_and_refuses_a_repeat(lake):
    lake.publish(Change.append(NOTES, notes(("A", "2020-01-02", 1))))
    lake.publish(Change.append(NOTES, notes(("A", "2020-01-03", 2), ("A", "2021-01-04", 3))))
    head = lake.snapshot().commit.id
    with pytest.raises(SchemaError, match=r"core.notes: 1 rows repeat a key, first ticker=A, session=2020-01-03"):
        lake.publish(Change.append(NOTES, notes(("A", "2020-01-03", 9), ("B", "2022-01-03", 9))))
    assert lake.snapshot().commit.id == head
    assert stored(lake) == [("A", "2020-01-02", 1), ("A", "2020-01-03", 2), ("A", "2021-01-04", 3)]


def test_append_leaves_other_years_unread_and_unchanged(lake):
    lake.publish(Change.append(NOTES, notes(("A", "2019-01-02", 1), ("A", "2020-01-02", 1))))
    before = lake.snapshot()
    damaged = before.files(NOTES)[0]
    damaged.write_bytes(b"gone")
    lake.publish(Change.append(NOTES, notes(("A", "2020-01-03", 2))))
    assert lake.snapshot().parts(NOTES)[0] == before.parts(NOTES)[0]


def test_upsert_by_key_replaces_and_adds(lake):
    lake.publish(Change.append(NOTES, notes(("A", "2020-01-02", 1), ("B", "2020-01-02", 1), ("A", "2019-01-02", 1))))
    lake.publish(Change.upsert(NOTES, notes(("A", "2020-01-02", 5), ("C", "2021-01-04", 6))))
    assert stored(lake) == [("A", "2019-01-02", 1), ("A", "2020-01-02", 5), ("B", "2020-01-02", 1), ("C", "2021-01-04", 6)]


def test_upsert_by_session_takes_out_every_row_of_that_session_only(lake):
    lake.publish(Change.append(NOTES, notes(("A", "2020-01-02", 1), ("B", "2020-01-02", 1), ("A", "2020-01-03", 1))))
    lake.publish(Change.upsert(NOTES, notes(("C", "2020-01-02", 7)), by=("session",)))
    assert stored(lake) == [("A", "2020-01-03", 1), ("C", "2020-01-02", 7)]


def test_upsert_by_ticker_reaches_across_years_and_leaves_untouched_years_as_they_are(lake):
    lake.publish(Change.append(NOTES, notes(("A", "2018-01-02", 1), ("A", "2019-01-02", 1), ("B", "2020-01-02", 1))))
    before = {part.year: part for part in lake.snapshot().parts(NOTES)}
    lake.publish(Change.upsert(NOTES, notes(("A", "2021-01-04", 7)), by=("ticker",)))
    assert stored(lake) == [("A", "2021-01-04", 7), ("B", "2020-01-02", 1)]
    after = {part.year: part for part in lake.snapshot().parts(NOTES)}
    assert set(after) == {2020, 2021}
    assert after[2020] == before[2020]


def test_replace_where_takes_out_what_is_outdated_also_where_nothing_is_new(lake):
    lake.publish(
        Change.append(NOTES, notes(("A", "2019-01-02", 1), ("A", "2020-01-02", 1), ("B", "2019-01-02", 1), ("B", "2020-01-02", 1)))
    )
    lake.publish(Change.replace_where(NOTES, notes(("B", "2020-01-03", 2)), pa.table({"ticker": ["B"], "session": [dt.date(2019, 1, 2)]})))
    assert stored(lake) == [("A", "2019-01-02", 1), ("A", "2020-01-02", 1), ("B", "2020-01-02", 1), ("B", "2020-01-03", 2)]
    lake.publish(Change.replace_where(NOTES, NOTES.empty(), pa.table({"ticker": ["B"]})))
    assert stored(lake) == [("A", "2019-01-02", 1), ("A", "2020-01-02", 1)]
    head = lake.snapshot().commit
    assert lake.publish(Change.replace_where(NOTES, NOTES.empty(), pa.table({"ticker": ["B"]}))) == head


def test_upsert_of_new_rows_adds_a_part_and_of_the_same_rows_changes_nothing(lake):
    lake.publish(Change.append(NOTES, notes(("A", "2020-01-02", 1))))
    lake.publish(Change.upsert(NOTES, notes(("A", "2020-01-03", 2)), by=("session",)))
    snapshot = lake.snapshot()
    assert len(snapshot.parts(NOTES)) == 2
    assert lake.publish(Change.upsert(NOTES, notes(("A", "2020-01-02", 1)))) == snapshot.commit


def test_publishing_the_same_keeps_head_and_bytes(lake, tmp_path):
    rows = notes(("B", "2020-01-02", 2), ("A", "2020-01-02", 1))
    first = lake.publish(Change.replace(NOTES, rows, inputs="v1"))
    assert lake.publish(Change.replace(NOTES, rows.take([1, 0]), inputs="v1")) == first
    other = Lake(tmp_path / "other", "deep")
    second = other.publish(Change.replace(NOTES, rows.take([1, 0]), inputs="v1"))
    assert second == first
    assert [f.read_bytes() for f in other.snapshot().files(NOTES)] == [f.read_bytes() for f in lake.snapshot().files(NOTES)]


def test_a_year_is_compacted_past_21_parts(lake):
    sessions = [(dt.date(2020, 1, 1) + dt.timedelta(days=i)).isoformat() for i in range(30)]
    counts = []
    for i, session in enumerate(sessions):
        lake.publish(Change.append(NOTES, notes(("A", session, i))))
        counts.append(len(lake.snapshot().parts(NOTES)))
    assert counts == [*range(1, MAX_PARTS_A_YEAR + 1), *range(1, 10)]
    assert stored(lake) == [("A", s, i) for i, s in enumerate(sessions)]


def test_a_merge_leaves_a_large_part_alone_and_still_finds_a_repeated_key(lake):
    lake.publish(Change.append(NOTES, notes(*((f"L{i:03}", "2020-01-02", i) for i in range(200)))))
    (large,) = lake.snapshot().parts(NOTES)
    for i in range(MAX_PARTS_A_YEAR - 1):
        lake.publish(Change.append(NOTES, notes((f"S{i:03}", "2020-01-02", i))))
    assert len(lake.snapshot().parts(NOTES)) == MAX_PARTS_A_YEAR
    for repeated in ("L007", "S007"):
        with pytest.raises(SchemaError, match="repeat a key"):
            lake.publish(Change.append(NOTES, notes((repeated, "2020-01-02", 0))))
    lake.publish(Change.append(NOTES, notes(("T", "2020-01-02", 0))))
    parts = lake.snapshot().parts(NOTES)
    assert large in parts
    assert sorted(part.rows for part in parts) == [MAX_PARTS_A_YEAR, 200]
    assert len(stored(lake)) == 200 + MAX_PARTS_A_YEAR


def test_many_tables_are_seen_together(lake):
    lake.publish(Change.replace(NOTES, notes(("A", "2020-01-02", 1))), Change.replace(NAMES, pa.table({"ticker": ["A"]})))
    bad = pa.table({"ticker": ["B", "B"]})
    with pytest.raises(SchemaError, match="repeat a key"):
        lake.publish(Change.replace(NOTES, notes(("B", "2020-01-02", 2))), Change.replace(NAMES, bad))
    assert lake.snapshot().read(NAMES)["ticker"].to_pylist() == ["A"]
    assert stored(lake) == [("A", "2020-01-02", 1)]


def test_a_reader_keeps_its_snapshot_while_a_writer_commits(lake):
    lake.publish(Change.append(NOTES, notes(("A", "2020-01-02", 1))))
    old = lake.snapshot()
    lake.publish(Change.replace(NOTES, notes(("B", "2020-01-02", 2))))
    assert old.sql("select ticker from core.notes").to_pylist() == [{"ticker": "A"}]
    assert old.read(NOTES)["ticker"].to_pylist() == ["A"]
    assert lake.snapshot().sql("select ticker from core.notes").to_pylist() == [{"ticker": "B"}]


def test_another_datasets_lake_is_refused(lake):
    lake.publish(Change.append(NAMES, pa.table({"ticker": ["A"]})))
    other = Lake(lake.root, "broad")
    for attempt in (other.snapshot, lambda: other.publish(Change.append(NAMES, pa.table({"ticker": ["B"]})))):
        with pytest.raises(UsageError, match=r"holds the dataset 'deep', this run is for 'broad'; set TRADER_DATASET"):
            attempt()


def test_no_lake_is_a_clear_error(tmp_path):
    with pytest.raises(NotMadeError, match="holds no lake: the dataset live has no data yet: `trader run --source yahoo` makes it"):
        lakes.open(tmp_path / "live")
    with pytest.raises(UsageError, match="holds no lake; name the folder of one dataset"):
        lakes.open(tmp_path / "home")


def test_where_another_dataset_has_a_lake_it_is_named(tmp_path):
    Lake(tmp_path / "own" / "lake", "own").publish(Change.append(NAMES, pa.table({"ticker": ["A"]})))
    with pytest.raises(NotMadeError, match=r"`trader demo --sample deep` makes it; .* TRADER_DATASET chooses among own"):
        lakes.open(tmp_path / "deep")


def test_an_older_schema_version_is_named(lake):
    old = replace(NAMES, layer="raw")
    lake.publish(Change.append(old, pa.table({"ticker": ["A"]})))
    newer = replace(old, version=2)
    for attempt in (lambda: lake.snapshot().read(newer), lambda: lake.publish(Change.append(newer, pa.table({"ticker": ["B"]})))):
        with pytest.raises(SchemaError, match="the lake holds schema version 1, this code declares 2; use the release that wrote it"):
            attempt()
    lake.publish(Change.replace(newer, pa.table({"ticker": ["B"]})))
    assert lake.snapshot().read(newer)["ticker"].to_pylist() == ["B"]
    with pytest.raises(SchemaError, match="the lake holds schema version 2, this code declares 1; upgrade to the release that wrote it"):
        lake.snapshot().read(old)


def test_columns_changed_without_a_version_are_named(lake):
    lake.publish(Change.append(NAMES, pa.table({"ticker": ["A"]})))
    wider = Table(
        layer="core", name="names", key=("ticker",), description="-", columns=(*NAMES.columns, text("city", "City.", nullable=True))
    )
    with pytest.raises(SchemaError, match=r"other columns than version 1 declares \(\['city'\]\); raise the version"):
        lake.publish(Change.upsert(wider, pa.table({"ticker": ["A"]})))


def test_known_is_what_was_known(lake):
    def bar(close, known):
        return {
            "ticker": "A",
            "session": dt.date(2020, 1, 2),
            "known_at": dt.datetime.fromisoformat(known),
            "source": "own",
            **dict.fromkeys(("open", "high", "low", "close"), close),
            "volume_shares": 1.0,
            "close_usd": close,
        }

    table = core.ACCEPTED_BARS
    rows = [bar(10.0, "2020-01-02T21:30:00+00:00"), bar(11.0, "2020-03-01T12:00:00+00:00")]
    lake.publish(Change.append(table, pa.Table.from_pylist(rows, schema=table.arrow_schema)))
    snapshot = lake.snapshot()

    def known(moment):
        return snapshot.known(table, dt.datetime.fromisoformat(moment))["close"].to_pylist()

    assert known("2020-01-02T21:29:59+00:00") == []
    assert known("2020-01-02T21:30:00+00:00") == [10.0]
    assert known("2020-01-02T16:30:00-05:00") == [10.0]
    assert known("2020-03-01T11:59:59+00:00") == [10.0]
    assert known("2020-03-01T12:00:00+00:00") == [11.0]
    with pytest.raises(UsageError, match="no time zone"):
        known("2020-03-01T12:00:00")
    assert snapshot.known(table, dt.datetime(2020, 3, 2, tzinfo=dt.UTC)).schema.field("known_at").type == pa.timestamp("us", tz="UTC")


@pytest.mark.parametrize("table", TABLES, ids=lambda t: t.full_name)
def test_an_empty_table_has_the_types_of_a_full_one(lake, table):
    wanted = {c.name: c.dtype for c in table.columns}
    columns = ", ".join(f'"{c.name}"' for c in table.columns)
    found = lake.snapshot().sql(f"select {columns} from {table.full_name}")  # noqa: S608 - names of the schema
    assert {f.name: f.type for f in found.schema} == wanted
    assert found.num_rows == 0


def test_data_version_follows_content_alone(lake):
    empty = lake.snapshot().data_version([NOTES, NAMES])
    lake.publish(Change.append(NOTES, notes(("A", "2020-01-02", 1))), Change.append(NAMES, pa.table({"ticker": ["A"]})))
    one = lake.snapshot().data_version([NOTES])
    assert one == lake.snapshot().data_version(["core.notes"])
    assert lake.snapshot().data_version([NOTES, NAMES]) not in {empty, one}
    lake.publish(Change.append(NAMES, pa.table({"ticker": ["B"]})))
    assert lake.snapshot().data_version([NOTES]) == one
    lake.publish(Change.append(NOTES, notes(("B", "2020-01-02", 1))))
    assert lake.snapshot().data_version([NOTES]) != one


def test_inputs_are_kept_until_a_part_file_goes(lake):
    lake.publish(Change.replace(NOTES, notes(("A", "2020-01-02", 1)), inputs="abc"))
    assert lake.snapshot().inputs(NOTES) == "abc"
    lake.snapshot().files(NOTES)[0].unlink()
    assert lake.snapshot().inputs(NOTES) is None
    lake.publish(Change.replace(NOTES, notes(("A", "2020-01-02", 1)), inputs="abc"))
    assert stored(lake) == [("A", "2020-01-02", 1)]


def test_a_commit_names_everything_a_reader_needs(lake):
    lake.publish(Change.append(NOTES, notes(("A", "2020-01-02", 1))))
    name = (lake.root / "HEAD").read_text()
    commit = json.loads((lake.root / "commits" / f"{name}.json").read_text())
    part = commit["tables"]["core.notes"]["parts"][0]
    assert commit["dataset"] == "deep"
    assert (part["year"], part["rows"]) == (2020, 1)
    assert (lake.root / part["path"]).stat().st_size == part["size_bytes"]


def test_frame_is_pandas(lake):
    lake.publish(Change.append(NAMES, pa.table({"ticker": ["A"]})))
    assert lake.snapshot().frame("core.names").to_dict("list") == {"ticker": ["A"]}
    with pytest.raises(UsageError, match="no table name"):
        lake.snapshot().frame("core.names; drop")


def test_every_key_is_of_columns_that_allow_no_null_and_holds_the_year():
    for table in TABLES:
        nullable = {c.name: c.nullable for c in table.columns}
        assert not [name for name in table.key if nullable[name]], table.full_name
        assert table.year_of is None or table.year_of in table.key, table.full_name
    assert raw.YAHOO_BARS.year_of == "Date"


def test_staged_parts_become_the_table(lake):
    lake.publish(Change.append(NOTES, notes(("A", "2019-01-02", 1))))
    staged = (*lake.stage(NOTES, notes(("B", "2020-01-02", 2))), *lake.stage(NOTES, notes(("C", "2020-01-02", 3))))
    assert stored(lake) == [("A", "2019-01-02", 1)]
    lake.publish(Change.replace_staged(NOTES, staged))
    assert stored(lake) == [("B", "2020-01-02", 2), ("C", "2020-01-02", 3)]


def test_a_staged_part_that_is_gone_is_not_published(lake):
    staged = lake.stage(NOTES, notes(("A", "2020-01-02", 1)))
    (lake.root / staged[0].path).unlink()
    with pytest.raises(CorruptPartError, match="is missing"):
        lake.publish(Change.replace_staged(NOTES, staged))
    assert not lake.snapshot().rows(NOTES)
