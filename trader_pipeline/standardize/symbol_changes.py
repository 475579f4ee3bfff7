"""Renames and ends of symbols: as vendors tell them, as the user writes them, and what holds where they differ."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trader_pipeline.errors import InputError
from trader_pipeline.toml_file import Form, read_entries

OWN = "symbols.toml"
"""Source of what the user wrote."""

BARS = "bars"
"""Source of what bars tell of a change that was told: answers about the symbol still are of the security that left it."""

SAME_EVENT = dt.timedelta(days=30)
"""Two tellings of one rename this near to each other are one: vendors differ by some days."""

_EXAMPLE = '[[rename]] from = "FB", to = "META", on = 2022-06-09; or [[end]] symbol = "TWTR", on = 2022-10-28'
_FORMS = {
    "rename": Form(required={"from": str, "to": str, "on": dt.date}, optional={"name": str}),
    "end": Form(required={"symbol": str, "on": dt.date}, optional={"name": str}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SymbolChange:
    """From `changed_on` on, `symbol` meant the security no more; it was `new_symbol` then, or had ended where that is None."""

    symbol: str
    changed_on: dt.date
    new_symbol: str | None
    source: str
    name: str | None = None


def read_own(path: Path) -> tuple[SymbolChange, ...]:
    """Return what the user's symbols.toml says; nothing where there is no file. Raises `InputError`."""
    found = read_entries(path, _FORMS, example=_EXAMPLE)
    for entry in found["rename"]:
        if entry["from"] == entry["to"]:
            raise InputError(f"{path}: {entry}: a rename to itself; take it out")
    return (
        *(_change(entry, entry["from"], entry["to"]) for entry in found["rename"]),
        *(_change(entry, entry["symbol"], None) for entry in found["end"]),
    )


def _change(entry: dict[str, Any], symbol: str, new_symbol: str | None) -> SymbolChange:
    return SymbolChange(symbol=symbol, changed_on=entry["on"], new_symbol=new_symbol, source=OWN, name=entry.get("name"))


def settle(changes: Iterable[SymbolChange]) -> tuple[SymbolChange, ...]:
    """Return one telling of every event, by symbol and day.

    The user's word beats a vendor's, a rename beats an end. Two renames to one symbol on one day, of which the user
    confirms none, are a merger, not renames: both symbols ended, since joining the wrong prices is worse than none.
    """
    ranked = sorted(changes, key=lambda c: (c.source != OWN, c.new_symbol is None, c.changed_on, c.source, c.symbol, c.new_symbol or ""))
    kept: dict[str, list[SymbolChange]] = {}
    for change in ranked:
        others = kept.setdefault(change.symbol, [])
        if change.symbol != change.new_symbol and not any(abs(o.changed_on - change.changed_on) <= SAME_EVENT for o in others):
            others.append(change)
    return tuple(sorted(_unmerged([c for group in kept.values() for c in group]), key=lambda c: (c.symbol, c.changed_on)))


def _unmerged(changes: list[SymbolChange]) -> Iterable[SymbolChange]:
    into: dict[tuple[str | None, dt.date], list[SymbolChange]] = {}
    for change in changes:
        into.setdefault((change.new_symbol, change.changed_on), []).append(change)
    for (new_symbol, day), group in into.items():
        own = [c for c in group if c.source == OWN]
        heirs = own if len(own) == 1 else [] if len(group) > 1 else group
        for change in group:
            ended = SymbolChange(symbol=change.symbol, changed_on=day, new_symbol=None, source=change.source, name=change.name)
            yield change if new_symbol is None or change in heirs else ended
