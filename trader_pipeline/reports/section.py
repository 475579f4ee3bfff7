"""What a report is made of: sections of blocks, each block with the tables that it was read from."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trader_pipeline.reports.facts import Facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Something that is said. `sources` are the full names of the tables behind it; a claim without one is a bug."""

    sources: tuple[str, ...]
    kind: str = ""

    def __post_init__(self) -> None:
        if not self.sources:
            raise ValueError(f"{self!r} names no source")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bullets(Block):
    """A list of sentences."""

    items: tuple[str, ...]
    kind: str = "bullets"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid(Block):
    """A table of formatted cells. A column whose title starts with `<` is text, the others are figures."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""
    strong_first: bool = False
    kind: str = "grid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure(Block):
    """An SVG picture; `alt` says what it shows to who cannot see it."""

    title: str
    svg: str
    alt: str
    kind: str = "figure"


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """What a section cannot say, and the command that mends it."""

    text: str
    command: str
    kind: str = "missing"


AnyBlock = Block | Missing


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One heading. `build` raises nothing for missing data: it returns a `Missing`. `always` stands in a report without predictions too."""

    key: str
    title: str
    build: Callable[["Facts"], Sequence[AnyBlock]]
    always: bool = False
