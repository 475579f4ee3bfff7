"""Takes away what nothing names any more: old commits, their parts, the rests of killed writers. Only what the project wrote."""

import datetime as dt
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from trader_pipeline import durable, parts
from trader_pipeline.lake import Lake
from trader_pipeline.parts import Commit
from trader_pipeline.snapshot import SPILL

KEEP = dt.timedelta(hours=24)
"""A commit younger than this stays readable: a reader may have opened it."""

KEEP_COMMITS = 5
"""So many of the newest commits stay whatever their age, to go back to."""

KEEP_SCRATCH = dt.timedelta(days=14)
"""So long a training that was cut short can be gone on with; one that runs is never touched."""

KEEP_TEMPORARY = dt.timedelta(hours=1)
"""No single write takes this long: a temporary file that is older belongs to a writer that was killed."""

_TEMPORARY = re.compile(r"^\..+\.\d+-\d+\.tmp$")
_PART = re.compile(r"^(all|\d{4})-[0-9a-f]{16}\.parquet$")
_COMMIT = re.compile(r"^\d{8}-[0-9a-f]{12}\.json$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """One file, or a folder of a trainer's scratch or of what a query spilled, that goes. `kind` is commit, part, temporary or scratch."""

    path: Path
    kind: str
    size_bytes: int


def clean(lake: Lake, dataset_home: Path, *, now: dt.datetime, dry_run: bool = False) -> tuple[Removal, ...]:
    """Delete (or with `dry_run` only name) what is not needed; return it. Runs under the lake's lock, so no writer is cut across.

    The files of HEAD never go. Raises `CorruptPartError` when HEAD cannot be read: then nothing is deleted.
    """
    with durable.locked(lake.root / ".lock"):
        head = parts.read_head(lake.root)
        kept, old = _sort_commits(lake.root, head, now)
        named = {part.path for commit in kept for entry in commit.tables.values() for part in entry.parts}
        removals = (
            *(_removal(path, "commit") for path in old),
            *(_removal(path, "part") for path in _unnamed_parts(lake.root, named, now)),
            *(_removal(path, "temporary") for path in _temporaries(dataset_home, now)),
            *(_removal(path, "scratch") for path in _scratch(dataset_home, now)),
        )
        if not dry_run:
            for removal in removals:
                _delete(removal)
    return removals


def _sort_commits(root: Path, head: Commit | None, now: dt.datetime) -> tuple[list[Commit], list[Path]]:
    """Return (the commits that stay, HEAD among them; the files of those that go). A file that cannot be read goes when it is old."""
    kept, old = ([head] if head else []), []
    files = [path for path in parts.commit_files(root) if _COMMIT.match(path.name)]
    for position, path in enumerate(reversed(files)):
        if head and path.stem == head.id:
            continue
        try:
            commit = Commit.from_json(path.read_bytes())
        except (ValueError, KeyError, TypeError):
            commit = None
        young = _age(path, now) < KEEP
        if commit and (young or position < KEEP_COMMITS):
            kept.append(commit)
        elif not young:
            old.append(path)
    return kept, old


def _unnamed_parts(root: Path, named: set[str], now: dt.datetime) -> Iterator[Path]:
    for path in sorted((root / "parts").glob("*/*/*.parquet")):
        if _PART.match(path.name) and str(path.relative_to(root)) not in named and _age(path, now) >= KEEP:
            yield path


def _temporaries(dataset_home: Path, now: dt.datetime) -> Iterator[Path]:
    for path in sorted(dataset_home.rglob(".*.tmp")):
        if _TEMPORARY.match(path.name) and path.is_file() and _age(path, now) >= KEEP_TEMPORARY:
            yield path


def _scratch(dataset_home: Path, now: dt.datetime) -> Iterator[Path]:
    for path in sorted((dataset_home / "models").glob("*/.scratch-*")):
        if path.is_dir() and not path.is_symlink() and not durable.is_locked(path.parent / ".lock"):
            newest = min((_age(inside, now) for inside in path.rglob("*")), default=_age(path, now))
            if newest >= KEEP_SCRATCH:
                yield path
    for path in sorted((dataset_home / "lake").glob(f"{SPILL}*")):
        if path.is_dir() and not path.is_symlink() and _age(path, now) >= KEEP:
            yield path


def _delete(removal: Removal) -> None:
    if removal.kind == "scratch":
        shutil.rmtree(removal.path)
    else:
        removal.path.unlink(missing_ok=True)


def _age(path: Path, now: dt.datetime) -> dt.timedelta:
    return now - dt.datetime.fromtimestamp(path.stat().st_mtime, tz=dt.UTC)


def _removal(path: Path, kind: str) -> Removal:
    size = sum(durable.folder_sizes(path).values()) if path.is_dir() else path.stat().st_size
    return Removal(path=path, kind=kind, size_bytes=size)
