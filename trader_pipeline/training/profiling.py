"""Where the time of a few steps went: a trace for Perfetto or chrome://tracing, and the bottleneck in one line."""

import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from trader_pipeline.training.throughput import wait

_MUCH_IDLE = 0.2
_ON_DEVICE = frozenset({"kernel", "gpu_memcpy", "gpu_memset"})
"""Categories of a trace in which the device works; annotations of ranges are none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Share of the steps' time in which no kernel ran (None on a CPU), and seconds by operation or kernel, the longest first."""

    outside_kernels: float | None
    seconds: dict[str, float]

    @property
    def bottleneck(self) -> str:
        """One line: what takes the time, and what to do about it where that is known."""
        if not self.seconds:
            return "nothing was computed"
        name, longest = next(iter(self.seconds.items()))
        share = longest / sum(self.seconds.values())
        if self.outside_kernels is None:
            return f"{name} takes {share:.0%} of the time on the CPU"
        most = f"{name} takes {share:.0%} of the time in kernels"
        if self.outside_kernels > _MUCH_IDLE:
            return (
                f"{self.outside_kernels:.0%} of the time no kernel runs: the host is too slow, compile or raise rows_per_step; then {most}"
            )
        return most

    def longest(self, count: int) -> dict[str, float]:
        """Return the longest operations or kernels by name, each as a share of all of them."""
        total = sum(self.seconds.values())
        return {name: seconds / total for name, seconds in list(self.seconds.items())[:count]}


def profiled(step: Callable[[], object], device: torch.device, *, steps: int, trace: Path | None = None) -> Profile:
    """Run `step` once to warm up, `steps` times by the clock and `steps` times under torch.profiler; write the trace where `trace` says.

    The profiler slows the host, not the kernels, so the time outside them is that of the steps without it.
    """
    step()
    wait(device)
    began = time.perf_counter()
    for _ in range(steps):
        step()
    wait(device)
    took = time.perf_counter() - began
    with profiler_of(device) as profiler:
        for _ in range(steps):
            step()
        wait(device)
    with TemporaryDirectory(prefix="trader-profile-") as folder:
        return profile_of(profiler, device, took, trace or Path(folder) / "trace.json")


def profiler_of(device: torch.device) -> profile:
    """Return a profiler of what a device and its host do."""
    return profile(activities=[ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if device.type == "cuda" else [])])


def profile_of(profiler: profile, device: torch.device, took: float, path: Path) -> Profile:
    """Write the trace to `path` and return the profile of steps that took so many seconds without the profiler."""
    path.parent.mkdir(parents=True, exist_ok=True)
    profiler.export_chrome_trace(str(path))
    if device.type == "cuda":
        return of_kernels(json.loads(path.read_bytes())["traceEvents"], took)
    seconds = {average.key: average.self_cpu_time_total / 1e6 for average in profiler.key_averages()}
    return Profile(outside_kernels=None, seconds=_longest_first(seconds))


def of_kernels(events: Iterable[Mapping[str, Any]], took: float) -> Profile:
    """Return the profile of a trace's events, whose steps took that many seconds without the profiler. Kernels may overlap."""
    seconds: dict[str, float] = defaultdict(float)
    busy, until = 0.0, 0.0
    for event in sorted((e for e in events if e.get("cat") in _ON_DEVICE), key=lambda e: float(e["ts"])):
        start, end = float(event["ts"]), float(event["ts"]) + float(event["dur"])  # microseconds
        seconds[event["name"]] += (end - start) / 1e6
        busy += max(0.0, end - max(start, until)) / 1e6
        until = max(until, end)
    return Profile(outside_kernels=max(0.0, 1 - busy / took), seconds=_longest_first(seconds))


def _longest_first(seconds: Mapping[str, float]) -> dict[str, float]:
    return {name: s for name, s in sorted(seconds.items(), key=lambda item: -item[1]) if s > 0}
