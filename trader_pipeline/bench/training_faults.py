"""The survival matrix of training: each fault is put into a small training, which must end as if nothing had been, or say clearly why not.

Numbers that the trainer promises to the bit (a run that was killed and went on) are compared as the sha256 of the end weights.
"""

import json
import multiprocessing
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from trader_pipeline.bench import training_faults_run as small
from trader_pipeline.errors import DiskFullError, TraderError
from trader_pipeline.training import faults, launch
from trader_pipeline.training.checkpoints import CheckpointStore
from trader_pipeline.training.module import NetworkModule

KILLS = 20
_CALM = replace(small.SETTINGS, feature_noise=0.0, ema_decay=0.0)
_WAIT_S = 120.0
_DIES_AT = 16
"""In the second epoch, between two checkpoints."""
_TRIES = 5
"""Starts for each kill: a machine that is less busy than before has ended the training first."""
_AGREES = 1e-3
"""What a loss may differ by after sums were taken in another order: Adam magnifies the last bits."""

Event = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One fault: whether training survived it as promised, and what was seen."""

    fault: str
    survived: bool
    detail: str


def measure(home: Path, *, kills: int = KILLS, seed: int = 0) -> dict[str, Any]:
    """Return `cells` as dictionaries and whether all survived; everything is written under `home`."""
    cells = [*_inside(home), *_outside(home, kills, random.Random(seed))]  # noqa: S311 - moments of kills, no secrets
    return {"cells": [asdict(cell) for cell in cells], "survived": all(cell.survived for cell in cells)}


def _inside(home: Path) -> Iterator[Cell]:
    """Faults that a hook puts into a step of this process."""
    losses = _losses(_trained(home / "calm"))
    for fault, hook, event in (
        ("NaN input", _at("forward", 3, _spoil_input), "skipped"),
        ("NaN gradient", _at("gradient", 7, _spoil_gradient), "skipped"),
        ("loss spike", _spiking(15), "skipped"),
        *((f"OOM in {phase}", _out_of_memory(phase, 4), "out_of_memory") for phase in ("forward", "backward", "step")),
    ):
        events = _trained(home / fault.replace(" ", "-"), hook)
        if isinstance(events, TraderError):
            yield Cell(fault=fault, survived=False, detail=f"{events.code} {events}")
            continue
        seen = [e for e in events if e["event"] == event]
        agrees = event == "skipped" or max(abs(a - b) for a, b in zip(_losses(events), losses, strict=True)) < _AGREES
        said = "; ".join(str(e.get("done") or e.get("cause")) for e in seen[:2])
        yield Cell(fault=fault, survived=bool(seen) and len(_losses(events)) == len(losses) and agrees, detail=said)


def _trained(folder: Path, hook: faults.Hook | None = None) -> list[Event] | TraderError:
    events: list[Event] = []
    with ExitStack() as installed:
        if hook:
            installed.enter_context(faults.injected(hook))
        try:
            small.train(folder, lambda event: events.append(dict(event)), settings=_CALM, size=replace(small.SIZE, dropout=0.0))
        except TraderError as error:
            return error
    return events


def _losses(events: list[Event] | TraderError) -> list[float]:
    if isinstance(events, TraderError):
        raise events
    return [event["validation_loss"] for event in events if event["event"] == "epoch" and event["validation_loss"] is not None]


def _at(phase: str, step: int, spoil: Callable[[NetworkModule], None]) -> faults.Hook:
    def hook(reached: str, module: NetworkModule) -> None:
        if (reached, module.step) == (phase, step):
            spoil(module)

    return hook


def _spoil_input(module: NetworkModule) -> None:
    module.data.x_NTP[2, 100, 0] = torch.nan


def _spoil_gradient(module: NetworkModule) -> None:
    for parameter in module.network.parameters():
        if parameter.grad is not None:
            parameter.grad[...] = torch.nan


def _spiking(step: int) -> faults.Hook:
    def hook(phase: str, module: NetworkModule) -> None:
        if module.step == step and phase in {"forward", "gradient"}:
            module.data.targets.score.mul_(1e3 if phase == "forward" else 1e-3)

    return hook


def _out_of_memory(phase: str, step: int) -> faults.Hook:
    left = [2]  # the first is answered by an empty cache, the second by a smaller micro-batch

    def hook(reached: str, module: NetworkModule) -> None:
        if (reached, module.step) == (phase, step) and left[0]:
            left[0] -= 1
            raise torch.OutOfMemoryError(f"out of memory in {phase} (injected)")

    return hook


def _outside(home: Path, kills: int, chance: random.Random) -> Iterator[Cell]:
    """Faults that happen to a process of its own."""
    _Run(home / "warm-up").start().join()  # the first start waits for imports
    clean, began = _Run(home / "undisturbed"), time.monotonic()
    clean.start().join()
    expected = clean.weights()
    took = time.monotonic() - began
    yield _killed(home, kills, took, expected, chance)
    run = _Run(home / "early")
    run.stopped(signal.SIGKILL, after="preflight")
    early = not list(run.folder.glob("*/checkpoints.json"))
    run.start().join()
    yield _went_on("kill -9 before the first checkpoint", run, expected, holds=early, detail="began again")
    for name, number, wanted in (("SIGINT", signal.SIGINT, 130), ("SIGTERM", signal.SIGTERM, 75), ("SIGHUP", signal.SIGHUP, 75)):
        run = _Run(home / name)
        left = run.stopped(number)
        run.start().join()
        yield _went_on(name, run, expected, holds=left == wanted, detail=f"exit {left}")
    for name, damage in (("truncated checkpoint", _truncate), ("bit-flipped checkpoint", _flip)):
        run = _Run(home / name.replace(" ", "-"))
        run.stopped(signal.SIGTERM)
        damage(run.newest())
        run.start().join()
        yield _went_on(name, run, expected, holds=run.said("checkpoint_damaged"), detail="the one before was taken")
    run = _Run(home / "all-damaged")
    run.stopped(signal.SIGTERM)
    for path in run.checkpoints():
        _truncate(path)
    run.start().join()
    yield _went_on("every checkpoint damaged", run, expected, holds=run.said("starts_again"), detail="said so and started again")
    run = _Run(home / "full-disk")
    process = run.start(file_limit=4096)
    process.join()
    code = next((e["code"] for e in run.events() if e["event"] == "error"), None)
    run.start().join()
    yield _went_on("full disk", run, expected, holds=code == DiskFullError.code, detail=f"exit {process.exitcode}, {code}")
    yield _dead_rank(home)


def _dead_rank(home: Path) -> Cell:
    """One of two ranks is killed: the launcher starts both again, and they go on from the last checkpoint."""
    whole, cut = _Run(home / "two-ranks"), _Run(home / "dead-rank")
    (cut.folder / small.DEATH).write_text(str(_DIES_AT))
    for run in (whole, cut):
        line = launch.command(small.__name__, [str(run.folder)], launch.Launch(devices=2, restarts=1))
        subprocess.run(line, capture_output=True, check=False, timeout=_WAIT_S)  # noqa: S603 - our own module; what came of it is in the folder
    died, resumed = not (cut.folder / small.DEATH).exists(), cut.said("resumed")
    detail = f"killed at step {_DIES_AT}, {'started again from a checkpoint' if resumed else 'no checkpoint was gone on from'}"
    return _went_on("dead rank", cut, whole.weights(), holds=died and resumed, detail=detail)


def _killed(home: Path, kills: int, took: float, expected: str | None, chance: random.Random) -> Cell:
    same, resumed, killed = 0, 0, 0
    for k in range(_TRIES * kills):
        if killed == kills:
            break
        run = _Run(home / f"killed-{k}")
        process = run.start()
        process.join(chance.uniform(0.0, took))
        process.kill()
        process.join()
        if process.exitcode != -signal.SIGKILL:
            continue  # it was quicker
        killed += 1
        run.start().join()
        same += run.weights() == expected
        resumed += run.said("resumed")
    detail = f"{same} of {killed} ended with the same bytes, {resumed} went on from a checkpoint, the others from the start"
    return Cell(fault=f"kill -9 at {kills} random moments", survived=same == killed == kills, detail=detail)


def _went_on(fault: str, run: "_Run", expected: str | None, *, holds: bool, detail: str) -> Cell:
    same = expected is not None and run.weights() == expected
    return Cell(fault=fault, survived=holds and same, detail=f"{detail}; end weights {'the same' if same else 'differ'}")


class _Run:
    """One training in a folder and the processes that work on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([small.__name__])  # torch takes seconds to import, and 50 processes want it

    def start(self, file_limit: int | None = None) -> Any:
        """Start, or go on, in a process of its own."""
        process = self._context.Process(target=small.child, args=(self.folder, file_limit))
        process.start()
        return process

    def stopped(self, number: int, *, after: str = "epoch") -> int | None:
        """Start, send the signal after the first of those events, and return the exit status."""
        process, until = self.start(), time.monotonic() + _WAIT_S
        while not self.said(after) and time.monotonic() < until:
            time.sleep(0.01)
        os.kill(process.pid, number)
        process.join(_WAIT_S)
        code: int | None = process.exitcode
        return code

    def events(self) -> list[Event]:
        """Return what was told so far, over all processes; a line that is being written is left out."""
        path = self.folder / small.EVENTS
        lines = path.read_text().split("\n")[:-1] if path.exists() else []
        return [json.loads(line) for line in lines]

    def said(self, event: str) -> bool:
        """Say whether the event was told."""
        return any(e["event"] == event for e in self.events())

    def weights(self) -> str | None:
        """Return the sha256 of the end weights, None while there is none."""
        path = self.folder / small.WEIGHTS
        return path.read_text() if path.exists() else None

    def checkpoints(self) -> list[Path]:
        """Return the kept files in the order of saving."""
        (folder,) = (path.parent for path in self.folder.glob("*/checkpoints.json"))
        return [folder / entry["file"] for entry in CheckpointStore(folder).entries()]

    def newest(self) -> Path:
        """Return the file that was saved last."""
        return self.checkpoints()[-1]


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-50] ^= 1
    path.write_bytes(data)
