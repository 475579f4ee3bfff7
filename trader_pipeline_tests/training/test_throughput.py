"""Figures of the run record, and where the time went."""

import json
import time

import pytest
import torch

from trader_pipeline.training import throughput
from trader_pipeline.training.profiling import Profile, of_kernels, profiled
from trader_pipeline.training.throughput import Gpu, Meter, matmul_ceiling, warning

CPU = torch.device("cpu")


class Busy:
    """A GPU that says what it is told."""

    def __init__(self, *percent):
        self.percent = list(percent)

    def utilisation(self):
        return self.percent.pop(0)


def test_figures_follow_from_counts_and_seconds(monkeypatch):
    clock = iter([10.0, 11.0, 12.5, 14.0])  # start, two steps, stop
    monkeypatch.setattr(throughput.time, "perf_counter", lambda: next(clock))
    meter = Meter(device=CPU, flops_per_window=10**12, ceiling=8e12, tickers=3, sessions=5, gpu=Busy(20, 70))
    meter.start()
    meter.step(6)
    meter.step(2)
    meter.stop()
    assert meter.facts() == {"samples_per_s": 2.0, "tokens_per_s": 30.0, "tflops": 2.0, "mfu": 0.25, "gpu_utilisation": 0.45}
    assert "busy 45% of the time" in warning(meter.facts())


def test_no_steps_no_figures_and_no_gpu_no_warning():
    meter = Meter(device=CPU, flops_per_window=1, ceiling=1.0, tickers=1, sessions=1)
    assert set(meter.facts().values()) == {None}
    assert warning(meter.facts()) is None
    assert warning({"gpu_utilisation": 0.5}) is None
    assert Gpu.of(CPU) is None


def test_the_ceiling_is_what_a_product_reaches():
    ceiling = matmul_ceiling(CPU, torch.float32, side=256, seconds=0.02)
    a = torch.randn(256, 256)
    began = time.perf_counter()
    for _ in range(20):
        a @ a
    reached = 20 * 2 * 256**3 / (time.perf_counter() - began)
    assert 0.1 * reached < ceiling < 1e13
    assert ceiling > 1e8


def test_time_outside_kernels_is_what_none_covers():
    def event(category, name, start, length):
        return {"ph": "X", "cat": category, "name": name, "ts": start, "dur": length}

    events = [
        event("kernel", "gemm", 8e6, 1e6),
        event("kernel", "gemm", 2e6, 2e6),
        event("gpu_memcpy", "copy", 3e6, 2e6),
        event("gpu_user_annotation", "Optimizer.step", 0, 10e6),
        event("cpu_op", "aten::mm", 0, 10e6),
        {"ph": "M", "name": "process_name"},
    ]
    found = of_kernels(events, took=10.0)
    assert found.outside_kernels == pytest.approx(0.6)
    assert found.seconds == {"gemm": 3.0, "copy": 2.0}
    assert list(found.seconds) == ["gemm", "copy"]
    assert of_kernels([], took=1.0).outside_kernels == 1.0


def test_a_trace_is_written_and_the_longest_operation_named(tmp_path):
    a = torch.randn(300, 300)
    found = profiled(lambda: a @ a, CPU, steps=3, trace=tmp_path / "traces" / "step.json")
    assert found.outside_kernels is None
    assert found.bottleneck.startswith("aten::mm takes ")
    assert found.bottleneck.endswith("of the time on the CPU")
    names = [event.get("name") for event in json.loads((tmp_path / "traces" / "step.json").read_text())["traceEvents"]]
    assert names.count("aten::mm") == 3


def test_a_waiting_gpu_is_the_bottleneck():
    slow_host = Profile(outside_kernels=0.4, seconds={"gemm": 3.0, "copy": 1.0})
    assert slow_host.bottleneck == (
        "40% of the time no kernel runs: the host is too slow, compile or raise rows_per_step; then gemm takes 75% of the time in kernels"
    )
    assert Profile(outside_kernels=0.1, seconds={"gemm": 3.0, "copy": 1.0}).bottleneck == "gemm takes 75% of the time in kernels"
