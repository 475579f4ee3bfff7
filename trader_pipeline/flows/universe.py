"""Named lists of tickers in universe.toml: read, add, keep the dates."""

import datetime as dt
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from trader_pipeline import durable
from trader_pipeline.errors import UsageError
from trader_pipeline.sources.listings import with_hyphen
from trader_pipeline.toml_file import read_toml

_NAME = re.compile(r"^[A-Za-z0-9_-]+$")
_TICKER = re.compile(r"^[A-Z0-9^][A-Z0-9.\-^=]{0,14}$")


def lists(path: Path) -> dict[str, list[dict[str, Any]]]:
    """Return every list of `universe.toml`: members with `ticker` and `added`. No file is no list. Raises `UsageError`."""
    found = read_toml(path)
    try:
        return {
            name: [{"ticker": str(member["ticker"]), "added": member["added"]} for member in table["members"]]
            for name, table in found.items()
        }
    except (KeyError, TypeError) as error:
        raise UsageError(f'{path}: {error!r}; a list is written [name] and members = [{{ticker = "AAPL", added = 2020-01-02}}]') from error


def require_tickers(tickers: Iterable[str]) -> None:
    """Raise `UsageError` for what cannot be a ticker: two of them in one, a path, lower case."""
    if bad := [ticker for ticker in tickers if not _TICKER.match(ticker)]:
        raise UsageError(f"{', '.join(map(repr, bad))}: no ticker looks like that; write them one by one, for example AAPL BRK-B VOD.L")


def add(path: Path, name: str, tickers: Iterable[str], *, added: dt.date) -> list[dict[str, Any]]:
    """Add tickers to the list `name` and return its members. BRK.B is BRK-B; one that is there keeps its date. Raises `UsageError`."""
    if not _NAME.match(name):
        raise UsageError(f"{name!r} is no list name; use letters, digits, - and _")
    wanted = [with_hyphen(ticker.upper()) for ticker in tickers]
    require_tickers(wanted)
    with durable.locked(path.with_name(f".{path.name}.lock")):
        everything = lists(path)
        members = everything.setdefault(name, [])
        there = {with_hyphen(member["ticker"]) for member in members}
        members += [{"ticker": ticker, "added": added} for ticker in dict.fromkeys(wanted) if ticker not in there]
        durable.write_atomic(path, _as_toml(everything).encode())
    return members


def _as_toml(everything: dict[str, list[dict[str, Any]]]) -> str:
    blocks = []
    for name, members in everything.items():
        lines = [f'  {{ticker = "{member["ticker"]}", added = {member["added"]}}},' for member in members]
        blocks.append("\n".join([f"[{name}]", "members = [", *lines, "]"]))
    return "\n\n".join(blocks) + "\n"
