"""The engines against each other: medians of paired runs, and how far their values are apart."""

import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from trader_pipeline import panel
from trader_pipeline.bench.rivals import F14, qlib_reader
from trader_pipeline.bench.rivals.child import NAMES
from trader_pipeline.bench.rivals.market import PARQUET, QLIB, write_market

PYQLIB = "pyqlib==0.9.7"
TASKS = {"f14": F14, "alpha158": NAMES}
_LONGEST = 61
_TOUCHED_FILES = 100
_REDIS_TRIES = 100
_EQUAL = 1e-5
"""Columns that differ by more are named; docs/LOG.md says why each does."""
_NO_QLIB = "pyqlib is left out: {}"

Run = dict[str, Any]
Float32 = npt.NDArray[np.float32]


def measure(cache: Path, *, tickers: int, sessions: int, runs: int, pandas_tickers: int) -> dict[str, Any]:
    """Return CPU-seconds, wall seconds and peak memory of each engine and task, and the largest differences from our values.

    Runs are paired: each round asks every engine once, on the same files. pandas computes Alpha158 of `pandas_tickers` tickers
    only; its seconds are then scaled to all, and `pandas_tickers` says so. `cache` keeps pyqlib's own environment.
    """
    interpreter, skipped = _qlib(cache)
    with tempfile.TemporaryDirectory(prefix="trader-bench-") as home:
        folder = Path(home)
        write_market(folder, tickers=tickers, sessions=sessions)
        rounds = [_round(folder, interpreter, pandas_tickers) for _ in range(runs)]
        apart = {task: _apart(folder, task) for task in TASKS}
    engines = {engine: _medians(engine, rounds) for engine in rounds[0]}
    ours, scale = engines["ours"], tickers / min(pandas_tickers, tickers)
    for name in ("alpha158_cpu_s", "alpha158_wall_s"):
        engines["pandas"][name] = round(engines["pandas"][name] * scale, 3)
    return {
        "tickers": tickers,
        "sessions": sessions,
        "runs": runs,
        "pandas_tickers": min(pandas_tickers, tickers),
        "engines": engines,
        **{name: ours.pop(name) for name in ("read_cpu_s", "one_day_cpu_s", "one_day_equal")},
        "times_ours": {name: _times(ours, engine) for name, engine in engines.items() if name != "ours"},
        **_told(apart),
        **({"skipped": skipped} if skipped else {}),
    }


def _qlib(cache: Path) -> tuple[Path | None, str]:
    """Return the interpreter of pyqlib's environment, made if there is none; or none and why."""
    home = cache / PYQLIB.replace("==", "-")
    python = home / "bin" / "python"
    if not python.exists():
        venv.create(home, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", PYQLIB, "setuptools<80", "tables"], capture_output=True, check=False)  # noqa: S603 - our interpreter
    found = subprocess.run([python, "-c", "import qlib"], capture_output=True, text=True, check=False)  # noqa: S603 - the same
    return (python, "") if found.returncode == 0 else (None, _NO_QLIB.format(found.stderr.strip().splitlines()[-1]))


def _round(folder: Path, interpreter: Path | None, pandas_tickers: int) -> dict[str, dict[str, Run]]:
    """Return every engine's answer to every task."""
    child: list[str | Path] = [sys.executable, "-m", "trader_pipeline.bench.rivals.child"]
    touched = _TOUCHED_FILES * (folder / PARQUET).stat().st_size

    def asked(command: Iterable[str | Path]) -> Run:
        np.ones(touched, np.uint8)  # a virtual machine pays seconds for memory that its host took back: no engine shall
        return _asked(command)

    found: dict[str, dict[str, Run]] = {}
    for engine in ("ours", "duckdb", "pandas"):
        found[engine] = {
            task: asked([*child, engine, task, folder / PARQUET, _kept(folder, engine, task), str(pandas_tickers)]) for task in TASKS
        }
    if interpreter is not None:
        reader: list[str | Path] = [interpreter, qlib_reader.__file__, folder / QLIB]
        found["pyqlib"] = {task: asked([*reader, task, _kept(folder, "pyqlib", task), "", ",".join(F14)]) for task in TASKS}
        found["pyqlib"]["f14_pickled"] = asked([*reader, "f14", "", "SimpleDatasetCache", ",".join(F14)])
        with _redis() as port:
            if port is not None:
                found["pyqlib"]["f14_warm"] = asked([*reader, "f14", "", f"DiskDatasetCache:{port}", ",".join(F14)])
    return found


@contextmanager
def _redis() -> Iterator[int | None]:
    """Run a redis on loopback, which Qlib's cache on disk takes its locks from; None where no redis-server is installed."""
    program = shutil.which("redis-server")
    if program is None:
        yield None
        return
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    arguments = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    with subprocess.Popen([program, *arguments], stdout=subprocess.DEVNULL) as server:  # noqa: S603 - the system's own redis
        try:
            _await(port)
            yield port
        finally:
            server.terminate()


def _await(port: int) -> None:
    for _ in range(_REDIS_TRIES):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"redis-server does not answer on 127.0.0.1:{port}")


def _asked(command: Iterable[str | Path]) -> Run:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)  # noqa: S603 - our interpreters
    if done.returncode:
        raise RuntimeError(f"an engine of the comparison failed: {done.stderr[-2000:]}")
    answer: Run = json.loads(done.stdout.strip().splitlines()[-1])
    return answer


def _kept(folder: Path, engine: str, task: str) -> Path:
    return folder / f"{engine}_{task}.parquet"


def _medians(engine: str, rounds: list[dict[str, dict[str, Run]]]) -> Run:
    """Return `<task>_cpu_s`, `<task>_wall_s`, the largest `peak_mb`, and what only some runs tell."""
    tasks = rounds[0][engine]
    out: Run = {}
    for task in tasks:
        runs = [one[engine][task] for one in rounds]
        out |= {f"{task}_{name}": round(median(run[name] for run in runs), 3) for name in ("cpu_s", "wall_s")}
        out |= {name: round(median(run[name] for run in runs), 4) for name in ("read_cpu_s", "one_day_cpu_s") if name in runs[0]}
        if "one_day_equal" in runs[0]:
            out["one_day_equal"] = all(run["one_day_equal"] for run in runs)
    out["peak_mb"] = round(max(one[engine][task]["peak_mb"] for one in rounds for task in tasks))
    return out


def _times(ours: Run, engine: Run) -> dict[str, float]:
    """Return how many times our CPU-seconds an engine takes; pyqlib's warm caches are held against our uncached run.

    `f14_warm` is its cache on disk (HDF), `f14_pickled` its pickle of the finished answer: no engine that computes can be below that.
    """
    warm = dict.fromkeys(("f14_warm_cpu_s", "f14_pickled_cpu_s"), "f14_cpu_s")
    against = {"f14_cpu_s": "f14_cpu_s", "alpha158_cpu_s": "alpha158_cpu_s", **warm}
    return {name: round(engine[name] / ours[own], 1) for name, own in against.items() if name in engine}


def _apart(folder: Path, task: str) -> dict[str, dict[str, float]]:
    """Return engine -> column -> `difference`, where 61 sessions have bars without a gap and the engine computed the ticker."""
    names = list(TASKS[task])
    grid, ours = panel.read_features([_kept(folder, "ours", task)], names)
    complete = np.isfinite(ours[:, :, names.index("KMID")])
    whole = np.zeros_like(complete)
    whole[:, _LONGEST - 1 :] = np.lib.stride_tricks.sliding_window_view(complete, _LONGEST, axis=1).all(axis=2)
    apart = {}
    for engine in ("pyqlib", "duckdb", "pandas"):
        if not _kept(folder, engine, task).exists():
            continue
        theirs = np.full_like(ours, np.nan)
        table = pq.read_table(_kept(folder, engine, task))
        cells = grid.cells(table.set_column(table.column_names.index("session"), "session", table["session"].cast("date32")))
        inside = cells >= 0
        flat = theirs.reshape(-1, len(names))
        for k, name in enumerate(names):
            flat[cells[inside], k] = table[name].to_numpy()[inside]
        there = whole & np.isfinite(theirs[:, :, names.index("KMID")])
        apart[engine] = dict(zip(names, difference(theirs[there], ours[there]).tolist(), strict=True))
    return apart


def difference(theirs_RF: Float32, ours_RF: Float32) -> Float32:
    """Return each column's largest difference relative to our value, or to a thousandth of the column's largest where that is more.

    A value that only one of them has is infinitely far.
    """
    known = np.isfinite(ours_RF)
    scale = np.maximum(np.abs(ours_RF), 1e-3 * np.max(np.abs(ours_RF), axis=0, where=known, initial=0.0))
    apart = np.where(known & np.isfinite(theirs_RF), np.abs(theirs_RF - ours_RF) / scale, 0.0)
    apart[known != np.isfinite(theirs_RF)] = np.inf
    found: Float32 = apart.max(axis=0)
    return found


def _told(apart: Mapping[str, Mapping[str, Mapping[str, float]]]) -> dict[str, Any]:
    """Return `max_rel_diff` of each engine and `max_rel_diff_columns`: those that are over `_EQUAL`, by the stem of their names."""
    largest: dict[str, float] = {}
    over: dict[str, dict[str, float]] = {}
    for found in apart.values():
        for engine, columns in found.items():
            for name, value in columns.items():
                told = float(f"{value:.2g}")
                largest[engine] = max(largest.get(engine, 0.0), told)
                if value > _EQUAL:
                    stems = over.setdefault(engine, {})
                    stem = name.rstrip("0123456789")
                    stems[stem] = max(stems.get(stem, 0.0), told)
    return {"max_rel_diff": largest, "max_rel_diff_columns": over}
