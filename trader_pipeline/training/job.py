"""One training run, from request to folder: `python -m trader_pipeline.training.job request.json`.

Reads the Parquet parts that the request names and writes its folder alone; events go to stdout, one JSON object a line.
"""

import datetime as dt
import json
import resource
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from trader_pipeline import durable
from trader_pipeline.errors import TraderError, TrainingError, UsageError
from trader_pipeline.models import checkpoint, drift, novelty
from trader_pipeline.models.drift import TrainingBins
from trader_pipeline.models.novelty import Novelty
from trader_pipeline.training import data as inputs
from trader_pipeline.training import launch, stopping
from trader_pipeline.training.data import TrainingData
from trader_pipeline.training.incidents import Incidents
from trader_pipeline.training.recipes import RECIPES, Recipe
from trader_pipeline.training.record import Record, peak_resident_mb
from trader_pipeline.training.request import TrainingRequest
from trader_pipeline.training.results import curves_table, importance_table, out_of_fold_table, trials_table
from trader_pipeline.training.walk_forward import walk

OUT_OF_FOLD_FILE = "out_of_fold.parquet"
TRIALS_FILE = "trials.parquet"
CURVES_FILE = "curves.parquet"
IMPORTANCE_FILE = "importance.parquet"
RUN_FILE = "run.json"
LOCK = ".lock"
"""Held while a process trains in the folder."""


def recipe_of(name: str) -> Recipe:
    """Return the recipe; raise `UsageError` that lists them."""
    if name not in RECIPES:
        raise UsageError(f"no recipe {name!r}; --recipe and TRADER_RECIPE take one of {', '.join(sorted(RECIPES))}")
    return RECIPES[name]()


def run(request: TrainingRequest, report: Callable[[Mapping[str, object]], None]) -> None:
    """Train, write everything under the request's folder, the manifest last. Progress is told to `report`.

    A run that was cut short goes on where its checkpoints are; one that is complete is left as it is. Raises `TrainingError` while
    another process trains in the folder. Of several ranks, which train one network together, the first alone tells and writes.
    """
    if not launch.is_first():
        if not (request.folder / checkpoint.MANIFEST).exists():
            walk(inputs.load(request), recipe_of(request.recipe), request, lambda _: None, request.scratch)
            launch.meet()
        return
    durable.make_folder(request.folder)
    if durable.is_locked(request.folder / LOCK):
        raise TrainingError(f"{request.folder} is being trained by another process; wait for it, or end it")
    with durable.locked(request.folder / LOCK):
        if not (request.folder / checkpoint.MANIFEST).exists():
            _train(request, report)


def _train(request: TrainingRequest, report: Callable[[Mapping[str, object]], None]) -> None:
    began = time.perf_counter()
    recipe = recipe_of(request.recipe)
    loaded = inputs.load(request)
    record, incidents = Record(), Incidents(request.scratch)

    def tell(event: Mapping[str, object]) -> None:
        record.note(event)
        incidents.note(event)
        report(event)

    result = walk(loaded, recipe, request, tell, request.scratch)
    launch.meet()
    checkpoint.save_members(request.folder, result.members)
    _write_table(request.folder / OUT_OF_FOLD_FILE, out_of_fold_table(result.out_of_fold, loaded.grid, request.model_id))
    _write_table(request.folder / TRIALS_FILE, trials_table(result.out_of_fold, loaded, request))
    _write_table(request.folder / CURVES_FILE, curves_table(record.events["epoch"], request.model_id))
    _write_table(request.folder / IMPORTANCE_FILE, importance_table(record.events["importance"], request.model_id))
    labelled_NT = np.asarray(np.isfinite(loaded.labels.scaled_NTH).any(axis=2))
    durable.write_atomic(request.folder / novelty.FILE, Novelty.fit(loaded.x_NTF[labelled_NT], request.features).to_json())
    durable.write_atomic(request.folder / drift.FILE, TrainingBins.fit(loaded.x_NTF, labelled_NT, request.features).to_json())
    facts = _facts(loaded, recipe, wall_s=time.perf_counter() - began)
    told = facts | {"incidents": incidents.noted} | record.facts(request)
    durable.write_atomic(request.folder / RUN_FILE, json.dumps(told, indent=1, sort_keys=True).encode())
    own = [OUT_OF_FOLD_FILE, TRIALS_FILE, CURVES_FILE, IMPORTANCE_FILE, RUN_FILE, novelty.FILE, drift.FILE]
    checkpoint.write_manifest(request.folder, own + checkpoint.member_paths(request.folder))
    shutil.rmtree(request.scratch, ignore_errors=True)  # what is left is the janitor's
    report({"event": "done", "model_id": request.model_id, **facts})


def main() -> None:
    """Run the request named on the command line; exit 130 on SIGINT, 75 on SIGTERM and SIGHUP, by the error's own status otherwise."""
    if len(sys.argv) != 2:  # noqa: PLR2004 - the program and one argument
        sys.exit("usage: python -m trader_pipeline.training.job request.json")
    try:
        with stopping.listening(), launch.together():
            run(TrainingRequest.from_json(Path(sys.argv[1]).read_bytes()), _print_line)
    except stopping.Stopped as stopped:
        sys.exit(stopped.exit_code)
    except TraderError as error:
        sys.stderr.write(f"{error.code} {error}\n")
        sys.exit(error.exit_code)


def _print_line(event: Mapping[str, object]) -> None:
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


def _write_table(path: Path, table: pa.Table) -> None:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    durable.write_atomic(path, sink.getvalue().to_pybytes())


def _facts(loaded: TrainingData, recipe: Recipe, *, wall_s: float) -> dict[str, object]:
    labelled_T = np.flatnonzero(np.isfinite(loaded.labels.scaled_NTH).any(axis=(0, 2)))
    first, last = (loaded.grid.sessions[labelled_T[k]].item() for k in (0, -1))
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "members": ",".join(member.name for member in recipe.members),
        "trained_through": _iso(last),
        "first_session": _iso(first),
        "tickers": int(np.isfinite(loaded.labels.scaled_NTH).any(axis=(1, 2)).sum()),
        "sessions": len(labelled_T),
        "wall_s": round(wall_s, 3),
        "cpu_s": round(usage.ru_utime + usage.ru_stime, 3),
        "peak_mb": round(peak_resident_mb(), 1),
    }


def _iso(day: dt.date) -> str:
    return day.isoformat()


if __name__ == "__main__":
    main()
