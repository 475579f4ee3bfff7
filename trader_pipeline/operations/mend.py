"""Takes damaged parts out of the lake, so that the next run writes them again."""

from dataclasses import dataclass

from trader_pipeline import parts
from trader_pipeline.errors import CorruptPartError
from trader_pipeline.lake import Lake

REMADE = frozenset({"raw", "core", "quality", "features"})
"""Layers that a run makes again as a whole: with one part gone, the others of the table go too, or rows would be missing unseen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """One part that was taken out of the newest commit. Its file stays until the janitor takes it."""

    table: str
    path: str
    rows: int
    damaged: bool


def mend(lake: Lake) -> tuple[Dropped, ...]:
    """Commit without the damaged parts and return what went; nothing is done to a sound lake.

    A table of `REMADE` goes as a whole and the next run makes it again; of others (predictions, decisions, training) only
    the damaged parts go: what they said of those years is lost.
    """
    snapshot = lake.snapshot()
    dropped = []
    for name, entry in snapshot.commit.tables.items():
        bad = {part.path for part in entry.parts if _is_damaged(lake, name, part)}
        goes = [part for part in entry.parts if bad and (part.path in bad or name.split(".")[0] in REMADE)]
        dropped += [Dropped(table=name, path=part.path, rows=part.rows, damaged=part.path in bad) for part in goes]
    if dropped:
        lake.drop({part.path for part in dropped})
    return tuple(dropped)


def _is_damaged(lake: Lake, name: str, part: parts.Part) -> bool:
    try:
        parts.check(lake.root, name, part, anew=True)
    except CorruptPartError:
        return True
    return False
