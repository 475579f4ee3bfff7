"""Bytes that survive a crash: atomic writes, hashes, the lock, the disk guard."""

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trader_pipeline.errors import DiskFullError

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


def write_atomic(path: Path, data: bytes) -> None:
    """Write `data` so that `path` holds either its old bytes or all of the new ones, whatever happens."""
    path.parent.mkdir(parents=True, exist_ok=True)
    ensure_free(path.parent, len(data))
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise DiskFullError(f"{path}: {error}; nothing was changed") from error
    fsync_directory(path.parent)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on `path` across threads and processes; the kernel drops it when the holder dies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(file, fcntl.LOCK_UN)
