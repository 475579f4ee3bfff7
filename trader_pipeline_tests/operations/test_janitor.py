"""The janitor takes what nothing names any more, and nothing else."""

import datetime as dt
import os

import pytest

from trader_pipeline import durable
from trader_pipeline.errors import CorruptPartError
from trader_pipeline.lake import Change, Lake
from trader_pipeline.operations.janitor import KEEP_COMMITS, clean
from trader_pipeline_tests.test_lake import NOTES, notes, stored

NOW = dt.datetime(2026, 1, 10, 12, tzinfo=dt.UTC)


@pytest.fixture
def lake(tmp_path):
    """Ten commits that each replace the table: ten parts, one named by HEAD."""
    made = Lake(tmp_path / "deep" / "lake", "deep")
    for i in range(10):
        made.publish(Change.replace(NOTES, notes(("A", "2020-01-02", i))))
    return made


def age(root, hours):
    moment = (NOW - dt.timedelta(hours=hours)).timestamp()
    for path in root.rglob("*"):
        os.utime(path, (moment, moment))


def everything(lake):
    return sorted(str(path.relative_to(lake.root)) for path in lake.root.rglob("*") if path.is_file())


def test_old_commits_and_their_parts_go_and_the_newest_stay(lake):
    age(lake.root, 25)
    removed = clean(lake, lake.root.parent, now=NOW)
    assert sorted(r.kind for r in removed) == ["commit"] * 5 + ["part"] * 5
    assert len(list((lake.root / "commits").iterdir())) == KEEP_COMMITS == 5
    assert stored(lake) == [("A", "2020-01-02", 9)]
    lake.snapshot().verify()
    assert clean(lake, lake.root.parent, now=NOW) == ()
    lake.publish(Change.replace(NOTES, notes(("A", "2020-01-02", 0))))  # a part that went is written again
    lake.snapshot().verify()


def test_a_dry_run_names_the_same_and_deletes_nothing(lake):
    age(lake.root, 25)
    before = everything(lake)
    named = clean(lake, lake.root.parent, now=NOW, dry_run=True)
    assert len(named) == 10
    assert all(r.size_bytes > 0 for r in named)
    assert everything(lake) == before
    assert clean(lake, lake.root.parent, now=NOW) == named


def test_nothing_younger_than_a_day_goes(lake):
    age(lake.root, 23)
    assert clean(lake, lake.root.parent, now=NOW) == ()


def test_head_stays_however_old_and_however_many_came_after_it(lake):
    first = min((lake.root / "commits").iterdir()).stem
    (lake.root / "HEAD").write_text(first)  # somebody went back
    age(lake.root, 1000)
    clean(lake, lake.root.parent, now=NOW)
    assert stored(lake) == [("A", "2020-01-02", 0)]
    lake.snapshot().verify()


def test_the_parts_of_a_killed_writer_go_after_a_day(lake):
    orphan = lake.root / "parts/core/notes/2020-0123456789abcdef.parquet"
    orphan.write_bytes(b"never committed")
    assert orphan.exists()
    age(lake.root, 25)
    clean(lake, lake.root.parent, now=NOW)
    assert not orphan.exists()


def scratches(lake):
    return {r.path: r.size_bytes for r in clean(lake, lake.root.parent, now=NOW) if r.kind == "scratch"}


def test_rests_of_killed_writers_go_after_an_hour_and_strange_files_stay(lake, tmp_path):
    home = lake.root.parent
    ours = [home / "exports" / ".predictions_2020-02-07.parquet.123-456.tmp", lake.root / ".HEAD.99-99.tmp"]
    scratch = home / "models" / "m1" / ".scratch-abc"
    theirs = [home / "exports" / "mine.tmp", home / ".vimrc.tmp", lake.root / "parts/core/notes/notes.parquet", home / "models/m1/weights"]
    spilled = lake.root / ".spill-0123456789ab"
    for path in (*ours, *theirs, scratch / "epoch.ckpt", spilled / "duckdb_temp_1_0_storage_S32K-0.tmp"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * 10)
    outside = tmp_path / ".other.1-1.tmp"
    outside.write_bytes(b"x")
    age(home, 0.9)
    assert clean(lake, home, now=NOW) == ()
    age(home, 2)
    assert [r.path for r in clean(lake, home, now=NOW)] == sorted(ours)
    age(home, 25)
    assert scratches(lake) == {spilled: 10}
    age(home, 15 * 24)
    with durable.locked(scratch.parent / ".lock"):
        assert scratches(lake) == {}  # somebody trains there
    fresh = scratch / "fold" / "step.safetensors"
    durable.write_atomic(fresh, b"x")
    os.utime(fresh, (NOW.timestamp(), NOW.timestamp()))
    assert scratches(lake) == {}  # cut short just now
    fresh.unlink()
    age(home, 15 * 24)
    assert scratches(lake) == {scratch: 10}
    assert all(path.exists() for path in (*theirs, outside))
    assert not any(path.exists() for path in (*ours, scratch, spilled))


def test_a_bad_head_stops_it(lake):
    age(lake.root, 25)
    (lake.root / "HEAD").write_text("00000099-nothing")
    before = everything(lake)
    with pytest.raises(CorruptPartError):
        clean(lake, lake.root.parent, now=NOW)
    assert everything(lake) == before


def test_a_staged_part_that_lay_there_unnamed_is_new_again(lake):
    staged = lake.stage(NOTES, notes(("B", "2021-01-04", 1)))
    age(lake.root, 25)
    assert lake.stage(NOTES, notes(("B", "2021-01-04", 1))) == staged
    clean(lake, lake.root.parent, now=NOW)
    lake.publish(Change.replace_staged(NOTES, staged))
    assert stored(lake) == [("B", "2021-01-04", 1)]
