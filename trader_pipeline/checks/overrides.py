"""What a person decided against the rules: rows let through or kept out, with a reason and a day on which the decision ends."""

import datetime as dt
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from trader_pipeline.errors import InputError
from trader_pipeline.schema.columns import DATE

FILE = "overrides.toml"

RULE = "overrides"
"""The rule that keeps out what people rejected."""

_FIELDS: dict[str, type] = {"ticker": str, "rule": str, "table": str, "source": str, "first": dt.date, "last": dt.date}
_REQUIRED: dict[str, type] = {"ticker": str, "first": dt.date, "last": dt.date, "reason": str, "expires": dt.date}
_EXAMPLE = (
    '[[accept]] ticker = "XYZ", rule = "split_jump", first = 2010-01-04, last = 2021-07-20, reason = "a crash, no split", '
    "expires = 2027-01-31; or [[reject]] with the same fields but rule"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """One decision. `accept` lets rows through that `rule` quarantined (`*`: any rule); `reject` keeps rows of bars out."""

    kind: Literal["accept", "reject"]
    ticker: str
    rule: str
    table: str
    source: str
    first: dt.date
    last: dt.date
    reason: str
    expires: dt.date

    def holds(self, as_of: dt.datetime) -> bool:
        """Say whether the decision still stands on the day of `as_of`; its last day is `expires`."""
        return as_of.date() <= self.expires

    def covers(self, rows: pa.Table) -> pa.Array | pa.ChunkedArray:
        """Return which rows (ticker, session, source) it speaks of."""
        days = pa.scalar(self.first, DATE), pa.scalar(self.last, DATE)
        mask = pc.and_(pc.greater_equal(rows["session"], days[0]), pc.less_equal(rows["session"], days[1]))
        for name in ("ticker", "source"):
            if (value := getattr(self, name)) != "*":
                mask = pc.and_(mask, pc.equal(rows[name], value))
        return mask


def read_overrides(path: Path) -> tuple[Override, ...]:
    """Return what the user's overrides.toml says; nothing where there is no file. Raises `InputError`."""
    try:
        found = tomllib.loads(path.read_text())
    except FileNotFoundError:
        return ()
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{path}: {error}; mend the file") from error
    if unknown := sorted(set(found) - {"accept", "reject"}):
        raise InputError(f"{path}: unknown {unknown}; write {_EXAMPLE}")
    kinds: tuple[Literal["accept"], Literal["reject"]] = ("accept", "reject")
    return tuple(_entry(path, kind, entry) for kind in kinds for entry in _list(path, found, kind))


def let_through(rows: pa.Table, rule: str, table: str, overrides: Iterable[Override]) -> pa.Table:
    """Return the rows that `rule` quarantines in `table`, without those that a person accepted. What a person rejected stays."""
    for override in overrides if rule != RULE else ():
        if override.kind == "accept" and override.rule in ("*", rule) and override.table in ("*", table) and rows.num_rows:
            rows = rows.filter(pc.invert(override.covers(rows)))
    return rows


def standing(overrides: Sequence[Override], as_of: dt.datetime) -> tuple[Override, ...]:
    """Return the decisions that stand at `as_of`."""
    return tuple(override for override in overrides if override.holds(as_of))


def _list(path: Path, found: dict[str, Any], name: str) -> list[dict[str, Any]]:
    entries = found.get(name, [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise InputError(f"{path}: {name} is no list of tables; write {_EXAMPLE}")
    return entries


def _entry(path: Path, kind: Literal["accept", "reject"], entry: dict[str, Any]) -> Override:
    wanted = _REQUIRED | ({"rule": str} if kind == "accept" else {})
    wrong = sorted(key for key, of in wanted.items() if type(entry.get(key)) is not of or not str(entry.get(key)).strip())
    wrong += sorted(key for key, of in _FIELDS.items() if key in entry and key not in wanted and type(entry[key]) is not of)
    if wrong:
        raise InputError(f"{path}: {entry}: {wrong} missing or of the wrong type; write {_EXAMPLE}")
    if unknown := sorted(set(entry) - {*_REQUIRED, *_FIELDS}):
        raise InputError(f"{path}: {entry}: unknown {unknown}; write {_EXAMPLE}")
    if entry["last"] < entry["first"]:
        raise InputError(f"{path}: {entry}: last is before first; exchange them")
    if kind == "reject" and "rule" in entry:
        raise InputError(f"{path}: {entry}: a row is rejected whatever the rules say; take rule out")
    return Override(
        kind=kind,
        ticker=entry["ticker"],
        rule=entry.get("rule", "*"),
        table=entry.get("table", "*"),
        source=entry.get("source", "*"),
        first=entry["first"],
        last=entry["last"],
        reason=entry["reason"],
        expires=entry["expires"],
    )
