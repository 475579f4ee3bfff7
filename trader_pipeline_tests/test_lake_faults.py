"""Two writers, kill -9 between any two steps, damaged files, a full disk: what was published stays readable."""

import errno
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import duckdb
import pyarrow as pa
import pytest

from trader_pipeline import durable
from trader_pipeline import lake as lakes
from trader_pipeline.errors import CorruptPartError, DiskFullError, NotWritableError
from trader_pipeline.lake import Change, Lake
from trader_pipeline_tests.test_lake import NAMES, NOTES, notes, stored

WRITER = """
import os, signal, sys
from pathlib import Path
import pyarrow as pa
from trader_pipeline.lake import Change, Lake
from trader_pipeline_tests.test_lake import NAMES, NOTES, notes
lake = Lake(Path(sys.argv[1]), "deep")
"""

LOOP = (
    WRITER
    + """
me, times = sys.argv[2], int(sys.argv[3])
for i in range(times):
    lake.publish(
        Change.append(NOTES, notes((f"{me}{i:04d}", "2020-01-02", i))),
        Change.upsert(NAMES, pa.table({"ticker": [f"{me}{i:04d}"]})),
    )
    print(i, flush=True)
"""
)

DIES_AT_EVERY_STEP = (
    WRITER
    + """
from trader_pipeline_tests.killed import at_every_step
def act(root):
    Lake(root, "deep").publish(
        Change.append(NOTES, notes(("B", "2020-01-03", 2), ("B", "2021-01-04", 3))),
        Change.replace(NAMES, pa.table({"ticker": ["B"]})),
    )
at_every_step(Path(sys.argv[1]), Path(sys.argv[2]), act, events=("os.rename", "os.remove", "os.mkdir", "fcntl.flock", "open"))
"""
)


def start(code, *arguments):
    return subprocess.Popen([sys.executable, "-c", code, *map(str, arguments)], stdout=subprocess.PIPE, text=True)


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "lake", "deep")


@pytest.fixture
def published(lake):
    lake.publish(
        Change.append(NOTES, notes(("A", "2019-01-02", 1), ("A", "2020-01-02", 1))), Change.append(NAMES, pa.table({"ticker": ["A"]}))
    )
    return lake


def test_two_writers_lose_nothing(lake):
    times = 30
    writers = [start(LOOP, lake.root, me, times) for me in "XY"]
    said = [writer.communicate(timeout=120)[0].split() for writer in writers]
    assert [int(words[-1]) for words in said] == [times - 1, times - 1]
    wanted = sorted(f"{me}{i:04d}" for me in "XY" for i in range(times))
    snapshot = lake.snapshot()
    assert sorted(snapshot.read(NOTES)["ticker"].to_pylist()) == wanted
    assert sorted(snapshot.read(NAMES)["ticker"].to_pylist()) == wanted
    assert snapshot.commit.number == 2 * times
    snapshot.verify()


def test_killed_at_random_moments_loses_no_finished_publish(lake):
    luck = random.Random(20200207)  # noqa: S311 - moments, not secrets
    done = []
    for life in range(5):
        writer = start(LOOP, lake.root, chr(ord("A") + life), 1000)
        first = writer.stdout.readline()
        time.sleep(luck.uniform(0, 0.25))
        writer.send_signal(signal.SIGKILL)
        rest = writer.stdout.read()
        writer.wait()
        writer.stdout.close()
        done += [f"{chr(ord('A') + life)}{int(i):04d}" for i in (first + rest).split()]
        snapshot = lake.snapshot()
        snapshot.verify()
        tickers = snapshot.read(NOTES)["ticker"].to_pylist()
        assert set(done) <= set(tickers)
        assert sorted(snapshot.read(NAMES)["ticker"].to_pylist()) == sorted(tickers)  # both tables or neither
    assert len(done) >= 5


def test_killed_between_any_two_steps_is_all_or_nothing(published, tmp_path):
    old, new = published.snapshot().commit, None
    outcomes = []
    driver = start(DIES_AT_EVERY_STEP, published.root, tmp_path)
    said, _ = driver.communicate(timeout=200)
    lives = [line.split() for line in said.splitlines()]
    assert [int(status) for _, status in lives] == [*[-signal.SIGKILL] * (len(lives) - 1), 0]
    for root, _ in lives:
        copy = Lake(Path(root), "deep")
        snapshot = copy.snapshot()
        snapshot.verify()
        assert snapshot.rows(NOTES) == len(snapshot.read(NOTES)) == (2 if snapshot.commit == old else 4)
        assert snapshot.read(NAMES)["ticker"].to_pylist() == (["A"] if snapshot.commit == old else ["B"])
        again = copy.publish(
            Change.upsert(NOTES, notes(("B", "2020-01-03", 2), ("B", "2021-01-04", 3))), Change.replace(NAMES, pa.table({"ticker": ["B"]}))
        )
        assert stored(copy) == [("A", "2019-01-02", 1), ("A", "2020-01-02", 1), ("B", "2020-01-03", 2), ("B", "2021-01-04", 3)]
        new = new or again
        assert again == new
        outcomes.append(snapshot.commit == new)
    assert outcomes == sorted(outcomes)  # old up to one step, new from it on
    assert outcomes.count(False) > 20
    assert outcomes.count(True) >= 2


def damage_missing(path):
    path.unlink()


def damage_cut(path):
    path.write_bytes(path.read_bytes()[:-20])


def damage_bit(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 4
    path.write_bytes(data)


def damage_empty(path):
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [damage_missing, damage_cut, damage_bit, damage_empty])
def test_a_damaged_part_is_named_and_other_tables_stay_readable(published, damage):
    warm = published.snapshot()
    assert warm.sql("select * from core.notes").num_rows == 2
    damage(warm.files(NOTES)[1])
    for snapshot in (warm, published.snapshot()):
        readers = (lambda s=snapshot: s.sql("select count(*) from core.notes"), lambda s=snapshot: s.read(NOTES), snapshot.verify)
        for reader in readers:
            with pytest.raises(CorruptPartError, match=r"core.notes: part parts/core/notes/2020-.*trader doctor --mend"):
                reader()
        assert snapshot.sql("select ticker from core.names").to_pylist() == [{"ticker": "A"}]
        assert snapshot.read(NAMES).num_rows == 1
    assert set(published.snapshot().damage()) == {"core.notes"}
    head = published.snapshot().commit
    with pytest.raises(CorruptPartError):
        published.publish(Change.append(NOTES, notes(("B", "2020-01-03", 1))))
    assert published.snapshot().commit == head


def test_a_view_of_a_damaged_table_raises_on_the_bare_connection(published):
    published.snapshot().files(NOTES)[0].unlink()
    with pytest.raises(duckdb.Error, match=r"core.notes: .* run `trader doctor`"):
        published.snapshot().connection.execute("select * from core.notes").fetchall()


def test_dropping_damaged_parts_lets_the_next_run_write_them_again(published):
    bad = published.snapshot().parts(NOTES)[1]
    damage_bit(published.root / bad.path)
    published.drop(paths={bad.path})
    assert stored(published) == [("A", "2019-01-02", 1)]
    published.publish(Change.upsert(NOTES, notes(("A", "2020-01-02", 1))))
    published.snapshot().verify()
    assert published.snapshot().parts(NOTES)[1] == bad


def test_a_bad_head_names_the_newest_whole_commit(published):
    good = (published.root / "HEAD").read_text()
    published.publish(Change.append(NAMES, pa.table({"ticker": ["B"]})))
    newest = published.root / "commits" / f"{(published.root / 'HEAD').read_text()}.json"
    newest.write_bytes(newest.read_bytes().replace(b'"rows": 1', b'"rows": 2'))
    for attempt in (published.snapshot, lambda: lakes.open(published.root.parent)):
        with pytest.raises(CorruptPartError, match=f"the content does not match the id .*; write {good} into it"):
            attempt()
    for text in (b"", b"\xff\xfe", b"00000009-nothing", b"../../HEAD"):
        (published.root / "HEAD").write_bytes(text)
        with pytest.raises(CorruptPartError, match=f"write {good} into it"):
            published.snapshot()
    (published.root / "HEAD").write_text(good)
    assert published.snapshot().sql("select ticker from core.names").to_pylist() == [{"ticker": "A"}]


class Usage(NamedTuple):
    total: int
    used: int
    free: int


def test_the_disk_guard_refuses_before_anything_is_written(published, monkeypatch):
    before = sorted(published.root.rglob("*"))
    monkeypatch.setattr(durable.shutil, "disk_usage", lambda _: Usage(10, 10, 0))
    with pytest.raises(DiskFullError, match=r"0 bytes free, a write of .* Nothing was changed"):
        published.publish(Change.append(NOTES, notes(("B", "2020-01-03", 1))))
    assert sorted(published.root.rglob("*")) == before
    assert stored(published) == [("A", "2019-01-02", 1), ("A", "2020-01-02", 1)]


def test_a_write_that_the_kernel_refuses_changes_nothing(published):
    before = published.snapshot()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300, limits[1]))
    try:
        with pytest.raises(DiskFullError, match=r"File too large; free disk space or move TRADER_HOME\. Nothing was changed"):
            published.publish(Change.append(NOTES, notes(("B", "2020-01-03", 1))))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert published.snapshot().commit == before.commit
    assert not list(published.root.rglob("*.tmp"))
    before.verify()
    published.publish(Change.append(NOTES, notes(("B", "2020-01-03", 1))))


@pytest.mark.parametrize("after", range(6))
def test_a_disk_that_fills_up_during_a_publish_changes_nothing(published, monkeypatch, after):
    calls = []
    real = durable.os.fsync

    def fsync(descriptor):
        calls.append(descriptor)
        if len(calls) > after:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(descriptor)

    before = published.snapshot()
    monkeypatch.setattr(durable.os, "fsync", fsync)
    with pytest.raises((DiskFullError, OSError)):
        published.publish(Change.append(NOTES, notes(("B", "2020-01-03", 1), ("B", "2021-01-04", 1))))
    monkeypatch.setattr(durable.os, "fsync", real)
    assert published.snapshot().commit == before.commit
    before.verify()
    published.publish(Change.append(NOTES, notes(("B", "2020-01-03", 1), ("B", "2021-01-04", 1))))
    assert published.snapshot().rows(NOTES) == 4


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(NotWritableError, match="make the folder writable or set TRADER_HOME"):
        Lake(tmp_path / "file" / "lake", "deep").publish(Change.append(NAMES, pa.table({"ticker": ["A"]})))
