"""One session's predictions as a file for other programs, with a manifest that says what it is."""

import datetime as dt
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from trader_pipeline import durable
from trader_pipeline.schema.contracts import MANIFEST_SCHEMA


def export_paths(folder: Path, session: dt.date) -> tuple[Path, Path]:
    """Return where the session's Parquet file and its manifest lie."""
    return folder / f"predictions_{session}.parquet", folder / f"predictions_{session}.manifest.json"


def write_export(folder: Path, rows: pa.Table, *, session: dt.date, as_of: dt.datetime) -> Path:
    """Write the session's rows of predictions.daily (snappy) and then the manifest, each atomically; return the Parquet file.

    A reader that checks the manifest's sha256 never takes a file for another session's or for half a one. Rows must not be empty.
    """
    path, manifest_path = export_paths(folder, session)
    sink = pa.BufferOutputStream()
    pq.write_table(rows, sink, compression="snappy")
    data = sink.getvalue().to_pybytes()
    first = rows.slice(0, 1).to_pylist()[0]
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
    }
    durable.write_atomic(path, data)
    durable.write_atomic(manifest_path, json.dumps(manifest, indent=1).encode())
    return path


def is_current(folder: Path, session: dt.date, *, model_id: str, data_version: str) -> bool:
    """Say whether the export of the session is there, whole, and of this model and data."""
    path, manifest_path = export_paths(folder, session)
    if not (path.exists() and manifest_path.exists()):
        return False
    try:
        manifest = json.loads(manifest_path.read_bytes())
        named = (manifest["model_id"], manifest["data_version"], manifest["sha256"])
    except (ValueError, KeyError, TypeError):  # somebody broke it: it is written again
        return False
    return named == (model_id, data_version, durable.sha256_file(path))
