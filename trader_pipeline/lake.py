"""Tables as immutable Parquet parts under one commit point.

`parts/<layer>/<table>/<year>-<hash>.parquet` never change. `commits/<id>.json` maps every table to its parts. A writer
takes the lock, re-reads HEAD, replaces only its own tables and renames HEAD: the one commit point for any number of
tables. A reader reads HEAD once, so it never sees half a run and is never locked out.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from trader_pipeline import durable, parts
from trader_pipeline.errors import NotMadeError, UsageError
from trader_pipeline.parts import Commit, Entry, Part
from trader_pipeline.schema import Table, makers
from trader_pipeline.snapshot import Snapshot

__all__ = ["MAX_PARTS_A_YEAR", "Change", "Commit", "Entry", "Lake", "Part", "Snapshot", "open"]

MAX_PARTS_A_YEAR = 21
"""An append to a year that has this many parts merges them, but for those that are large beside the rest."""

LARGE = 4
"""So many times the rows of all smaller parts together: such a part is left alone, or 20 small appends would rewrite a year each day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """New rows of one table. Rows in the lake that agree with a new row in all `scope` columns are replaced by them.

    `scope=None` replaces the whole table, `()` replaces nothing. With `outdated` it is its rows that say what is replaced, and not the
    new ones. Use the constructors.
    """

    table: Table
    rows: pa.Table
    scope: tuple[str, ...] | None
    inputs: str | None = None
    staged: tuple[Part, ...] | None = None
    outdated: pa.Table | None = None

    @classmethod
    def replace(cls, table: Table, rows: pa.Table, *, inputs: str | None = None) -> "Change":
        """Make the rows the whole table."""
        return cls(table=table, rows=rows, scope=None, inputs=inputs)

    @classmethod
    def append(cls, table: Table, rows: pa.Table, *, inputs: str | None = None) -> "Change":
        """Add the rows; a key that is already there is an error."""
        return cls(table=table, rows=rows, scope=(), inputs=inputs)

    @classmethod
    def upsert(cls, table: Table, rows: pa.Table, *, by: tuple[str, ...] = (), inputs: str | None = None) -> "Change":
        """Replace the rows that agree in `by` (the key, unless said otherwise) and add the rest."""
        return cls(table=table, rows=rows, scope=by or table.key, inputs=inputs)

    @classmethod
    def replace_where(cls, table: Table, rows: pa.Table, outdated: pa.Table, *, inputs: str | None = None) -> "Change":
        """Put the rows in the place of those that agree with a row of `outdated` in all of its columns, be there new ones or not."""
        return cls(table=table, rows=rows, scope=tuple(outdated.column_names), inputs=inputs, outdated=outdated)

    @classmethod
    def replace_staged(cls, table: Table, staged: tuple[Part, ...], *, inputs: str | None = None) -> "Change":
        """Make parts that `Lake.stage` wrote the whole table. No key may be in two of them: that is not looked at again."""
        return cls(table=table, rows=table.empty(), scope=None, inputs=inputs, staged=staged)


class Lake:
    """One dataset's tables under `root`. `dataset` is written into the first commit and must agree ever after."""

    def __init__(self, root: Path, dataset: str) -> None:
        self.root = root
        self.dataset = dataset

    def snapshot(self) -> Snapshot:
        """Return the newest commit, for flows: what they make again from raw reads as empty until they did."""
        return Snapshot(self.root, self._head(), remakes=True)

    def publish(self, *changes: Change) -> Commit:
        """Commit all `changes` at once, or nothing. A commit that changes no table leaves HEAD as it is.

        Raises `SchemaError`, `CorruptPartError` (a part that must be merged is damaged), `DiskFullError`.
        """
        prepared = [replace(c, rows=c.table.sorted(c.table.conform(c.rows))) for c in changes]
        durable.make_folder(self.root)
        durable.ensure_free(self.root, sum(c.rows.nbytes for c in prepared))
        with durable.locked(self.root / ".lock"):
            head = self._head()
            tables = dict(head.tables)
            for change in prepared:
                name = change.table.full_name
                tables[name] = self._apply(tables.get(name) or Entry(schema_version=change.table.version, parts=()), change)
            return self._commit(head, tables)

    def stage(self, table: Table, rows: pa.Table) -> tuple[Part, ...]:
        """Write rows as parts that no commit names yet, so that a table larger than memory can be replaced at once.

        Parts that are never published go with the janitor.
        """
        ordered = table.sorted(table.conform(rows))
        durable.make_folder(self.root)
        durable.ensure_free(self.root, ordered.nbytes)
        return tuple(p for year, part in parts.split_by_year(table, ordered) for p in parts.write(self.root, table, part, year))

    def drop(self, *, paths: Collection[str] = (), tables: Collection[str] = ()) -> Commit:
        """Commit without `tables` and without the parts at `paths` (as in `Part.path`); what loses one forgets its inputs. Files stay."""
        with durable.locked(self.root / ".lock"):
            head = self._head()
            left = {}
            for name, entry in head.tables.items():
                kept = tuple(part for part in entry.parts if part.path not in paths)
                if name in tables:
                    continue
                if kept == entry.parts:
                    left[name] = entry
                elif kept:
                    left[name] = replace(entry, parts=kept, inputs=None)
            return self._commit(head, left)

    def _head(self) -> Commit:
        commit = parts.read_head(self.root)
        if commit is None:
            return _none(self.dataset)
        if commit.dataset != self.dataset:
            raise UsageError(f"{self.root} holds the dataset {commit.dataset!r}, this run is for {self.dataset!r}; set TRADER_DATASET")
        return commit

    def _commit(self, head: Commit, tables: Mapping[str, Entry]) -> Commit:
        if tables == head.tables:
            return head
        commit = Commit(number=head.number + 1, id="", dataset=self.dataset, parent=head.id, tables=tables).named()
        durable.write_atomic(self.root / "commits" / f"{commit.id}.json", commit.to_json())
        durable.write_atomic(self.root / "HEAD", commit.id.encode())
        return commit

    def _apply(self, entry: Entry, change: Change) -> Entry:
        table, scope = change.table, change.scope
        if change.staged is not None:
            for part in change.staged:
                parts.check(self.root, table.full_name, part)
            ordered = tuple(sorted(change.staged, key=lambda part: (str(part.year), part.path)))
            return Entry(schema_version=table.version, parts=ordered, inputs=change.inputs)
        years: dict[int | None, tuple[Part, ...]] = {}
        if scope is not None and entry.reading(table) != "made again":
            entry.require(table)
            years = parts.by_year(self._migrated(table, entry))
        new = dict(parts.split_by_year(table, change.rows))
        across = bool(scope) and (change.outdated is not None or table.year_of not in (scope or ()))
        for year in sorted({*new, *(years if across else ())}, key=str):
            old, rows = years.get(year, ()), new.get(year, table.empty())
            merged = self._replace(table, old, rows, change) if scope and old else None
            years[year] = merged if merged is not None else self._append(table, old, rows, year)
        ordered = tuple(part for year in sorted(years, key=str) for part in years[year])
        return Entry(schema_version=table.version, parts=ordered, inputs=change.inputs)

    def _migrated(self, table: Table, entry: Entry) -> tuple[Part, ...]:
        """Return the entry's parts, those that a migration rewrites written anew: once a table is written, none is left."""
        if entry.reading(table) == "same":
            return entry.parts
        found: list[Part] = []
        for part in entry.parts:
            old = table.rewrites(parts.version(self.root, table, part))
            found += parts.write(self.root, table, parts.read(self.root, table, part), part.year) if old else (part,)
        return tuple(found)

    def _replace(self, table: Table, old: tuple[Part, ...], rows: pa.Table, change: Change) -> tuple[Part, ...] | None:
        """Return the year's parts with `rows` in the place of those in the change's scope, or None when none are in it."""
        scope = list(change.scope or ())
        replaced = (change.rows if change.outdated is None else change.outdated).select(scope).group_by(scope).aggregate([])
        if not self._read(table, old, scope).join(replaced, keys=scope, join_type="left semi").num_rows:
            return None
        before = self._read(table, old)
        kept = before.join(replaced, keys=scope, join_type="left anti").select(before.column_names).cast(before.schema)
        after = table.sorted(pa.concat_tables([kept, rows]))
        if after.equals(table.sorted(before)):
            return old
        return parts.write(self.root, table, after, old[0].year)

    def _append(self, table: Table, old: tuple[Part, ...], rows: pa.Table, year: int | None) -> tuple[Part, ...]:
        if not (old and rows.num_rows):
            return (*old, *parts.write(self.root, table, rows, year))
        left, merged = (old, ()) if len(old) < MAX_PARTS_A_YEAR else _large_and_small(old, rows.num_rows)
        if left:
            keys = self._read(table, left, table.key)
            first = table.year_of or table.key[0]
            near = keys.filter(pc.is_in(keys[first], value_set=pc.unique(rows[first])))
            table.sorted(pa.concat_tables([near, rows.select(list(table.key))]))
        if merged:
            rows = table.sorted(pa.concat_tables([self._read(table, merged), rows]))
        return (*left, *parts.write(self.root, table, rows, year))

    def _read(self, table: Table, old: tuple[Part, ...], columns: Collection[str] | None = None) -> pa.Table:
        wanted = table.arrow_schema if columns is None else pa.schema([table.arrow_schema.field(name) for name in columns])
        pieces = []
        for part in old:
            piece = parts.read(self.root, table, part, list(columns) if columns else None)
            pieces.append(piece.select(wanted.names))
        return pa.concat_tables(pieces).replace_schema_metadata(wanted.metadata)


def _none(dataset: str) -> Commit:
    return Commit(number=0, id="empty", dataset=dataset)


def _large_and_small(old: tuple[Part, ...], rows: int) -> tuple[tuple[Part, ...], tuple[Part, ...]]:
    """Return the parts that are left alone, at most one for every factor of `LARGE` in their rows, and those to merge with new `rows`."""
    ordered = sorted(old, key=lambda part: (-part.rows, part.path))
    left = 0
    while left < len(ordered) and ordered[left].rows > LARGE * (sum(part.rows for part in ordered[left + 1 :]) + rows):
        left += 1
    return tuple(ordered[:left]), tuple(ordered[left:])


def open(home: str | Path) -> Snapshot:  # noqa: A001 - lake.open(home) is what a notebook writes
    """Return the newest state of the lake of a dataset home: `lake.open(".trader/deep").frame("predictions.daily")`.

    Raises `NotMadeError` where the dataset has none yet, `UsageError` where the folder is not that of a dataset.
    """
    root = Path(home) / "lake"
    commit = parts.read_head(root)
    if commit is None:
        dataset = root.parent.name
        if dataset not in makers.BRINGS:
            raise UsageError(f"{root} holds no lake; name the folder of one dataset, for example ~/.local/share/trader/deep")
        others = sorted(path.parent.name for path in root.parent.parent.glob("*/lake") if parts.read_head(path) is not None)
        named = f", TRADER_DATASET chooses among {', '.join(others)}" if others else ""
        raise NotMadeError(f"{root} holds no lake: {Snapshot(root, _none(dataset)).missing('core.accepted_bars')}{named}")
    return Snapshot(root, commit)
