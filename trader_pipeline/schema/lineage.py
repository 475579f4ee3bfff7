"""What a lineage is: from which columns of other tables each column of a table is made, and which are made without any.

An origin is a column that enters the value, or decides what the value is. What only decides which rows there are (a join, a
filter, the newest version of a fact) is none. Raw tables come from vendors and have no lineage.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from trader_pipeline.schema.table import Table

EVERY, WHOLE = "*", "**"
"""In a declaration: every column of the origin's table but its key, and all of them."""
_SAID = {EVERY: "all but the key", WHOLE: "all"}

Reads = Mapping[str, Mapping[str, str]]
"""By the full name of a table: our columns -> its columns, names with commas between. One of ours may stand in several."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """The origins of one table's columns. `made` says of columns without an origin how they come about."""

    table: Table
    reads: Reads
    made: Mapping[str, str]

    def and_reads(self, reads: Reads) -> "Lineage":
        """Return it with more origins, of tables that it does not name yet or of further columns of those that it does."""
        both = {name: {**self.reads.get(name, {})} for name in (*self.reads, *reads)}
        for name, columns in reads.items():
            for ours, theirs in columns.items():
                both[name][ours] = ", ".join(dict.fromkeys([*names(both[name].get(ours, "")), *names(theirs)]))
        return Lineage(table=self.table, reads=both, made=self.made)

    def origins(self, column: str) -> dict[str, tuple[str, ...]]:
        """Return the columns that make `column`, by table, as they are declared: `EVERY` and `WHOLE` stand for many."""
        found = {
            table: tuple(dict.fromkeys(name for ours, theirs in columns.items() if column in names(ours) for name in names(theirs)))
            for table, columns in self.reads.items()
        }
        return {table: theirs for table, theirs in found.items() if theirs}

    def deps(self, column: str, tables: Mapping[str, Table]) -> Iterator[tuple[Table, str]]:
        """Yield table and column of every origin of `column`; `tables` are all that there are, by full name."""
        for table, theirs in self.origins(column).items():
            origin = tables[table]
            many = [c.name for c in origin.columns if WHOLE in theirs or (EVERY in theirs and c.name not in origin.key)]
            for name in dict.fromkeys([*(name for name in theirs if name not in _SAID), *many]):
                yield origin, name

    def how_made(self, column: str) -> str | None:
        """Return how a column without an origin comes about."""
        return next((how for ours, how in self.made.items() if column in names(ours)), None)

    def said(self, column: str) -> str:
        """Return where `column` comes from, for people: `raw.yahoo_bars: Open, splits_after; raw.fmp_bars: adjOpen`."""
        told = [f"{table}: {', '.join(_SAID.get(name, name) for name in theirs)}" for table, theirs in self.origins(column).items()]
        return "; ".join(told) or f"made here: {self.how_made(column)}"


def names(text: str) -> tuple[str, ...]:
    """Return the names of a list with commas between."""
    return tuple(name.strip() for name in text.split(",")) if text else ()


def same(text: str) -> dict[str, str]:
    """Return each name as read from the column of the same name."""
    return {name: name for name in names(text)}
