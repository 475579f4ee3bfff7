"""What a run survived, for its record: kept beside the checkpoints, so that a run that goes on still knows it."""

import json
from collections.abc import Mapping
from pathlib import Path

from trader_pipeline import durable

_EVENTS = frozenset(
    {
        "skipped",
        "backed_off",
        "rolled_back",
        "out_of_memory",
        "checkpoint_damaged",
        "starts_again",
        "resumed",
        "slow",
        "gap",
        "preflight_overridden",
        "fit_damaged",
    }
)


class Incidents:
    """The incidents of a run, on disk as soon as they are noted."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "incidents.json"
        self.noted: list[dict[str, object]] = json.loads(self._path.read_bytes()) if self._path.exists() else []

    def note(self, event: Mapping[str, object]) -> None:
        """Keep the event when it is an incident."""
        if event["event"] in _EVENTS:
            self.noted.append(dict(event))
            durable.write_atomic(self._path, json.dumps(self.noted).encode())
