"""What training a PanelFormer makes of a device: `python -m trader_pipeline.bench.training --json`.

Runs on a bare GPU image: torch, numpy, pyarrow and safetensors, nothing else of ours. A step is the trainer's: windows gathered on the
device, forward in bf16, loss at every position of every window, backward, clipping, a guarded fused optimiser. A token is one
ticker-session, and its loss is computed once. Figures of a CPU are of a tiny network and say nothing about a GPU.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, get_args

import torch
from torch import Tensor, nn

from trader_pipeline.errors import UsageError
from trader_pipeline.models.network import AUXILIARY, HORIZONS, parameters_of
from trader_pipeline.models.panel_former import PanelFormer, PanelFormerConfig
from trader_pipeline.training.compute import DEFAULT, Attention, CompileMode, Compute, Computed, Machine, Precision, machine
from trader_pipeline.training.flops import training_flops
from trader_pipeline.training.gather import Buffers
from trader_pipeline.training.optimisers import Kind, optimiser
from trader_pipeline.training.profiling import profiled
from trader_pipeline.training.recipes import LADDER
from trader_pipeline.training.targets import Targets
from trader_pipeline.training.throughput import Meter, matmul_ceiling, wait
from trader_pipeline.training.windows import PanelTensors

SESSIONS = 256
_INPUTS: dict[str, Any] = {"columns": 256, "market_columns": 25, "families": tuple(tuple(range(7 * k, 7 * k + 7)) for k in range(7))}
SIZES = {
    "tiny": PanelFormerConfig(columns=32, width=64, heads=4, key_value_heads=2, blocks=2, window_sessions=32),
    **{
        size: PanelFormerConfig(**_INPUTS | LADDER[f"panel_former_{size}"] | {"window_sessions": SESSIONS})
        for size in ("25m", "100m", "500m")
    },
}
"""The recipes' networks, all on windows of as many sessions; panels of about as many columns and families as there are features."""
NO_GPU = "no GPU: the figures are of a tiny network on a CPU and say nothing about training on a GPU"
_SECTORS = 11
_ABSENT = 0.05
_WARM_UP = 3
_PROFILED = 3
_KERNELS = 8
"""How many of the longest are named."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What is measured. A step sees `windows` windows of `tickers` tickers; half as many where memory runs out."""

    sizes: tuple[str, ...] = ()
    tickers: int = 64
    windows: int = 4
    steps: int = 20
    optimiser: Kind = "adamw"
    compute: Compute = DEFAULT


def measure(options: Options, tell: Callable[[str], None] = lambda _: None) -> dict[str, Any]:
    """Return figures by size, and the matrix product of the same run that they are shares of; empty sizes are the device's own.

    Raises `UsageError` for a size or device that is not there.
    """
    if unknown := sorted(set(options.sizes) - set(SIZES)):
        raise UsageError(f"no size {', '.join(unknown)}; take of {', '.join(SIZES)}")
    on = machine(options.compute)
    sizes = options.sizes or (("25m", "100m", "500m") if on.is_cuda else ("tiny",))
    ceiling = matmul_ceiling(on.device, on.dtype)
    figures: dict[str, Any] = {
        "device": torch.cuda.get_device_name(on.device) if on.is_cuda else "cpu",
        "is_gpu_figure": on.is_cuda,
        "torch": torch.__version__,
        "precision": str(on.dtype).removeprefix("torch."),
        "compile_mode": on.compile_mode,
        "attention": on.attention,
        "optimiser": options.optimiser,
        "matmul_tflops": ceiling / 1e12,
        "sizes": {},
    }
    if not on.is_cuda:
        figures["note"] = NO_GPU
    for name in sizes:
        figures["sizes"][name] = _fitting(SIZES[name], options, on, ceiling)
        tell(f"{name}: {json.dumps(figures['sizes'][name])}")
    return figures


def _fitting(config: PanelFormerConfig, options: Options, on: Machine, ceiling: float) -> dict[str, Any]:
    """Measure with as many windows as fit."""
    windows = options.windows
    while True:
        try:
            return _one(config, replace(options, windows=windows), on, ceiling)
        except torch.OutOfMemoryError as error:
            said = str(error)
        if windows == 1:
            return {"error": f"one window does not fit in memory: {said}"}
        windows //= 2
        _forget(on)


def _one(config: PanelFormerConfig, options: Options, on: Machine, ceiling: float) -> dict[str, Any]:
    _forget(on)
    torch.manual_seed(0)
    network = PanelFormer(config).to(on.device)
    panel = _panel(config, options, on.device)
    starts_SB = torch.randint(0, panel.x_NTP.shape[1] - config.window_sessions + 1, (64, options.windows), device=on.device)
    flops = training_flops(network, panel.gather(starts_SB[0], config.window_sessions)[0])
    meter = Meter(
        device=on.device,
        flops_per_window=flops // options.windows,
        ceiling=ceiling,
        tickers=options.tickers,
        sessions=config.window_sessions,
    )
    step = _step(network, panel, starts_SB, options, on)
    began = time.perf_counter()
    for _ in range(_WARM_UP):
        step()
    wait(on.device)
    warm_up_s = time.perf_counter() - began
    meter.start()
    for _ in range(options.steps):
        loss = step()
        meter.step(options.windows)
    meter.stop()
    seen = profiled(step, on.device, steps=_PROFILED)
    facts = meter.facts()
    return {
        "parameters": parameters_of(network),
        "windows": options.windows,
        "tickers": options.tickers,
        "sessions": config.window_sessions,
        "step_s": meter.seconds / options.steps,
        "tokens_per_s": facts["tokens_per_s"],
        "tflops": facts["tflops"],
        "share_of_matmul": facts["mfu"],
        "peak_gb": torch.cuda.max_memory_allocated(on.device) / 1e9 if on.is_cuda else None,
        "outside_kernels": seen.outside_kernels,
        "bottleneck": seen.bottleneck,
        "kernels": seen.longest(_KERNELS),
        "warm_up_s": warm_up_s,
        "loss": float(loss),
    }


def _step(network: PanelFormer, panel: PanelTensors, starts_SB: Tensor, options: Options, on: Machine) -> Callable[[], Tensor]:
    """Return a function that takes the next optimiser step and returns its loss, without waiting for the device."""
    computed, buffers = Computed(network, on), Buffers()
    moved = optimiser(network, options.optimiser, learning_rate=1e-4, weight_decay=0.05)
    parameters = list(network.parameters())
    turn = iter(range(sys.maxsize))

    def step() -> Tensor:
        starts_B = starts_SB[next(turn) % len(starts_SB)]
        inputs, targets = panel.gather(starts_B, network.config.window_sessions, buffers)
        moved.zero_grad(set_to_none=True)
        loss = computed.loss(inputs, targets, targets.counts())
        torch.autograd.backward(loss)
        norm = nn.utils.clip_grad_norm_(parameters, 1.0)
        moved.grad_scale, moved.found_inf = None, (~torch.isfinite(norm)).float()  # type: ignore[attr-defined]
        moved.step()
        return loss.detach()

    return step


def _panel(config: PanelFormerConfig, options: Options, device: torch.device) -> PanelTensors:
    """Return random data in which a few tickers are absent and labels unknown."""
    tickers, sessions = options.tickers, 4 * config.window_sessions
    present_NT = torch.rand(tickers, sessions, device=device) > _ABSENT
    score, residual, auxiliary = (
        torch.randn(tickers, sessions, kinds, device=device).masked_fill_(~present_NT[..., None], torch.nan)
        for kinds in (HORIZONS, HORIZONS, AUXILIARY)
    )
    targets = Targets(score, residual, torch.randn(sessions, HORIZONS, device=device), auxiliary)
    sector_N = torch.arange(tickers, device=device) % _SECTORS
    x_NTP = torch.randn(tickers, sessions, config.columns, device=device)
    market_TM = torch.randn(sessions, config.market_columns, device=device)
    return PanelTensors(x_NTP, present_NT, market_TM, sector_N[:, None] == sector_N, targets)


def _forget(on: Machine) -> None:
    """Give memory and compiled code of the network before back."""
    if on.compile_mode != "off":
        torch.compiler.reset()
    if on.is_cuda:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(on.device)


def main() -> None:
    """Measure what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m trader_pipeline.bench.training", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object on stdout and nothing else")
    parser.add_argument("--sizes", default="", help=f"comma-separated, of {', '.join(SIZES)}")
    parser.add_argument("--tickers", type=int, default=Options.tickers)
    parser.add_argument("--windows", type=int, default=Options.windows, help="windows of all tickers a step")
    parser.add_argument("--steps", type=int, default=Options.steps)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", choices=get_args(Precision), default="auto")
    parser.add_argument(
        "--compile", choices=get_args(CompileMode), default="auto", help="reduce-overhead and max-autotune record CUDA graphs"
    )
    parser.add_argument("--attention", choices=get_args(Attention), default="auto")
    parser.add_argument("--optimiser", choices=get_args(Kind), default="adamw")
    asked = parser.parse_args()
    sizes = tuple(name for name in asked.sizes.split(",") if name)
    compute = Compute(device=asked.device, precision=asked.precision, compile_mode=asked.compile, attention=asked.attention)
    options = Options(
        sizes=sizes, tickers=asked.tickers, windows=asked.windows, steps=asked.steps, optimiser=asked.optimiser, compute=compute
    )

    def tell(line: str) -> None:
        sys.stderr.write(line + "\n")

    try:
        figures = measure(options, tell)
    except UsageError as error:
        parser.error(str(error))
    sys.stdout.write(json.dumps(figures, indent=None if asked.json else 1) + "\n")


if __name__ == "__main__":
    main()
