"""Which command makes a table that is not there yet: the one place that errors and pages ask.

Tables are made in a chain: data, features, a model, its predictions. What helps is the command of the first link that is missing.
"""

from collections.abc import Callable
from typing import NamedTuple

BRINGS = {
    "deep": "trader demo --sample deep",
    "broad": "trader demo --sample broad",
    "us20": "trader demo --sample us20",
    "simulated": "trader run --source simulated",
    "live": "trader run --source yahoo",
    "own": "trader run --source own --path DIR",
}
"""The command that brings a dataset from nothing to predictions."""


class Link(NamedTuple):
    """A link of the chain is there where the table `by` has rows; `layers` are what it makes. `command` of None is that of `BRINGS`."""

    what: str
    by: str
    layers: frozenset[str]
    command: str | None


CHAIN = (
    Link("data", "core.accepted_bars", frozenset({"raw", "core", "quality"}), None),
    Link("features", "features.panel", frozenset({"features"}), None),
    Link("model", "training.calibration", frozenset({"training", "evaluation"}), "trader train"),
    Link("predictions", "predictions.daily", frozenset({"predictions", "decisions"}), "trader predict"),
)


def missing(table: str, dataset: str, rows: Callable[[str], int]) -> str:
    """Return what the dataset lacks before `table` can have rows, with the command that makes it; `rows` counts a table's.

    Where all is there that the table is made with, the command of its own link wrote nothing to it or did not end.
    """
    for link in CHAIN:
        command = link.command or BRINGS[dataset]
        if not rows(link.by):
            return f"no {link.what} yet: `{command}` makes {'them' if link.what.endswith('s') else 'it'}"
        if table.split(".", maxsplit=1)[0] in link.layers:
            return f"nothing in {table}: `{command}` writes it, but had nothing to write or did not end"
    raise LookupError(f"{table} is of no layer that a command makes; name its layer in schema/makers.py")
