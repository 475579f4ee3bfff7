"""What a person decided against the rules: rows let through or kept out, with a reason and a day on which the decision ends."""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from trader_pipeline.errors import InputError, near
from trader_pipeline.schema.columns import DATE
from trader_pipeline.toml_file import Form, Kind, read_entries

if TYPE_CHECKING:
    from trader_pipeline.checks.rule import Rule

FILE = "overrides.toml"

RULE = "overrides"
"""The rule that keeps out what people rejected."""

_REQUIRED: dict[str, Kind] = {"ticker": str, "first": dt.date, "last": dt.date, "reason": str, "expires": dt.date}
_FORMS = {
    "accept": Form(required=_REQUIRED | {"rule": str}, optional={"table": str, "source": str}),
    "reject": Form(required=_REQUIRED, optional={"table": str, "source": str, "rule": str}),
}
_EXAMPLE = (
    '[[accept]] ticker = "XYZ", rule = "split_jump", first = 2010-01-04, last = 2021-07-20, reason = "a crash, no split", '
    "expires = 2027-01-31; or [[reject]] with the same fields but rule"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """One decision. `accept` lets rows through that `rule` quarantined (`*`: any rule); `reject` keeps rows of bars out.

    `ended`: `expires` was past when the file was read, whatever instant is judged.
    """

    kind: Literal["accept", "reject"]
    ticker: str
    rule: str
    table: str
    source: str
    first: dt.date
    last: dt.date
    reason: str
    expires: dt.date
    ended: bool = False

    def covers(self, rows: pa.Table) -> pa.Array | pa.ChunkedArray:
        """Return which rows (ticker, session, source) it speaks of."""
        days = pa.scalar(self.first, DATE), pa.scalar(self.last, DATE)
        mask = pc.and_(pc.greater_equal(rows["session"], days[0]), pc.less_equal(rows["session"], days[1]))
        for name in ("ticker", "source"):
            if (value := getattr(self, name)) != "*":
                mask = pc.and_(mask, pc.equal(rows[name], value))
        return mask


def read_overrides(path: Path, rules: Sequence["Rule"], *, today: dt.date) -> tuple[Override, ...]:
    """Return what the user's overrides.toml says of `rules`; nothing where there is no file. Raises `InputError`.

    A decision's last day is `expires`: one that is before `today` ended.
    """
    found = read_entries(path, _FORMS, example=_EXAMPLE)
    known = {"rule": sorted(rule.name for rule in rules), "table": sorted({rule.table.full_name for rule in rules})}
    kinds: tuple[Literal["accept"], Literal["reject"]] = ("accept", "reject")
    return tuple(_override(path, kind, entry, known, today) for kind in kinds for entry in found[kind])


def accepts(rule: "Rule", overrides: Iterable[Override]) -> tuple[Override, ...]:
    """Return the standing decisions that let through what `rule` quarantines. What a person rejected stays out."""
    named = [o for o in overrides if o.kind == "accept" and not o.ended and o.rule in ("*", rule.name)]
    return tuple(o for o in named if o.table in ("*", rule.table.full_name)) if rule.name != RULE else ()


def let_through(rows: pa.Table, accepted: Iterable[Override]) -> pa.Table:
    """Return the rows (ticker, session, source) without those that a person accepted."""
    for override in accepted if rows.num_rows else ():
        rows = rows.filter(pc.invert(override.covers(rows)))
    return rows


def _override(
    path: Path, kind: Literal["accept", "reject"], entry: Mapping[str, Any], known: Mapping[str, Sequence[str]], today: dt.date
) -> Override:
    if entry["last"] < entry["first"]:
        raise InputError(f"{path}: {entry}: last is before first; exchange them")
    if kind == "reject" and "rule" in entry:
        raise InputError(f"{path}: {entry}: a row is rejected whatever the rules say; take rule out")
    for field, names in known.items():
        if (value := entry.get(field, "*")) not in ("*", *names):
            raise InputError(f"{path}: {entry}: {value!r} is no {field}; {near(value, names)}")
    return Override(**{"kind": kind, "rule": "*", "table": "*", "source": "*", "ended": entry["expires"] < today, **entry})
