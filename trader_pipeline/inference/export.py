"""One session's predictions as a file for other programs, with a manifest that says what it is."""

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from trader_pipeline import durable
from trader_pipeline.inference.content import code_version, content_sha256
from trader_pipeline.schema.contracts import MANIFEST_SCHEMA


def export_paths(folder: Path, session: dt.date) -> tuple[Path, Path]:
    """Return where the session's Parquet file and its manifest lie."""
    return folder / f"predictions_{session}.parquet", folder / f"predictions_{session}.manifest.json"


def write_export(folder: Path, rows: pa.Table, *, as_of: dt.datetime) -> Path:
    """Write a session's rows of predictions.daily (snappy) and then the manifest, each atomically; return the Parquet file.

    A reader that checks the manifest's sha256 never takes a file for another session's or for half a one. Rows must not be empty.
    """
    first = rows.slice(0, 1).to_pylist()[0]
    session = first["session"]
    path, manifest_path = export_paths(folder, session)
    sink = pa.BufferOutputStream()
    pq.write_table(rows, sink, compression="snappy")
    data = sink.getvalue().to_pybytes()
    manifest = {
        "schema": MANIFEST_SCHEMA,
        "file": path.name,
        "session": session.isoformat(),
        "rows": rows.num_rows,
        "sha256": durable.sha256_bytes(data),
        "model_id": first["model_id"],
        "data_version": first["data_version"],
        "as_of": as_of.astimezone(dt.UTC).isoformat(),
        "made_at": first["made_at"].astimezone(dt.UTC).isoformat(),
        "content_sha256": content_sha256(rows),
        "code_version": code_version(),
    }
    durable.write_atomic(path, data)
    durable.write_atomic(manifest_path, json.dumps(manifest, indent=1).encode())
    return path


def is_current(folder: Path, rows: pa.Table) -> bool:
    """Say whether the export of the rows' session is there, whole, and of their model and data."""
    first = rows.slice(0, 1).to_pylist()[0]
    manifest = read_manifest(folder, first["session"])
    if manifest is None:
        return False
    path, _ = export_paths(folder, first["session"])
    named = [manifest.get(name) for name in ("schema", "model_id", "data_version", "sha256")]
    return named == [MANIFEST_SCHEMA, first["model_id"], first["data_version"], durable.sha256_file(path)]


def read_manifest(folder: Path, session: dt.date) -> dict[str, Any] | None:
    """Return the manifest of the session's export, None where there is none beside a file, or somebody broke it."""
    path, manifest_path = export_paths(folder, session)
    if not (path.exists() and manifest_path.exists()):
        return None
    try:
        manifest = json.loads(manifest_path.read_bytes())
    except ValueError:
        return None
    return manifest if isinstance(manifest, dict) else None
