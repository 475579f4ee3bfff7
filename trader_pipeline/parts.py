"""What lies on disk: immutable Parquet parts named by content, and the JSON commit that maps tables to parts."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from threading import Lock

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from trader_pipeline import durable
from trader_pipeline.errors import CorruptPartError, SchemaError
from trader_pipeline.schema import Table
from trader_pipeline.schema.table import Reading

_ROW_GROUP_ROWS = 500_000
_verified: dict[Path, tuple[int, int, str]] = {}
_verified_lock = Lock()


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One immutable Parquet file. `path` is relative to the lake; `year` is None where the table is not split by year."""

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

    def reading(self, table: Table) -> Reading:
        """Say what becomes of the stored version when this code reads it. Where there are no rows, nothing stands in the way."""
        return table.reading(self.schema_version) if self.parts else "same"

    def refusal(self, table: Table) -> SchemaError:
        """Return why this code does not read the stored version of `table`, and what helps."""
        if self.schema_version > table.version:
            mend = "upgrade to the release that wrote it"
        elif table.made_again:
            mend = "`trader run` makes it again from raw"
        else:
            mend = "use the release that wrote it, or start a new TRADER_HOME and run again"
        reads = table.version if table.reads == table.version else f"{table.version} and reads from {table.reads} on"
        return SchemaError(f"{table.full_name}: the lake holds schema version {self.schema_version}, this code declares {reads}; {mend}")

    def require(self, table: Table) -> None:
        """Raise `SchemaError` when this code cannot read the stored version of `table`."""
        if self.reading(table) in {"made again", "refused"}:
            raise self.refusal(table)


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """A consistent set of tables. The id is its number and the hash of everything else, so a changed byte is noticed."""

    number: int
    id: str
    dataset: str
    parent: str = ""
    tables: Mapping[str, Entry] = field(default_factory=dict)

    def to_json(self) -> bytes:
        """Return the canonical bytes."""
        return json.dumps(asdict(self), sort_keys=True, indent=1).encode()

    def named(self) -> "Commit":
        """Return the commit with the id that its content has."""
        digest = hashlib.sha256(replace(self, id="").to_json()).hexdigest()
        return replace(self, id=f"{self.number:08d}-{digest[:12]}")

    @classmethod
    def from_json(cls, data: bytes) -> "Commit":
        """Read what `to_json` wrote; raise `ValueError` when the content does not match the id."""
        raw = json.loads(data)
        tables = {
            name: Entry(schema_version=e["schema_version"], inputs=e["inputs"], parts=tuple(Part(**p) for p in e["parts"]))
            for name, e in raw["tables"].items()
        }
        commit = cls(number=raw["number"], id=raw["id"], dataset=raw["dataset"], parent=raw["parent"], tables=tables)
        if commit.named().id != commit.id:
            raise ValueError(f"the content does not match the id {commit.id}")
        return commit


def read_head(root: Path) -> Commit | None:
    """Return the commit that HEAD names, or None where there is no lake yet. Raises `CorruptPartError`."""
    head = root / "HEAD"
    try:
        name = head.read_text().strip()
        return Commit.from_json((root / "commits" / f"{name}.json").read_bytes())
    except FileNotFoundError as error:
        if not head.exists():
            return None
        raise _bad_head(root, error) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _bad_head(root, error) from error


def commit_files(root: Path) -> list[Path]:
    """Return the commit files, oldest first."""
    return sorted((root / "commits").glob("*.json"))


def _bad_head(root: Path, error: Exception) -> CorruptPartError:
    for path in reversed(commit_files(root)):
        try:
            good = Commit.from_json(path.read_bytes()).id
        except (OSError, ValueError, KeyError, TypeError):
            continue
        return CorruptPartError(f"{root / 'HEAD'}: {error}; write {good} into it: that is the newest commit that is whole")
    return CorruptPartError(f"{root / 'HEAD'}: {error}; no commit is whole: move {root} away and run again")


def check(root: Path, name: str, part: Part, *, anew: bool = False) -> None:
    """Raise `CorruptPartError` unless the part of table `name` has the bytes that the commit promises.

    DuckDB verifies no page checksum: measured, 199 of 200 flipped bits came back as wrong numbers. So every part is
    hashed before a process reads it, once as long as its size and time stand still; `anew` hashes it again.
    """
    path = root / part.path
    mend = f"`trader doctor --mend` takes it out, the next run writes {name} again"
    try:
        stat = path.stat()
    except OSError as error:
        raise CorruptPartError(f"{name}: part {part.path} is missing ({error.strerror}); {mend}") from error
    if stat.st_size != part.size_bytes:
        raise CorruptPartError(f"{name}: part {part.path} has {stat.st_size} bytes where the commit says {part.size_bytes}; {mend}")
    seen = (stat.st_size, stat.st_mtime_ns, part.sha256)
    if not anew and _verified.get(path) == seen:
        return
    if durable.sha256_file(path) != part.sha256:
        raise CorruptPartError(f"{name}: part {part.path} does not match its hash; {mend}")
    with _verified_lock:
        _verified[path] = seen


def read(root: Path, table: Table, part: Part, columns: Sequence[str] | None = None) -> pa.Table:
    """Return the rows of a part of `table`, of an older version as its migrations make them. Raises `CorruptPartError`, `SchemaError`.

    Columns that came after it was written are null.
    """
    check(root, table.full_name, part)
    with pq.ParquetFile(root / part.path) as file:
        version = table.version_of(file.schema_arrow)
        if table.rewrites(version):
            rows = table.upgrade(file.read(), version)
            return rows.select(list(columns)) if columns is not None else rows
        _require_columns(table, part, file.schema_arrow, columns)
        stored = None if columns is None else [name for name in columns if name in file.schema_arrow.names]
        rows = file.read(columns=stored)
    return table.complete(rows, columns).replace_schema_metadata(table.arrow_schema.metadata)


def _require_columns(table: Table, part: Part, stored: pa.Schema, columns: Sequence[str] | None) -> None:
    """Raise `SchemaError` where a part has other columns than its version says: somebody changed them without raising it."""
    have = {field.name: field.type for field in stored}
    want = {c.name: c.dtype for c in table.columns if c.name in have or c.since <= table.version_of(stored)}
    asked = {*have, *want} if columns is None else set(columns) & {*have, *want}
    if other := sorted(name for name in asked if have.get(name) != want.get(name)):
        raise SchemaError(
            f"{table.full_name}: part {part.path} has other columns than version {table.version} declares ({other}); "
            "raise the version, or publish the whole table"
        )


def version(root: Path, table: Table, part: Part) -> int:
    """Return the schema version that a part was written in. A footer that cannot be read says nothing: that of the table."""
    try:
        return table.version_of(pq.read_schema(root / part.path))
    except (OSError, pa.ArrowInvalid):
        return table.version


def write(root: Path, table: Table, rows: pa.Table, year: int | None) -> tuple[Part, ...]:
    """Write rows (conformed, sorted, of one year) as one part and return it; no rows is no part. Same rows, same bytes."""
    if not rows.num_rows:
        return ()
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
    path = root / "parts" / table.layer / table.name / f"{label}-{digest[:16]}.parquet"
    if not path.exists() or durable.sha256_file(path) != digest:
        durable.write_atomic(path, data)
    else:
        path.touch()  # the janitor takes what is old and unnamed
    return (Part(path=str(path.relative_to(root)), year=year, rows=rows.num_rows, size_bytes=len(data), sha256=digest),)


def by_year(parts: Iterable[Part]) -> dict[int | None, tuple[Part, ...]]:
    """Group parts by year."""
    years: dict[int | None, tuple[Part, ...]] = {}
    for part in parts:
        years[part.year] = (*years.get(part.year, ()), part)
    return years


def split_by_year(table: Table, rows: pa.Table) -> Iterator[tuple[int | None, pa.Table]]:
    """Yield (year, rows of that year); one group with year None where the table is not split."""
    if table.year_of is None:
        yield None, rows
        return
    years = pc.year(rows[table.year_of])
    for year in sorted(pc.unique(years).to_pylist()):
        yield year, rows.filter(pc.equal(years, year))
