"""Takes damaged parts out of the lake, so that the next run writes them again."""

from collections.abc import Iterable
from dataclasses import dataclass

from trader_pipeline import parts
from trader_pipeline.errors import CorruptPartError
from trader_pipeline.lake import Lake
from trader_pipeline.schema.core import MADE_LATER
from trader_pipeline.schema.features import TARGETS
from trader_pipeline.schema.quality import QUARANTINE
from trader_pipeline.schema.raw import FETCH_ATTEMPTS

_PANEL = "features.panel"
_ALONE = frozenset(table.full_name for table in (*MADE_LATER, FETCH_ATTEMPTS))
"""Tables that one flow writes by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """One part that was taken out of the newest commit. Its file stays until the janitor takes it."""

    table: str
    path: str
    rows: int
    damaged: bool


def mend(lake: Lake) -> tuple[Dropped, ...]:
    """Commit without the damaged parts and return what went; nothing is done to a sound lake.

    Raw, core, quality and feature tables go as a whole, with those that the same flow writes and with the panel, so that a
    run is due and makes them again. Of others (predictions, decisions, training) only the damaged parts go: what they said of
    those years is lost. Versions of raw rows that a vendor no longer sends are lost too.
    """
    snapshot = lake.snapshot()
    damaged = {part.path for name, entry in snapshot.commit.tables.items() for part in entry.parts if _is_damaged(lake, name, part)}
    hurt = [name for name in snapshot.commit.tables if any(part.path in damaged for part in snapshot.parts(name))]
    whole = _made_again(hurt, snapshot.commit.tables)
    dropped = [
        Dropped(table=name, path=part.path, rows=part.rows, damaged=part.path in damaged)
        for name in snapshot.commit.tables
        for part in snapshot.parts(name)
        if name in whole or part.path in damaged
    ]
    if dropped:
        lake.drop(paths=damaged, tables=whole)
    return tuple(dropped)


def _made_again(hurt: Iterable[str], published: Iterable[str]) -> set[str]:
    """Return the tables that go whole: a flow writes all of its tables or none, and looks at one to see whether it must."""
    goes: set[str] = set()
    for name in hurt:
        layer, _, table = name.partition(".")
        if layer not in {"raw", "core", "quality", "features"}:
            continue
        goes |= {name, _PANEL, TARGETS.full_name}
        if name in _ALONE:
            continue
        if layer == "raw":
            source = f"raw.{table.partition('_')[0]}_"
            goes |= {other for other in published if other.startswith(source)} - _ALONE
        elif layer == "core":
            goes |= {other for other in published if other.startswith("core.")} - _ALONE
        elif layer == "quality":
            goes.add(QUARANTINE.full_name)
    return goes


def _is_damaged(lake: Lake, name: str, part: parts.Part) -> bool:
    try:
        parts.check(lake.root, name, part, anew=True)
    except CorruptPartError:
        return True
    return False
