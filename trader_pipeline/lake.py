"""Tables as immutable Parquet parts under one commit point; an in-memory DuckDB for reading.

`parts/<layer>/<table>/<year>-<hash>.parquet` never change. `commits/<id>.json` maps every table to its parts. A writer
takes the lock, re-reads HEAD, replaces only its own tables and renames HEAD: the one commit point for any number of
tables. A reader reads HEAD once, so it never sees half a run and is never locked out.
"""

import datetime as dt
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from trader_pipeline import durable
from trader_pipeline.errors import CorruptPartError, UsageError
from trader_pipeline.schema import TABLES, Table

if TYPE_CHECKING:
    import pandas as pd

MAX_PARTS_A_YEAR = 21
_ROW_GROUP_ROWS = 500_000
_SQL_TYPES = {
    pa.string(): "varchar",
    pa.bool_(): "boolean",
    pa.int16(): "smallint",
    pa.int64(): "bigint",
    pa.float32(): "float",
    pa.float64(): "double",
    pa.date32(): "date",
    pa.timestamp("us", tz="UTC"): "timestamptz",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One immutable Parquet file. `year` is None where the table is not split by year."""

    path: str
    year: int | None
    rows: int
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What a commit says of one table. `inputs` is the version of what it was derived from, where the writer said so."""

    schema_version: int
    parts: tuple[Part, ...]
    inputs: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """A consistent set of tables."""

    number: int
    id: str
    dataset: str
    tables: Mapping[str, Entry] = field(default_factory=dict)

    def to_json(self) -> bytes:
        """Return the canonical bytes."""
        return json.dumps(asdict(self), sort_keys=True, indent=1).encode()

    @classmethod
    def from_json(cls, data: bytes) -> "Commit":
        """Read what `to_json` wrote."""
        raw = json.loads(data)
        tables = {
            name: Entry(schema_version=e["schema_version"], inputs=e["inputs"], parts=tuple(Part(**p) for p in e["parts"]))
            for name, e in raw["tables"].items()
        }
        return cls(number=raw["number"], id=raw["id"], dataset=raw["dataset"], tables=tables)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """New rows of one table. Rows in the lake that agree with a new row in all `scope` columns are replaced by them.

    `scope=None` replaces the whole table, `()` replaces nothing. Use the constructors.
    """

    table: Table
    rows: pa.Table
    scope: tuple[str, ...] | None
    inputs: str | None = None

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


class Snapshot:
    """The lake at one commit, for reading."""

    def __init__(self, root: Path, commit: Commit) -> None:
        self.root = root
        self.commit = commit

    def files(self, table: Table | str) -> list[Path]:
        """Return the part files of a table."""
        entry = self.commit.tables.get(_name(table))
        return [self.root / part.path for part in entry.parts] if entry else []

    def rows(self, table: Table | str) -> int:
        """Return how many rows a table has."""
        entry = self.commit.tables.get(_name(table))
        return sum(part.rows for part in entry.parts) if entry else 0

    def inputs(self, table: Table | str) -> str | None:
        """Return what the table's last writer said it was derived from."""
        entry = self.commit.tables.get(_name(table))
        return entry.inputs if entry else None

    def data_version(self, tables: Iterable[Table | str]) -> str:
        """Return sha256 over the sorted (table, schema version, part sha256) of `tables`."""
        facts = []
        for name in sorted({_name(t) for t in tables}):
            entry = self.commit.tables.get(name)
            facts += [f"{name} {entry.schema_version} {part.sha256}" for part in entry.parts] if entry else [f"{name} empty"]
        return hashlib.sha256("\n".join(sorted(facts)).encode()).hexdigest()

    def read(self, table: Table, columns: Sequence[str] | None = None) -> pa.Table:
        """Return a table's rows, parts in year order, each sorted by the key. Raises `CorruptPartError`."""
        pieces = [_read_part(self.root, part, columns) for part in self._parts(table)]
        if not pieces:
            empty = table.empty()
            return empty.select(list(columns)) if columns else empty
        return pa.concat_tables(pieces)

    def sql(self, query: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> pa.Table:
        """Run one SELECT over the tables and return Arrow rows. Values go in `parameters`, never in the text."""
        try:
            return self.connection.cursor().sql(query, params=parameters or None).to_arrow_table()
        except (duckdb.IOException, duckdb.InvalidInputException) as error:
            if "parquet" in str(error).lower() or "No files" in str(error) or "Snappy" in str(error) or "ZSTD" in str(error):
                self.verify()
                raise CorruptPartError(f"{self.root}: {error}; run `trader doctor`") from error
            raise

    def known(self, table: Table, as_of: dt.datetime) -> pa.Table:
        """Return, for each key without `known_at`, the newest version known at `as_of`."""
        identity = ", ".join(f'"{name}"' for name in table.key if name != "known_at")
        return self.sql(
            f"select * from {table.full_name} where known_at <= ? "  # noqa: S608 - identifiers come from the schema, the value is bound
            f"qualify row_number() over (partition by {identity} order by known_at desc) = 1 order by {identity}",
            [as_of],
        )

    def frame(self, name: str) -> "pd.DataFrame":
        """Return a table as pandas, by its name: `frame("predictions.daily")`."""
        layer, _, table = name.partition(".")
        if not (layer.isidentifier() and table.isidentifier()):
            raise UsageError(f"{name!r} is no table name; write layer.table, for example predictions.daily")
        return self.sql(f"select * from {layer}.{table}").to_pandas()  # noqa: S608 - both parts are identifiers

    @cached_property
    def connection(self) -> duckdb.DuckDBPyConnection:
        """An in-memory DuckDB with a view a table (typed and empty where there are no parts); it can reach no other file."""
        connection = duckdb.connect(":memory:", config={"threads": 2})
        connection.execute("set timezone = 'UTC'")
        known = {t.full_name: t for t in TABLES}
        for layer in {name.split(".")[0] for name in (*known, *self.commit.tables)}:
            connection.execute(f"create schema if not exists {layer}")
        allowed: list[str] = []
        for name in sorted({*known, *(n for n, e in self.commit.tables.items() if e.parts)}):
            files = [str(path) for path in self.files(name)]
            if files:
                listed = ", ".join("'" + f.replace("'", "''") + "'" for f in files)
                connection.execute(f"create view {name} as select * from read_parquet([{listed}], hive_partitioning=false)")  # noqa: S608 - our own file names
                allowed += files
            else:
                connection.execute(f"create view {name} as {_typed_nothing(known[name])}")
        connection.execute("set allowed_paths = ?", [allowed])
        connection.execute("set enable_external_access = false")
        connection.execute("set lock_configuration = true")
        return connection

    def verify(self) -> None:
        """Hash every part against the commit; raise `CorruptPartError` that names the first bad one."""
        for name, entry in self.commit.tables.items():
            for part in entry.parts:
                path = self.root / part.path
                if not path.exists():
                    raise CorruptPartError(f"{name}: part {part.path} is missing; restore it, or re-run the asset that writes {name}")
                if durable.sha256_file(path) != part.sha256:
                    raise CorruptPartError(
                        f"{name}: part {part.path} does not match its hash; delete it and re-run the asset that writes {name}"
                    )

    def _parts(self, table: Table | str) -> tuple[Part, ...]:
        entry = self.commit.tables.get(_name(table))
        return entry.parts if entry else ()


class Lake:
    """One dataset's tables under `root`. `dataset` is written into the first commit and must agree ever after."""

    def __init__(self, root: Path, dataset: str) -> None:
        self.root = root
        self.dataset = dataset

    def snapshot(self) -> Snapshot:
        """Return the newest commit, for reading."""
        return Snapshot(self.root, self._head())

    def publish(self, *changes: Change) -> Commit:
        """Commit all `changes` at once, or nothing. A commit that changes no table leaves HEAD as it is."""
        prepared = [replace(c, rows=c.table.sorted(c.table.conform(c.rows))) for c in changes]
        self.root.mkdir(parents=True, exist_ok=True)
        durable.ensure_free(self.root, sum(c.rows.nbytes for c in prepared))
        with durable.locked(self.root / ".lock"):
            head = self._head()
            tables = dict(head.tables)
            for change in prepared:
                entry = tables.get(change.table.full_name) or Entry(schema_version=change.table.version, parts=())
                tables[change.table.full_name] = self._apply(entry, change)
            if tables == head.tables:
                return head
            return self._commit(head, tables)

    def _head(self) -> Commit:
        head = self.root / "HEAD"
        if not head.exists():
            return Commit(number=0, id="empty", dataset=self.dataset)
        path = self.root / "commits" / f"{head.read_text().strip()}.json"
        try:
            commit = Commit.from_json(path.read_bytes())
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CorruptPartError(f"{path}: {error}; point {head} at an older file of {path.parent}") from error
        if commit.dataset != self.dataset:
            raise UsageError(f"{self.root} holds the dataset {commit.dataset!r}, this run is for {self.dataset!r}; set TRADER_DATASET")
        return commit

    def _commit(self, head: Commit, tables: Mapping[str, Entry]) -> Commit:
        draft = Commit(number=head.number + 1, id="", dataset=self.dataset, tables=tables)
        commit = replace(draft, id=f"{draft.number:08d}-{hashlib.sha256(head.id.encode() + draft.to_json()).hexdigest()[:12]}")
        durable.write_atomic(self.root / "commits" / f"{commit.id}.json", commit.to_json())
        durable.write_atomic(self.root / "HEAD", commit.id.encode())
        return commit

    def _apply(self, entry: Entry, change: Change) -> Entry:
        table, old = change.table, {} if change.scope is None else _by_year(entry.parts)
        new = dict(_split(table, change.rows))
        across = change.scope is not None and change.scope != () and table.year_of not in change.scope
        for year in sorted({*new, *(old if across else ())}, key=str):
            rows = new.get(year, table.empty())
            if not change.scope:
                old[year] = self._append(table, old.get(year, ()), rows, year)
            else:
                kept = _without(self._read(old.get(year, ())), change.rows, change.scope)
                old[year] = self._write(table, table.sorted(pa.concat_tables([kept, rows]) if kept is not None else rows), year)
        parts = tuple(part for year in sorted(old, key=str) for part in old[year])
        return Entry(schema_version=table.version, parts=parts, inputs=change.inputs)

    def _append(self, table: Table, parts: tuple[Part, ...], rows: pa.Table, year: int | None) -> tuple[Part, ...]:
        if not rows.num_rows:
            return parts
        old = self._read(parts)
        if old is None:
            return self._write(table, rows, year)
        merged = table.sorted(pa.concat_tables([old, rows]))
        if len(parts) >= MAX_PARTS_A_YEAR:
            return self._write(table, merged, year)
        return (*parts, *self._write(table, rows, year))

    def _read(self, parts: tuple[Part, ...]) -> pa.Table | None:
        return pa.concat_tables([_read_part(self.root, part) for part in parts]) if parts else None

    def _write(self, table: Table, rows: pa.Table, year: int | None) -> tuple[Part, ...]:
        if not rows.num_rows:
            return ()
        folder = self.root / "parts" / table.layer / table.name
        folder.mkdir(parents=True, exist_ok=True)
        label = "all" if year is None else str(year)
        sink = pa.BufferOutputStream()
        text_columns = [c.name for c in table.columns if pa.types.is_string(c.dtype)]
        pq.write_table(
            rows.replace_schema_metadata(table.arrow_schema.metadata),
            sink,
            compression="zstd",
            row_group_size=_ROW_GROUP_ROWS,
            use_dictionary=text_columns or False,
            write_page_checksum=True,
        )
        data = sink.getvalue().to_pybytes()
        digest = durable.sha256_bytes(data)
        path = folder / f"{label}-{digest[:16]}.parquet"
        if not path.exists() or path.stat().st_size != len(data):
            durable.write_atomic(path, data)
        return (Part(path=str(path.relative_to(self.root)), year=year, rows=rows.num_rows, size_bytes=len(data), sha256=digest),)


def open(home: str | Path) -> Snapshot:  # noqa: A001 - lake.open(home) is what a notebook writes
    """Return the newest state of the lake of a dataset home: `lake.open(".trader/deep").frame("predictions.daily")`."""
    root = Path(home) / "lake"
    if not (root / "HEAD").exists():
        raise UsageError(
            f"{root} holds no lake; run `trader demo`, or name the folder of one dataset, for example ~/.local/share/trader/deep"
        )
    name = (root / "HEAD").read_text().strip()
    return Snapshot(root, Commit.from_json((root / "commits" / f"{name}.json").read_bytes()))


def _typed_nothing(table: Table) -> str:
    columns = ", ".join(f'cast(null as {_SQL_TYPES[c.dtype]}) as "{c.name}"' for c in table.columns)
    return f"select {columns} where false"


def _name(table: Table | str) -> str:
    return table if isinstance(table, str) else table.full_name


def _by_year(parts: tuple[Part, ...]) -> dict[int | None, tuple[Part, ...]]:
    years: dict[int | None, tuple[Part, ...]] = {}
    for part in parts:
        years[part.year] = (*years.get(part.year, ()), part)
    return years


def _split(table: Table, rows: pa.Table) -> Iterable[tuple[int | None, pa.Table]]:
    if table.year_of is None:
        yield None, rows
        return
    years = pc.year(rows[table.year_of])
    for year in sorted(pc.unique(years).to_pylist()):
        yield year, rows.filter(pc.equal(years, year))


def _without(old: pa.Table | None, new: pa.Table, scope: tuple[str, ...]) -> pa.Table | None:
    if old is None:
        return None
    replaced = new.select(list(scope)).group_by(list(scope)).aggregate([])
    return old.join(replaced, keys=list(scope), join_type="left anti").select(old.column_names).cast(old.schema)


def _read_part(root: Path, part: Part, columns: Sequence[str] | None = None) -> pa.Table:
    path = root / part.path
    try:
        table = pq.ParquetFile(path, page_checksum_verification=True).read(columns=list(columns) if columns else None)
    except (OSError, pa.ArrowException) as error:
        raise CorruptPartError(f"{path}: {error}; the part is damaged: delete it and re-run the asset that writes it") from error
    if table.num_rows != part.rows:
        raise CorruptPartError(f"{path}: {table.num_rows} rows where the commit says {part.rows}; re-run the asset that writes it")
    return table
