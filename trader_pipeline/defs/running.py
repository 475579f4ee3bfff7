"""Which runs are alive: each holds a lock file, and the kernel lets go of it when the process dies.

Dagster hears of a run's end from the run's own process. One that was killed stays "started" and keeps its place in a pool, so that the
next fetch or training would wait for hours. The first run that comes along ends it.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import dagster as dg

from trader_pipeline import durable

_LOST = "the process of this run ended without a word: it was killed, ran out of memory, or the machine stopped; launch the job again"


@contextmanager
def alive(instance: dg.DagsterInstance, run_id: str) -> Iterator[None]:
    """End the runs whose process is gone, then show that `run_id` is alive as long as the context lasts."""
    folder = Path(instance.root_directory) / "running"
    mine = folder / f"{run_id}.{os.getpid()}"
    with ExitStack() as held:
        with durable.locked(folder / ".lock"):
            end_lost_runs(instance, folder)
            held.enter_context(durable.locked(mine))
        held.callback(mine.unlink, missing_ok=True)  # before the lock goes: a file without a holder is a lost run
        yield


def end_lost_runs(instance: dg.DagsterInstance, folder: Path) -> list[str]:
    """Mark runs failed whose file nobody holds, free their places in the pools, and return their ids."""
    lost = []
    for path in sorted(folder.glob("*.*")):
        if path.name.startswith(".") or durable.is_locked(path):
            continue
        run_id = path.stem
        run = instance.get_run_by_id(run_id)
        if run and not run.is_finished:
            instance.report_run_failed(run, _LOST)
        instance.event_log_storage.free_concurrency_slots_for_run(run_id)
        path.unlink(missing_ok=True)
        lost.append(run_id)
    return lost
