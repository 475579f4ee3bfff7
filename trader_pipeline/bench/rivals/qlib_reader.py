"""Run by an interpreter that has pyqlib, with nothing of this project: one line of JSON on stdout.

Arguments: Qlib's folder, `f14` or `alpha158`, a file for the newest sessions' values or "", how Qlib caches datasets, the fields.
The cache is "" for none, `SimpleDatasetCache` (the answer, pickled), or `DiskDatasetCache:PORT` (HDF, with a redis on that port of
loopback for its locks); it is filled first and then read warm.
"""

import json
import logging
import os
import resource
import sys
import time
from pathlib import Path

NEWEST = 250
"""Sessions whose values are kept for comparison."""


def main(folder: str, task: str, kept: str, cache: str) -> None:
    """Ask Qlib for the features and time it, its start not counted."""
    on_one_cpu()
    import qlib  # type: ignore[import-not-found]  # noqa: PLC0415 - the environment's
    from qlib.contrib.data.loader import Alpha158DL  # type: ignore[import-not-found]  # noqa: PLC0415
    from qlib.data import D  # type: ignore[import-not-found]  # noqa: PLC0415

    kind, _, port = cache.partition(":")
    where = {"local_cache_path": str(Path(folder).parent / "qlib_cache"), "redis_host": "127.0.0.1", "redis_port": int(port or 0)}
    where |= {"expression_cache": None, "dataset_cache": kind or None}
    qlib.init(provider_uri=folder, region="us", kernels=1, logging_level=logging.ERROR, **where)
    expressions, names = Alpha158DL.get_feature_config()
    wanted = sys.argv[5].split(",") if task == "f14" else names
    chosen = [expressions[names.index(name)] for name in wanted]
    if cache:
        D.features(D.instruments("all"), chosen, freq="day", disk_cache=1)
    cpu, wall = _cpu(), time.perf_counter()
    frame = D.features(D.instruments("all"), chosen, freq="day", disk_cache=int(bool(cache)))
    seconds = {"cpu_s": _cpu() - cpu, "wall_s": time.perf_counter() - wall}
    print(json.dumps({**seconds, "peak_mb": peak_mb(), "rows": len(frame)}))  # noqa: T201 - its answer
    if kept:
        frame.columns = wanted
        frame.index.names = ["ticker", "session"]
        frame = frame.reset_index()
        newest = frame["session"].drop_duplicates().nlargest(NEWEST)
        frame[frame["session"].isin(newest)].to_parquet(kept, index=False)


def on_one_cpu() -> None:
    """Keep this process to one CPU where the system can: two hyperthreads of one core would each count what the other costs it."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def peak_mb() -> float:
    """Return the largest resident memory of this process; `ru_maxrss` would begin with that of the process that started it."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1000


def _cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


if __name__ == "__main__":
    main(*sys.argv[1:5])
