"""The lake at one commit, for reading: Arrow tables, and SQL in an in-memory DuckDB that reaches no other file."""

import datetime as dt
import hashlib
import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

from trader_pipeline import parts
from trader_pipeline.errors import CorruptPartError, NotMadeError, UsageError
from trader_pipeline.parts import Commit, Entry, Part
from trader_pipeline.schema import TABLES, Table, makers

if TYPE_CHECKING:
    import pandas as pd

MEMORY_LIMIT = "4GB"
"""What a query needs beyond it lies in a folder of the lake while the query runs: a year's worth of 6,000 tickers needs none."""

SPILL = ".spill-"
"""How such a folder is called, one a reader: two would write the same files."""

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

_ACTIONS = """
with bars as (
    select ticker, session, source from core.accepted_bars
    where ($as_of is null or known_at <= $as_of) and ($ticker is null or ticker = $ticker)
), leads as (
    select ticker, source as lead, min(session) as low, max(session) as high from bars group by ticker, source
    qualify row_number() over (partition by ticker order by count(*) desc, source) = 1
), newest as (
    select * from core.corporate_actions where ($as_of is null or known_at <= $as_of) and ($ticker is null or ticker = $ticker)
    qualify row_number() over (partition by ticker, session, kind, source order by known_at desc) = 1
), placed as (
    select a.*, l.lead, b.source as of_bar, coalesce(a.session between l.low and l.high, false) as inside from newest a
    left join leads l using (ticker) left join bars b on b.ticker = a.ticker and b.session = a.session
    where a.value <> case a.kind when 'split' then 1.0 else 0.0 end
), chosen as (
    select * from placed p where source = coalesce(case when inside then lead else of_bar end, lead, source)
    and (inside or source = lead or not exists (
        from placed o where o.inside and o.source = o.lead and o.ticker = p.ticker and o.kind = p.kind
        and abs(o.session - p.session) <= $same_days))
    qualify row_number() over (partition by ticker, session, kind order by known_at desc, source) = 1
), repaired as (
    select ticker, session, source, column_name as kind, product(proposed / stored) as ratio, max(applied_since) as repaired_at,
        list(rule) as rules
    from quality.repairs
    where applied and table_name = 'core.corporate_actions' and ($as_of is null or applied_since <= $as_of) group by all
), held as (
    select q.ticker, q.session, q.source, q.item as kind from quality.quarantine q
    left join repaired r on r.ticker = q.ticker and r.session = q.session and r.source = q.source and r.kind = q.item
    where q.table_name = 'core.corporate_actions' and not coalesce(list_contains(r.rules, q.rule), false)
), mended as (
    select c.* exclude (lead, of_bar, inside)
        replace (c.value * coalesce(r.ratio, 1) as value, greatest(c.known_at, r.repaired_at) as known_at)
    from chosen c anti join held using (ticker, session, source, kind) left join repaired r using (ticker, session, source, kind)
)
select * from mended where ($as_of is null or known_at <= $as_of) and (kind = 'split' or value <> 0) order by ticker, session, kind
"""
_SAME_DAYS = 4
"""Two sources that date one split or dividend so near to each other mean the same."""


_DECLARED = {table.full_name: table for table in TABLES}


class Snapshot:
    """The lake at one commit. It stays as it is while writers go on.

    Parts of an older schema version are migrated as they are read. A table of a version that this code cannot read is refused;
    where a run makes it again from raw, it reads as empty for the flows that make it (`remakes`).
    """

    def __init__(self, root: Path, commit: Commit, *, remakes: bool = False) -> None:
        self.root = root
        self.commit = commit
        self.remakes = remakes
        self._unfilled: set[str] = set()
        self._filling = Lock()

    def parts(self, table: Table | str) -> tuple[Part, ...]:
        """Return the parts of a table."""
        entry = self.commit.tables.get(name_of(table))
        return entry.parts if entry else ()

    def files(self, table: Table | str) -> list[Path]:
        """Return the part files of a table."""
        return [self.root / part.path for part in self.parts(table)]

    def rows(self, table: Table | str) -> int:
        """Return how many rows a table has."""
        return sum(part.rows for part in self.parts(table))

    def missing(self, table: Table | str) -> str:
        """Return what the dataset lacks before the table can have rows, with the command that makes it."""
        dataset = self.commit.dataset
        return f"the dataset {dataset} has {makers.missing(name_of(table), dataset, self.rows)}; TRADER_DATASET names another"

    def require(self, table: Table | str) -> None:
        """Raise `NotMadeError` where the table has no row."""
        if not self.rows(table):
            raise NotMadeError(self.missing(table))

    def inputs(self, table: Table | str) -> str | None:
        """Return what the table's last writer said it was derived from.

        None when a part file is gone or cut, or of another schema version, so that it is made again.
        """
        entry = self.commit.tables.get(name_of(table))
        declared = table if isinstance(table, Table) else _DECLARED.get(table)
        whole = entry and all(_size(self.root / part.path) == part.size_bytes for part in entry.parts)
        same = entry and (declared is None or entry.reading(declared) == "same")
        return entry.inputs if entry and whole and same else None

    def stale(self) -> list[str]:
        """Return the tables that a run makes again because they are of another schema version."""
        found = ((name, entry, _DECLARED.get(name)) for name, entry in sorted(self.commit.tables.items()))
        return [name for name, entry, table in found if table and table.made_again and entry.reading(table) in {"migrated", "made again"}]

    def data_version(self, tables: Iterable[Table | str]) -> str:
        """Return sha256 over the sorted (table, schema version, part sha256) of `tables`."""
        facts = []
        for name in sorted({name_of(t) for t in tables}):
            entry = self.commit.tables.get(name)
            facts += [f"{name} {entry.schema_version} {part.sha256}" for part in entry.parts] if entry else [f"{name} empty"]
        return hashlib.sha256("\n".join(sorted(facts)).encode()).hexdigest()

    def read(self, table: Table, columns: Sequence[str] | None = None) -> pa.Table:
        """Return a table's rows, parts in year order, each sorted by the key. Raises `CorruptPartError`, `SchemaError`."""
        pieces = [parts.read(self.root, table, part, columns) for part in self._readable(table)]
        if not pieces:
            empty = table.empty()
            return empty.select(list(columns)) if columns else empty
        return pa.concat_tables(pieces)

    def sql(self, query: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> pa.Table:
        """Run one SELECT over the tables and return Arrow rows. Values go in `parameters`, never in the text.

        Raises `UsageError` for anything but one SELECT, `CorruptPartError` when a table that it names is damaged, and
        `duckdb.Error` for a query that does not fit the tables.
        """
        statements = duckdb.extract_statements(query)
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            raise UsageError("one SELECT at a time: the tables are read-only; `trader export --duckdb FILE` writes a copy of your own")
        lowered = query.lower()
        connection = self.connection
        for name, entry in self.commit.tables.items():
            if name.split(".")[1] in lowered:
                self._prepare(name, entry, named=re.search(rf"\b{re.escape(name)}\b", lowered) is not None)
        return connection.cursor().sql(query, params=parameters or None).to_arrow_table()

    def cursor(self, *tables: Table) -> duckdb.DuckDBPyConnection:
        """Return a cursor of its own over the views, for queries of `tables` that share temporary tables. Raises as `sql` does."""
        for table in tables:
            if entry := self.commit.tables.get(table.full_name):
                self._prepare(table.full_name, entry, named=True)
        return self.connection.cursor()

    def matching(self, table: Table, keys: pa.Table) -> pa.Table:
        """Return a table's rows that agree with a row of `keys` in all columns of `keys`. Raises `CorruptPartError`, `SchemaError`."""
        cursor = self.connection.cursor()
        if entry := self.commit.tables.get(table.full_name):
            self._prepare(table.full_name, entry, named=True)
        cursor.register("wanted", keys)
        columns = ", ".join(f'"{name}"' for name in keys.column_names)
        return cursor.sql(f"select * from {table.full_name} semi join wanted using ({columns})").to_arrow_table()  # noqa: S608 - identifiers come from the schema

    def known(self, table: Table, as_of: dt.datetime) -> pa.Table:
        """Return, for each key without `known_at`, the newest version known at `as_of` (aware), sorted by that key."""
        if as_of.tzinfo is None:
            raise UsageError(f"as_of {as_of} has no time zone; pass an aware instant")
        self._readable(table)
        identity = ", ".join(f'"{name}"' for name in table.key if name != "known_at")
        return self.sql(
            f"select * from {table.full_name} where known_at <= ? "  # noqa: S608 - identifiers come from the schema, the value is bound
            f"qualify row_number() over (partition by {identity} order by known_at desc) = 1 order by {identity}",
            [as_of],
        )

    def actions(self, as_of: dt.datetime | None = None, ticker: str | None = None) -> pa.Table:
        """Return the splits and dividends known at `as_of` (None: by now), one row a ticker, session and kind, sorted by them.

        From the first to the last bar of the source that most of a ticker's accepted bars come from all are that source's: two may
        date one split a session apart, and it would count twice. Outside, where another source carries on, they are those of
        the source of the session's bar. What a source took back is left out, and what the last checks hold. Where the settings
        apply a repair, the cash is the repaired one, known from the instant of the repair on.
        """
        return self.sql(_ACTIONS, {"as_of": as_of, "ticker": ticker, "same_days": _SAME_DAYS})

    def frame(self, name: str) -> "pd.DataFrame":
        """Return a table as pandas, by its name: `frame("predictions.daily")`."""
        layer, _, table = name.partition(".")
        if not (layer.isidentifier() and table.isidentifier()):
            raise UsageError(f"{name!r} is no table name; write layer.table, for example predictions.daily")
        return self.sql(f"select * from {layer}.{table}").to_pandas()  # noqa: S608 - both parts are identifiers

    @cached_property
    def connection(self) -> duckdb.DuckDBPyConnection:
        """An in-memory DuckDB with a view a table (typed and empty where there are no parts); it can reach no other file.

        The view of a table whose parts cannot be opened raises when it is read; the others stay readable.
        """
        spill = {"memory_limit": MEMORY_LIMIT, "temp_directory": str(self.root / f"{SPILL}{uuid.uuid4().hex[:12]}")}
        connection = duckdb.connect(":memory:", config={"threads": 2, **spill})
        connection.execute("set global timezone = 'UTC'")  # global: a cursor does not inherit the session's zone
        connection.execute("set python_enable_replacements = false")
        for layer in sorted({name.split(".")[0] for name in (*_DECLARED, *self.commit.tables)}):
            connection.execute(f"create schema if not exists {layer}")
        for name in sorted({*_DECLARED, *self.commit.tables}):
            self._create_view(connection, name, _DECLARED.get(name))
        allowed = [str(self.root / part.path) for entry in self.commit.tables.values() for part in entry.parts]
        connection.execute("set allowed_paths = ?", [allowed])
        connection.execute("set enable_external_access = false")
        connection.execute("set lock_configuration = true")
        return connection

    def damage(self) -> dict[str, list[CorruptPartError]]:
        """Hash every part anew; return by table what is wrong with its parts. Empty is sound."""
        found: dict[str, list[CorruptPartError]] = {}
        for name, entry in self.commit.tables.items():
            for part in entry.parts:
                try:
                    parts.check(self.root, name, part, anew=True)
                except CorruptPartError as error:
                    found.setdefault(name, []).append(error)
        return found

    def verify(self) -> None:
        """Hash every part against the commit; raise the first `CorruptPartError`."""
        for errors in self.damage().values():
            raise errors[0]

    def _readable(self, table: Table) -> tuple[Part, ...]:
        """Return the parts that are read; none of a table that is made again. Raises `SchemaError`."""
        entry = self.commit.tables.get(table.full_name)
        if entry is None or self._remade(entry, table):
            return ()
        entry.require(table)
        return entry.parts

    def _remade(self, entry: Entry, table: Table | None) -> bool:
        return self.remakes and table is not None and entry.reading(table) == "made again"

    def _prepare(self, name: str, entry: Entry, *, named: bool) -> None:
        """Check the parts that a query may read, and migrate those of an older version. Raises `CorruptPartError`, `SchemaError`."""
        table = _DECLARED.get(name)
        if self._remade(entry, table):
            return
        if table and named:
            entry.require(table)
        for part in entry.parts:
            parts.check(self.root, name, part)
        if table and name in self._unfilled:
            self._fill(table, entry)

    def _fill(self, table: Table, entry: Entry) -> None:
        with self._filling, self.connection.cursor() as cursor:
            if table.full_name not in self._unfilled:
                return
            cursor.begin()
            for part in entry.parts:
                cursor.register("piece", parts.read(self.root, table, part))
                cursor.execute(f"insert into {table.full_name} by name select * from piece")  # noqa: S608 - a name of the schema
            cursor.commit()
            self._unfilled.discard(table.full_name)

    def _create_view(self, connection: duckdb.DuckDBPyConnection, name: str, table: Table | None) -> None:
        """Create a view over the parts, as old as they are.

        A table whose parts must be migrated starts empty and is filled, part by part, when a query first names it; one that
        cannot be read raises when it is.
        """
        entry = self.commit.tables.get(name)
        if entry is None or not entry.parts or self._remade(entry, table):
            if table:
                connection.execute(f"create view {name} as {_typed_nothing(table)}")
            return
        if table and entry.reading(table) in {"made again", "refused"}:
            connection.execute(f"create view {name} as {_raising(str(entry.refusal(table)))}")
            return
        if table and entry.reading(table) == "migrated" and self._rewritten(table, entry):
            connection.execute(f"create table {name} as {_typed_nothing(table)}")
            self._unfilled.add(name)
            return
        files = [str(path) for path in self.files(name)]
        listed = ", ".join(_quoted(file) for file in files)
        late = table is not None and table.reads < table.version
        rows = f"select * from read_parquet([{listed}], hive_partitioning=false, union_by_name={late})"  # noqa: S608 - our own file names
        if table and late:
            rows = f"{_typed_nothing(table)} union all by name {rows}"
        try:
            connection.execute(f"create view {name} as {rows}")
        except duckdb.Error as error:
            connection.execute(f"create view {name} as {_raising(f'{name}: {str(error).splitlines()[0]}; run `trader doctor`')}")

    def _rewritten(self, table: Table, entry: Entry) -> bool:
        return any(table.rewrites(parts.version(self.root, table, part)) for part in entry.parts)


def name_of(table: Table | str) -> str:
    """Return `layer.table`."""
    return table if isinstance(table, str) else table.full_name


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _raising(text: str) -> str:
    return f"select null as damaged where error({_quoted(text)}) is null"


def _typed_nothing(table: Table) -> str:
    columns = ", ".join(f'cast(null as {_SQL_TYPES[c.dtype]}) as "{c.name}"' for c in table.columns)
    return f"select {columns} where false"
