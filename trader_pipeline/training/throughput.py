"""How much of the machine a fit used: windows and ticker-sessions a second, its share of a large matrix product, the GPU's own account.

The ceiling is measured, not looked up: a square product in the precision of the fit, on this device, in this process.
"""

import ctypes
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch

_SIDE = {"cuda": 8192, "cpu": 512}
_SECONDS = {"cuda": 0.5, "cpu": 0.05}
_SHARE_EXPECTED = 0.5
_SAMPLE_EVERY_S = 1.0


def matmul_ceiling(device: torch.device, dtype: torch.dtype, *, side: int | None = None, seconds: float | None = None) -> float:
    """Return operations a second of a square matrix product: the best of three stretches, after one that warms up."""
    side, seconds = side or _SIDE[device.type], seconds or _SECONDS[device.type]
    own = torch.Generator(device).manual_seed(0)  # what a fit draws must not depend on whether this was measured
    a, b = (torch.randn(side, side, device=device, dtype=dtype, generator=own) for _ in range(2))
    out = torch.empty_like(a)

    def turn(times: int) -> float:
        wait(device)
        began = time.perf_counter()
        for _ in range(times):
            torch.mm(a, b, out=out)
        wait(device)
        return time.perf_counter() - began

    turn(3)
    times = max(1, round(seconds / max(turn(3) / 3, 1e-6)))
    return max(2 * side**3 * times / turn(times) for _ in range(3))


def wait(device: torch.device) -> None:
    """Wait until the device has done what it was asked."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


@dataclass(slots=True, kw_only=True)
class Meter:
    """Counts what was trained between `start` and `stop`, evaluation left out; samples the GPU's utilisation once a second."""

    device: torch.device
    flops_per_window: int
    ceiling: float
    tickers: int
    sessions: int
    gpu: "Gpu | None" = None
    seconds: float = 0.0
    windows: int = 0
    _began: float = 0.0
    _sampled: float = 0.0
    _samples: list[int] = field(default_factory=list)

    def start(self) -> None:
        """Begin a stretch of steps."""
        wait(self.device)
        self._began = time.perf_counter()

    def step(self, windows: int) -> None:
        """Note a step of that many windows; the device is not waited for."""
        self.windows += windows
        now = time.perf_counter()
        if self.gpu and now - self._sampled >= _SAMPLE_EVERY_S:
            self._sampled = now
            self._samples += [used for used in (self.gpu.utilisation(),) if used is not None]

    def stop(self) -> None:
        """End a stretch of steps."""
        wait(self.device)
        self.seconds += time.perf_counter() - self._began

    def facts(self) -> dict[str, float | None]:
        """Return the figures of the run record; `gpu_utilisation` is None without NVML, all are None before the first step."""
        if not self.windows:
            return dict.fromkeys(("samples_per_s", "tokens_per_s", "tflops", "mfu", "gpu_utilisation"))
        a_second = self.windows / self.seconds
        return {
            "samples_per_s": a_second,
            "tokens_per_s": a_second * self.tickers * self.sessions,
            "tflops": a_second * self.flops_per_window / 1e12,
            "mfu": a_second * self.flops_per_window / self.ceiling,
            "gpu_utilisation": sum(self._samples) / len(self._samples) / 100 if self._samples else None,
        }


def warning(facts: Mapping[str, float | None]) -> str | None:
    """Return what to say when a GPU was used less than half of the time; None where it was, or where there is none."""
    used = facts["gpu_utilisation"]
    if used is None or used >= _SHARE_EXPECTED:
        return None
    return f"the GPU was busy {used:.0%} of the time, less than {_SHARE_EXPECTED:.0%}: raise rows_per_step, or see --profile"


class Gpu:
    """One GPU as its driver's library (NVML) sees it."""

    def __init__(self, library: ctypes.CDLL, handle: ctypes.c_void_p) -> None:
        self._library, self._handle = library, handle

    @classmethod
    def of(cls, device: torch.device) -> "Gpu | None":
        """Return the GPU behind a torch device, None where there is no such device or no library."""
        if device.type != "cuda":
            return None
        try:
            library = ctypes.CDLL("libnvidia-ml.so.1")
        except OSError:
            return None
        handle = ctypes.c_void_p()
        uuid = f"GPU-{torch.cuda.get_device_properties(device).uuid}".encode()
        if library.nvmlInit_v2() or library.nvmlDeviceGetHandleByUUID(uuid, ctypes.byref(handle)):
            return None
        return cls(library, handle)

    def utilisation(self) -> int | None:
        """Return the percentage of the last sample period in which a kernel ran; None when the driver does not say."""
        rates = (ctypes.c_uint * 2)()
        refused = self._library.nvmlDeviceGetUtilizationRates(self._handle, ctypes.byref(rates))
        return None if refused else int(rates[0])
