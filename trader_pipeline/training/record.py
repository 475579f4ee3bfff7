"""What a run says of itself when it is done: everything that its fits told, by kind, beside what it was asked."""

import resource
from collections.abc import Mapping
from pathlib import Path

from trader_pipeline.training.request import TrainingRequest

KINDS = ("settings", "preflight", "rate_range", "epoch", "throughput", "importance", "diagnosis")
"""Events that are kept: `epoch` as curves; `preflight` of the model "data" is of what all members see."""
_ASKED = ("model_id", "run_id", "recipe", "seed", "data_version", "git_revision", "forced", "skip_preflight")

Event = dict[str, object]


class Record:
    """The events of a run that its record keeps, in order."""

    def __init__(self) -> None:
        self.events: dict[str, list[Event]] = {kind: [] for kind in KINDS}

    def note(self, event: Mapping[str, object]) -> None:
        """Keep the event when it is of a kind that is kept."""
        kind = str(event["event"])
        if kind in self.events:
            self.events[kind].append({name: value for name, value in event.items() if name != "event"})

    def facts(self, request: TrainingRequest) -> dict[str, object]:
        """Return the kinds, ready for JSON, the losses of each fit side by side as `curves`, and what was asked."""
        kinds: dict[str, object] = {kind: events for kind, events in self.events.items() if kind != "epoch"}
        asked = {name: getattr(request, name) for name in _ASKED} | {"as_of": request.as_of.isoformat(), "features": request.features}
        return kinds | {"curves": self._curves(), "asked": asked}

    def _curves(self) -> list[Event]:
        fits: dict[tuple[object, object], list[Event]] = {}
        for event in self.events["epoch"]:
            fits.setdefault((event["model"], event["fold"]), []).append(event)
        losses = ("train_loss", "validation_loss", "gap")
        return [{"model": m, "fold": f} | {loss: [e.get(loss) for e in epochs] for loss in losses} for (m, f), epochs in fits.items()]


def peak_resident_mb() -> float:
    """Return this program's own peak; ru_maxrss would start from what the parent held when it started us."""
    status = Path("/proc/self/status")
    if status.exists():
        high_water = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(high_water.split()[1]) * 1024 / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # macOS counts bytes
