"""How a training process is started: alone, or as one rank for each device of this host under torch's elastic agent.

`command` is the one place that knows; an engine that reaches past one host is one more branch there, and the trainer, which
reads its rank from the environment (`ranks.joined`), is not touched.
When a rank dies all ranks are stopped and the whole job starts again, at most `restarts` times; it goes on from its last
checkpoint by itself. An exit that the job chose (its own errors, interruption, a saved stop) is final and passed on.
"""

import argparse
import ctypes
import os
import runpy
import signal
import sys
import traceback
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

RESTARTS = 3
CRASHED = 70
"""Exit status of a rank that ended by an exception of no one's choice (EX_SOFTWARE)."""
_SAVED = 75
_INTERRUPTED = 130
_PR_SET_PDEATHSIG = 1
_SELF = "trader_pipeline.training.launch"


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """Processes on this host, one for each device, and how often they may start again after a rank died."""

    devices: int = 1
    restarts: int = RESTARTS


def command(module: str, arguments: Sequence[str], how: Launch) -> list[str]:
    """Return the command line that runs `python -m module *arguments` as `how` says."""
    if how.devices == 1:
        return [sys.executable, "-u", "-m", module, *arguments]
    options = ["--devices", str(how.devices), "--restarts", str(how.restarts)]
    return [sys.executable, "-u", "-m", _SELF, *options, module, *arguments]


def is_first() -> bool:
    """Whether this process is the rank that tells and writes; it is when it is alone."""
    return _world() == 1 or os.environ["RANK"] == "0"


@contextmanager
def together() -> Iterator[None]:
    """Join the other ranks where there are any; costs torch's import only then."""
    if _world() == 1:
        yield
        return
    from trader_pipeline.training.ranks import joined  # noqa: PLC0415 - torch takes seconds to import

    with joined():
        yield


def meet() -> None:
    """Wait until every rank is here."""
    if _world() == 1:
        return
    from trader_pipeline.training.ranks import current  # noqa: PLC0415 - torch takes seconds to import

    current().any(False)


def _world() -> int:
    return int(os.environ.get("WORLD_SIZE", "1"))


def die_with_parent() -> None:
    """Ask the kernel for SIGINT when the parent ends; leave at once when it has ended already."""
    parent = os.getppid()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGINT)
    if os.getppid() != parent:
        sys.exit(_INTERRUPTED)


def elastic(module: str, arguments: Sequence[str], how: Launch) -> int:
    """Run the ranks until they end, starting all of them again after a crash; return the exit status."""
    from torch.distributed.elastic.multiprocessing.api import SignalException  # noqa: PLC0415 - `command` must not cost torch's import
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError  # noqa: PLC0415 - the same
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch  # noqa: PLC0415 - the same

    for attempt in range(how.restarts + 1):
        config = LaunchConfig(
            min_nodes=1,
            max_nodes=1,
            nproc_per_node=how.devices,
            max_restarts=0,
            monitor_interval=0.5,
            rdzv_backend="c10d",
            rdzv_endpoint="localhost:0",
            run_id=str(uuid.uuid4()),
        )
        try:
            elastic_launch(config, sys.executable)("-u", "-m", _SELF, "--as-rank", module, *arguments)
        except ChildFailedError as failed:
            codes = [failure.exitcode for failure in failed.failures.values()]
            chosen = [code for code in codes if code > 0 and code != CRASHED]
            if chosen:
                return chosen[0]
            sys.stderr.write(f"a rank died (status {codes}), attempt {attempt + 1} of {how.restarts + 1}\n")
        except SignalException as stopped:
            return _INTERRUPTED if stopped.sigval == signal.SIGINT else _SAVED
        else:
            return 0
    return CRASHED


def _as_rank(module: str, arguments: Sequence[str]) -> None:
    """Run the module as one rank: it ends with its agent, and a crash is told from an exit that it chose."""
    die_with_parent()
    sys.argv = [module, *arguments]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except Exception:  # noqa: BLE001 - whatever it is, the agent is told by the status, people by the traceback
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(CRASHED)  # a peer's collective may hang in exit handlers


def main() -> None:
    """Start the ranks, or be one."""
    parser = argparse.ArgumentParser(prog=_SELF)
    parser.add_argument("--as-rank", action="store_true")
    parser.add_argument("--devices", type=int, default=1)
    parser.add_argument("--restarts", type=int, default=RESTARTS)
    parser.add_argument("module")
    parser.add_argument("arguments", nargs=argparse.REMAINDER)
    asked = parser.parse_args()
    if asked.as_rank:
        _as_rank(asked.module, asked.arguments)
        return
    die_with_parent()
    sys.exit(elastic(asked.module, asked.arguments, Launch(devices=asked.devices, restarts=asked.restarts)))


if __name__ == "__main__":
    main()
