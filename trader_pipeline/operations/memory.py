"""Largest simultaneous resident memory of this process and all that it started."""

import threading
from pathlib import Path
from types import TracebackType
from typing import Self

_INTERVAL_S = 0.1
_BYTES_PER_MB = 1_000_000


class PeakMemory:
    """Context manager; `peak_mb` is the largest sum of RSS over the process tree, sampled ten times a second from /proc."""

    def __init__(self, pid: str = "self") -> None:
        self.pid = pid
        self.peak_mb = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while True:
            self.peak_mb = max(self.peak_mb, tree_rss_bytes(self.pid) / _BYTES_PER_MB)
            if self._stop.wait(_INTERVAL_S):
                return


def tree_rss_bytes(pid: str) -> int:
    """Return the resident bytes of a process and its descendants; those that ended meanwhile count 0."""
    folder = Path("/proc") / pid
    try:
        pages = next(line for line in (folder / "status").read_text().splitlines() if line.startswith("VmRSS:"))
        children = [c for task in (folder / "task").iterdir() for c in (task / "children").read_text().split()]
    except (OSError, StopIteration):
        return 0
    return int(pages.split()[1]) * 1024 + sum(tree_rss_bytes(child) for child in children)
