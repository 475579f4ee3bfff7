"""One engine, one task, in a process of its own: `python -m ... ENGINE TASK PARQUET KEPT PANDAS_TICKERS`; one line of JSON on stdout.

Imports and the compilation of loops are not counted, reading the Parquet is. The newest sessions' values go to KEPT.
"""

import json
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from trader_pipeline.bench.rivals import F14, frames, ours, sql
from trader_pipeline.bench.rivals.qlib_reader import NEWEST, on_one_cpu, peak_mb
from trader_pipeline.features.alpha158 import ALPHAS, alpha158
from trader_pipeline.panel import long

NAMES = tuple(alpha.name.removeprefix("alpha_").upper() for alpha in ALPHAS)
_DAYS = 7


def main(engine: str, task: str, path: Path, kept: Path, pandas_tickers: int) -> dict[str, Any]:
    """Return cpu_s, wall_s and peak_mb, and of ours what reading takes and one more session; keep the newest values."""
    names = F14 if task == "f14" else NAMES
    if engine == "ours":
        facts, newest = _ours(path, names)
    elif engine == "duckdb":
        facts, table = _timed(lambda: sql.compute(path, names))
        newest = _newest(table)
    else:
        facts, frame = _timed(lambda: frames.compute(path, names, tickers=None if task == "f14" else pandas_tickers))
        newest = _newest(pa.Table.from_pandas(frame.reset_index(), preserve_index=False))
    pq.write_table(newest, kept)
    return facts | {"peak_mb": peak_mb()}


def _ours(path: Path, names: tuple[str, ...]) -> tuple[dict[str, Any], pa.Table]:
    rows = tuple(NAMES.index(name) for name in names)
    import_module("pandas")  # pyarrow does at its first array
    small = np.full((1, 70), 1.0)
    alpha158((small, small, small, small, small, small), rows=rows)  # compiles, or loads what was compiled
    reading, (grid, bars) = _timed(lambda: ours.read(path, names))
    computing, values = _timed(lambda: alpha158(bars, rows=rows))
    facts = {name: reading[name] + computing[name] for name in computing} | {"read_cpu_s": reading["cpu_s"]}
    if names == NAMES:
        days = [_timed(lambda: ours.one_day(bars)) for _ in range(_DAYS)]
        facts["one_day_cpu_s"] = median(day["cpu_s"] for day, _ in days)
        facts["one_day_equal"] = np.array_equal(days[0][1].view(np.int32), np.ascontiguousarray(values[:, :, -1]).view(np.int32))
    known = np.isfinite(bars[3])
    known[:, :-NEWEST] = False
    return facts, long(grid, known, dict(zip(names, values, strict=True)))


def _timed(work: Callable[[], Any]) -> tuple[dict[str, Any], Any]:
    cpu, wall = time.process_time(), time.perf_counter()
    result = work()
    return {"cpu_s": time.process_time() - cpu, "wall_s": time.perf_counter() - wall}, result


def _newest(table: pa.Table) -> pa.Table:
    sessions = np.unique(table["session"].cast(pa.date32()).cast(pa.int32()).to_numpy())[-NEWEST:]
    return table.filter(pc.is_in(table["session"].cast(pa.date32()).cast(pa.int32()), pa.array(sessions)))


if __name__ == "__main__":
    on_one_cpu()
    print(json.dumps(main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]), int(sys.argv[5]))))  # noqa: T201 - its answer
