"""The training bench: on a bare image, whatever else is not there; its figures hang together."""

import json
import subprocess
import sys

import pytest

from trader_pipeline.bench.training import NO_GPU, SIZES
from trader_pipeline.models.network import parameters_of
from trader_pipeline.models.panel_former import PanelFormer

ABSENT = ("dagster", "duckdb", "exchange_calendars", "lightgbm", "numba", "pandas", "pydantic", "pydantic_settings", "rich", "scipy")
ABSENT += ("sklearn", "structlog", "typer", "yfinance")
BARE = f"""
import importlib.machinery, runpy, sys
there = importlib.machinery.PathFinder.find_spec
importlib.machinery.PathFinder.find_spec = classmethod(
    lambda cls, name, path=None, target=None: None if name.split(".")[0] in {ABSENT!r} else there(name, path, target)
)
try:
    import pandas
except ModuleNotFoundError:
    sys.argv = ["bench", *sys.argv[1:]]
    runpy.run_module("trader_pipeline.bench.training", run_name="__main__", alter_sys=True)
"""


def bench(*options):
    line = [sys.executable, "-c", BARE, *options]
    return subprocess.run(line, capture_output=True, text=True, check=False, timeout=120, env={"OMP_NUM_THREADS": "1"})


@pytest.mark.slow
def test_it_runs_alone_on_a_bare_image_and_says_that_a_cpu_is_no_gpu():
    ran = bench("--json", "--device", "cpu", "--tickers", "4", "--windows", "2", "--steps", "2")
    assert ran.returncode == 0, ran.stderr
    figures = json.loads(ran.stdout)
    assert figures["note"] == NO_GPU
    assert figures["is_gpu_figure"] is False
    assert list(figures["sizes"]) == ["tiny"]
    tiny = figures["sizes"]["tiny"]
    assert tiny["tokens_per_s"] == pytest.approx(2 * 4 * 32 / tiny["step_s"])
    assert tiny["share_of_matmul"] == pytest.approx(tiny["tflops"] / figures["matmul_tflops"])
    assert 0 < tiny["loss"] < 20
    assert tiny["bottleneck"].endswith("of the time on the CPU")
    assert tiny["peak_gb"] is tiny["outside_kernels"] is None


def test_an_unknown_size_is_named():
    ran = bench("--sizes", "25m,7b")
    assert ran.returncode == 2
    assert "no size 7b; take of tiny, 25m, 100m, 500m" in ran.stderr


@pytest.mark.parametrize(("name", "millions"), [("25m", 25), ("100m", 100), ("500m", 500)])
def test_sizes_are_what_they_are_called(name, millions):
    import torch  # noqa: PLC0415 - the other tests start it in a process of their own

    with torch.device("meta"):
        assert parameters_of(PanelFormer(SIZES[name])) == pytest.approx(millions * 1e6, rel=0.1)
    assert SIZES[name].window_sessions == 256
