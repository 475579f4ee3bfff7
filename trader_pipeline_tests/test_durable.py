"""Atomic writes, hashes, the lock, the guard, sizes."""

import signal
import subprocess
import sys
import threading

import pytest

from trader_pipeline import durable
from trader_pipeline.errors import DiskFullError


def test_hashes_agree_with_the_published_one(tmp_path):
    # FIPS 180-2, appendix B.1: "abc"
    wanted = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert durable.sha256_bytes(b"abc") == wanted
    (tmp_path / "abc").write_bytes(b"abc")
    assert durable.sha256_file(tmp_path / "abc") == wanted
    # FIPS 180-2, appendix B.3: one million times "a", more than a chunk when doubled
    (tmp_path / "many").write_bytes(b"a" * 1_000_000)
    assert durable.sha256_file(tmp_path / "many") == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"


def test_a_write_makes_folders_and_replaces(tmp_path):
    path = tmp_path / "a" / "b" / "c.txt"
    durable.write_atomic(path, b"one")
    durable.write_atomic(path, b"two")
    assert path.read_bytes() == b"two"
    assert [p.name for p in path.parent.iterdir()] == ["c.txt"]


def test_a_failed_writer_leaves_the_old_file_and_no_rest(tmp_path):
    path = tmp_path / "file"
    durable.write_atomic(path, b"old")

    def stop():
        with durable.atomic_path(path) as temporary:
            temporary.write_bytes(b"half")
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        stop()
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_the_guard_wants_three_times_the_write(tmp_path, monkeypatch):
    usage = type("Usage", (), {"free": 299})
    monkeypatch.setattr(durable.shutil, "disk_usage", lambda _: usage)
    durable.ensure_free(tmp_path, 99)
    with pytest.raises(DiskFullError, match="299 bytes free, a write of 100 bytes wants 300"):
        durable.ensure_free(tmp_path, 100)


def test_the_lock_keeps_threads_apart(tmp_path):
    inside, most = [], []

    def work():
        for _ in range(20):
            with durable.locked(tmp_path / ".lock"):
                inside.append(1)
                most.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(most) == 1
    assert len(most) == 80


def test_the_lock_of_a_killed_process_is_free_again(tmp_path):
    code = (
        "import os, signal, sys; from pathlib import Path; from trader_pipeline.durable import locked\n"
        "with locked(Path(sys.argv[1])): os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(tmp_path / ".lock")], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert not durable.is_locked(tmp_path / ".lock")


def test_a_lock_is_seen_from_outside_and_a_missing_file_is_free(tmp_path):
    assert not durable.is_locked(tmp_path / "x")
    with durable.locked(tmp_path / "x"):
        assert durable.is_locked(tmp_path / "x")
    assert not durable.is_locked(tmp_path / "x")


def test_sizes_per_folder(tmp_path):
    (tmp_path / "a" / "deep").mkdir(parents=True)
    (tmp_path / "a" / "x").write_bytes(b"12345")
    (tmp_path / "a" / "deep" / "y").write_bytes(b"123")
    (tmp_path / "b").write_bytes(b"12")
    (tmp_path / "c").symlink_to(tmp_path / "a")
    sizes = durable.folder_sizes(tmp_path)
    assert {k: v for k, v in sizes.items() if k != "c"} == {"a": 8, "b": 2}
    assert sizes["c"] < 200
    assert durable.folder_sizes(tmp_path / "nothing") == {}
