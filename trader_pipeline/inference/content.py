"""What a session's predictions say, as one hash, and where two sets of them differ."""

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa

import trader_pipeline
from trader_pipeline.schema.outputs import DAILY

STAMPS = ("data_version", "made_at", "run_id")
"""Columns that say where a row comes from and not what it says: parts of later sessions change the data version."""

_NAMES = tuple(column.name for column in DAILY.columns if column.name not in STAMPS)


def content_sha256(rows: pa.Table) -> str:
    """Return the hash of rows of predictions.daily, sorted by the key, without `STAMPS`: bit by bit, whatever file they came from."""
    digest = hashlib.sha256()
    for name in _NAMES:
        digest.update(name.encode())
        digest.update("\x1f".join("\x00" if value is None else _told(value) for value in rows[name].to_pylist()).encode())
    return digest.hexdigest()


def differences(published: pa.Table, rebuilt: pa.Table) -> list[dict[str, Any]]:
    """Return each cell in which the two differ: ticker, horizon_sessions, column, published, rebuilt. A row that one lacks is one."""
    ours, theirs = (_by_key(rows) for rows in (published, rebuilt))
    found = []
    for key in sorted({*ours, *theirs}):
        one, other = ours.get(key), theirs.get(key)
        cell = {"ticker": key[0], "horizon_sessions": key[1]}
        if one is None or other is None:
            found.append(cell | {"column": "the whole row", "published": _there(one), "rebuilt": _there(other)})
            continue
        found += [cell | {"column": name, "published": one[name], "rebuilt": other[name]} for name in _NAMES if one[name] != other[name]]
    return found


@cache
def code_version() -> str:
    """Return the package's version and a hash of its sources: `0.1.0+3fa9c81d20b7`."""
    root = Path(trader_pipeline.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes())
    return f"{trader_pipeline.__version__}+{digest.hexdigest()[:12]}"


def _told(value: object) -> str:
    return value.hex() if isinstance(value, float) else str(value)


def _there(row: Mapping[str, Any] | None) -> str:
    return "absent" if row is None else "there"


def _by_key(rows: pa.Table) -> dict[tuple[str, int], dict[str, Any]]:
    return {(row["ticker"], row["horizon_sessions"]): row for row in rows.select(list(_NAMES)).to_pylist()}
