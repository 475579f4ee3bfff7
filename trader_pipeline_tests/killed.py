"""Work that is killed at every step: a copy of its folder for each, and a child in it that dies at the step of its number."""

import os
import shutil
import signal
import sys
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from typing import Any


def at_every_step(
    home: Path,
    folder: Path,
    act: Callable[[Path], object],
    *,
    events: Sequence[str],
    stride: int = 1,
    copy: Callable[..., Any] = shutil.copy2,
) -> None:
    """Print each copy and how its child ended, -9 or 0, until one lives to its end.

    A step is an fsync, or an audit event of `events` about a path in the copy or an open file. Run it in a process of its own: what a
    child inherits of threads and locks must not be pytest's.
    """
    for step in count(0, stride):
        one = folder / f"copy{step:03d}"
        shutil.copytree(home, one, copy_function=copy)
        pid = os.fork()
        if not pid:
            _die_after(step, one, events)
            act(one)
            os._exit(0)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        print(one, status, flush=True)  # noqa: T201 - the test reads it
        if status != -signal.SIGKILL:
            raise SystemExit(status)


def _die_after(left: int, home: Path, events: Sequence[str]) -> None:
    real_fsync = os.fsync

    def step() -> None:
        nonlocal left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def fsync(descriptor: int) -> None:
        step()
        real_fsync(descriptor)

    def audit(event: str, arguments: tuple[Any, ...]) -> None:
        if event in events and (isinstance(arguments[0], int) or str(home) in str(arguments[0])):
            step()

    os.fsync = fsync

    sys.addaudithook(audit)
