"""Lakes as an older release left them."""

from pathlib import Path

import pyarrow.parquet as pq

from trader_pipeline import durable
from trader_pipeline.lake import Commit, Entry, Lake, Part

OLD_VERSIONS = Path(__file__).parent / "resources" / "old_versions"


def old_file(table: str, version: int) -> Path:
    """Return the part of that version that is kept among the resources."""
    return OLD_VERSIONS / f"{table}-{version}.parquet"


def old_part(lake: Lake, table: str, version: int, year: int | None) -> Part:
    """Put the kept part into the lake and return it."""
    data = old_file(table, version).read_bytes()
    digest = durable.sha256_bytes(data)
    path = f"parts/{table.replace('.', '/')}/{'all' if year is None else year}-{digest[:16]}.parquet"
    durable.write_atomic(lake.root / path, data)
    rows = pq.read_metadata(lake.root / path).num_rows
    return Part(path=path, year=year, rows=rows, size_bytes=len(data), sha256=digest)


def commit(lake: Lake, **entries: Entry) -> Commit:
    """Make `entries` (core__macro=...) part of the newest commit."""
    head = lake.snapshot().commit
    tables = dict(head.tables) | {name.replace("__", "."): entry for name, entry in entries.items()}
    made = Commit(number=head.number + 1, id="", dataset=lake.dataset, parent=head.id, tables=tables).named()
    durable.write_atomic(lake.root / "commits" / f"{made.id}.json", made.to_json())
    durable.write_atomic(lake.root / "HEAD", made.id.encode())
    return made
