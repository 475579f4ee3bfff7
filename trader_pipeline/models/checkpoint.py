"""Trained members on disk: every file atomic and hashed in one manifest that is written last; nothing is ever unpickled."""

import json
from collections.abc import Iterable
from pathlib import Path

from trader_pipeline import durable
from trader_pipeline.errors import CorruptPartError, NoModelError
from trader_pipeline.models import MODELS
from trader_pipeline.models.member import Member
from trader_pipeline.models.seeded import kind_of, named

MANIFEST = "manifest.json"
_MEMBERS = "members"


def save_members(folder: Path, members: Iterable[Member]) -> None:
    """Write members/<name>/<file> under `folder`; `write_manifest` makes them count."""
    for member in members:
        for name, data in member.files().items():
            durable.write_atomic(folder / _MEMBERS / member.name / name, data)


def write_manifest(folder: Path, paths: Iterable[str]) -> str:
    """Write the sha256 of the named files, relative to `folder`, and return the manifest's own. The last write of a run."""
    files = {path: {"sha256": durable.sha256_file(folder / path), "bytes": (folder / path).stat().st_size} for path in sorted(paths)}
    data = json.dumps({"files": files}, indent=1, sort_keys=True).encode()
    durable.write_atomic(folder / MANIFEST, data)
    return durable.sha256_bytes(data)


def member_paths(folder: Path) -> list[str]:
    """Return the saved member files relative to `folder`."""
    return sorted(str(path.relative_to(folder)) for path in (folder / _MEMBERS).glob("*/*") if not path.name.startswith("."))


def read_verified(folder: Path, path: str) -> bytes:
    """Return the bytes of one file of the manifest. Raises `CorruptPartError` when they do not match it."""
    expected = _manifest(folder).get(path)
    if expected is None:
        raise CorruptPartError(f"{folder / MANIFEST} does not name {path}; train again with `trader run`")
    try:
        data = (folder / path).read_bytes()
    except OSError as error:
        raise CorruptPartError(f"{folder / path}: {error}; train again with `trader run`, or restore the folder") from error
    if durable.sha256_bytes(data) != expected["sha256"]:
        raise CorruptPartError(
            f"{folder / path} does not match its hash in {MANIFEST} ({len(data):,} bytes, {expected['bytes']:,} expected); "
            "delete the folder and train again"
        )
    return data


def verify(folder: Path) -> str:
    """Check every file of the manifest and return the manifest's sha256. Raises `CorruptPartError` or `NoModelError`."""
    for path in _manifest(folder):
        read_verified(folder, path)
    return durable.sha256_file(folder / MANIFEST)


def load_members(folder: Path) -> list[Member]:
    """Return the members saved under `folder`, by name. Raises `NoModelError` without a manifest, `CorruptPartError` on a bad file."""
    by_member: dict[str, dict[str, bytes]] = {}
    for path in _manifest(folder):
        parts = Path(path).parts
        if parts[0] == _MEMBERS:
            by_member.setdefault(parts[1], {})[parts[2]] = read_verified(folder, path)
    if unknown := sorted({kind_of(name) for name in by_member} - set(MODELS)):
        raise NoModelError(f"{folder} holds the members {unknown}, this version knows {sorted(MODELS)}; train again")
    return [named(MODELS[kind_of(name)](by_member[name]), name) for name in sorted(by_member)]


def _manifest(folder: Path) -> dict[str, dict[str, str | int]]:
    path = folder / MANIFEST
    if not path.exists():
        raise NoModelError(f"{path} does not exist: that training run did not finish; train again")
    try:
        files: dict[str, dict[str, str | int]] = json.loads(path.read_bytes())["files"]
    except (ValueError, KeyError) as error:
        raise CorruptPartError(f"{path}: {error}; delete the folder and train again") from error
    return files
