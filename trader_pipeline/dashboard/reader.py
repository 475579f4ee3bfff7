"""The newest commit of one lake, kept until HEAD moves. Reads only."""

import threading
from pathlib import Path

from trader_pipeline import lake
from trader_pipeline.lake import Snapshot


class LakeReader:
    """Hands out the newest snapshot of `dataset_home`; one page works on one snapshot, so it never mixes two commits."""

    def __init__(self, dataset_home: Path) -> None:
        self.dataset_home = dataset_home
        self._lock = threading.Lock()
        self._head = ""
        self._snapshot: Snapshot | None = None

    def snapshot(self) -> Snapshot | None:
        """Return the newest snapshot, or None where there is no lake yet. Raises `CorruptPartError`."""
        head = self.dataset_home / "lake" / "HEAD"
        if not head.exists():
            return None
        with self._lock:
            name = head.read_text().strip()
            if self._snapshot is None or name != self._head:
                fresh = lake.open(self.dataset_home)
                _ = fresh.connection  # built here, under the lock, and not by two requests at once
                self._snapshot, self._head = fresh, name
            return self._snapshot
