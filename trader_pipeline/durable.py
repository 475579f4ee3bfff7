"""Bytes that survive a crash: atomic writes, hashes, the lock, the disk guard."""

import errno
import fcntl
import hashlib
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trader_pipeline.errors import DiskFullError, NotWritableError, TraderError

GUARD_FACTOR = 3
"""Free disk must be this many times what a write needs."""

_CHUNK_BYTES = 1 << 20


def sha256_bytes(data: bytes) -> str:
    """Return the hex digest of `data`."""
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: Path) -> str:
    """Return the hex digest of a file, read in chunks."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def fsync_directory(path: Path) -> None:
    """Make renames inside `path` durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def fsync_file(path: Path) -> None:
    """Make the bytes of `path` durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def ensure_free(folder: Path, needed_bytes: int) -> None:
    """Raise `DiskFullError` unless `folder`'s disk has `GUARD_FACTOR` times `needed_bytes` free."""
    free = shutil.disk_usage(folder).free
    if free < GUARD_FACTOR * needed_bytes:
        raise DiskFullError(
            f"{folder}: {free:,} bytes free, a write of {needed_bytes:,} bytes wants {GUARD_FACTOR * needed_bytes:,}; "
            "free disk space or move TRADER_HOME. Nothing was changed"
        )


def make_folder(path: Path) -> None:
    """Create `path` and its parents, each one durable in its parent. Raises `NotWritableError`."""
    if path.is_dir():
        return
    make_folder(path.parent)
    try:
        path.mkdir(exist_ok=True)
    except OSError as error:
        raise _refused(path, error) from error
    fsync_directory(path.parent)


def write_atomic(path: Path, data: bytes) -> None:
    """Write `data` so that `path` holds either its old bytes or all of the new ones, whatever happens.

    Raises `DiskFullError` or `NotWritableError`; then nothing has changed.
    """
    with atomic_path(path, len(data)) as temporary, temporary.open("wb") as file:
        file.write(data)


@contextmanager
def atomic_path(path: Path, expected_bytes: int = 0) -> Iterator[Path]:
    """Yield a path beside `path` to write to; on a clean exit it is made durable and takes the place of `path`."""
    make_folder(path.parent)
    ensure_free(path.parent, expected_bytes)
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_native_id()}.tmp")
    try:
        yield temporary
        fsync_file(temporary)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise _refused(path, error) from error
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    fsync_directory(path.parent)


def _refused(path: Path, error: OSError) -> TraderError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return DiskFullError(f"{path}: {error.strerror}; free disk space or move TRADER_HOME. Nothing was changed")
    return NotWritableError(f"{path}: {error.strerror}; make the folder writable or set TRADER_HOME to one that is. Nothing was changed")


def folder_sizes(path: Path) -> dict[str, int]:
    """Return the bytes below each entry of `path` (apparent size; links are not followed), largest first. No folder is {}."""
    sizes: dict[str, int] = {}
    for entry in _entries(path):
        sizes[entry.name] = _bytes_below(entry)
    return dict(sorted(sizes.items(), key=lambda item: (-item[1], item[0])))


def _bytes_below(entry: "os.DirEntry[str]") -> int:
    try:
        if entry.is_dir(follow_symlinks=False):
            return sum(_bytes_below(child) for child in _entries(Path(entry.path)))
        return entry.stat(follow_symlinks=False).st_size
    except FileNotFoundError:  # taken away while we looked
        return 0


def _entries(path: Path) -> "list[os.DirEntry[str]]":
    try:
        with os.scandir(path) as found:
            return list(found)
    except (FileNotFoundError, NotADirectoryError):
        return []


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on `path` across threads and processes; the kernel drops it when the holder dies."""
    make_folder(path.parent)
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(file, fcntl.LOCK_UN)


def is_locked(path: Path) -> bool:
    """Say whether a living process holds `locked(path)`; False where there is no such file."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False
