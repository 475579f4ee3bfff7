"""Windows a second: gathered on the device, into a new tensor and into a buffer, and brought by a DataLoader from mapped files.

A window is one ticker's sessions; all ways bring the same windows of the same random panel, with one thread, as training does. Beside
windows a second of the clock stand those of a CPU-second, workers' included, which other work on the machine moves less.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor

from trader_pipeline.models.network_member import torch_threads
from trader_pipeline.training.gather import Buffers, gather
from trader_pipeline.training.mapped import Loading, loaded, mapped
from trader_pipeline.training.targets import Targets
from trader_pipeline.training.windows import PanelTensors

_WORKERS = (0, 2)


def measure(
    *,
    tickers: int = 100,
    sessions: int = 2000,
    columns: int = 158,
    length: int = 64,
    together: int = 8,
    seconds: float = 2.0,
    device: str = "cpu",
) -> dict[str, object]:
    """Return windows a second of each way, `together` windows of all tickers at a time, each way for about `seconds`."""
    generator = torch.Generator().manual_seed(0)
    x_NTP = torch.randn(tickers, sessions, columns, generator=generator)
    nothing_NT0, nothing_T0 = torch.zeros(tickers, sessions, 0), torch.zeros(sessions, 0)
    here = PanelTensors(
        x_NTP,
        torch.ones(tickers, sessions, dtype=torch.bool),
        nothing_T0,
        torch.eye(tickers, dtype=torch.bool),
        Targets(nothing_NT0, nothing_NT0, nothing_T0, nothing_NT0),
    )
    starts = [torch.randint(0, sessions - length, (together,), generator=generator) for _ in range(64)]
    x_there, buffers = x_NTP.to(device), Buffers()
    starts_there = [starts_B.to(device) for starts_B in starts]

    def by_index(into: tuple[Buffers, str] | None) -> Callable[[], int]:
        def turn() -> int:
            for starts_B in starts_there:
                gather(x_there, starts_B, length, into)
            _wait(x_there)
            return len(starts) * together * tickers

        return turn

    figures: dict[str, object] = {"device": device, "columns": columns, "sessions_of_a_window": length}

    def note(name: str, turn: Callable[[], int]) -> None:
        with torch_threads(1):
            figures[name], figures[f"{name}_per_cpu_s"] = _a_second(turn, seconds)

    note("gather_into_buffer", by_index((buffers, "x")))
    note("gather", by_index(None))
    with TemporaryDirectory(prefix="trader-bench-") as folder:
        filed = mapped(here, Path(folder))
        for workers in _WORKERS:
            loading = Loading(batch_size=together, num_workers=workers)

            def turn(loading: Loading = loading) -> int:
                brought = 0
                for inputs, _ in loaded(filed, starts, length, loading):
                    brought += inputs.x_BNLP.to(device).shape[0] * tickers
                _wait(x_there)
                return brought

            note(f"loader_{workers}_workers", turn)
    return figures


def _a_second(turn: Callable[[], int], seconds: float) -> tuple[int, int]:
    """Return windows a second and a CPU-second of turns that take about `seconds` together; the first, a warm-up, is not counted."""
    turn()
    began, used, windows = time.perf_counter(), _cpu_s(), 0
    while time.perf_counter() - began < seconds:
        windows += turn()
    return round(windows / (time.perf_counter() - began)), round(windows / (_cpu_s() - used))


def _cpu_s() -> float:
    return sum(os.times()[:4])


def _wait(tensor: Tensor) -> None:
    if tensor.is_cuda:
        torch.cuda.synchronize(tensor.device)
