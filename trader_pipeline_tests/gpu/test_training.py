"""What only a GPU can show: bf16, compiled code, its memory that runs out, and a step that never waits. `pytest -m gpu`."""

import copy
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from trader_pipeline.models.network import Inputs
from trader_pipeline.models.panel_former import PanelFormer, PanelFormerConfig
from trader_pipeline.training.compute import Compute, Computed, machine
from trader_pipeline.training.fit_network import fit_network
from trader_pipeline.training.module import NetworkModule, PanelNames
from trader_pipeline.training.optimisation import Optimisation
from trader_pipeline.training.profiling import profiled
from trader_pipeline.training.recipes import FitContext
from trader_pipeline.training.targets import Targets
from trader_pipeline.training.throughput import Gpu
from trader_pipeline.training.windows import PanelTensors
from trader_pipeline_tests.training.planted import SECTORS, examples, planted

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU"),
]

CUDA = torch.device("cuda")
FAMILIES = ((0, 1, 2), (5, 6))
CONFIG = PanelFormerConfig(
    columns=20,
    market_columns=3,
    width=128,
    heads=4,
    key_value_heads=2,
    blocks=2,
    window_sessions=64,
    dropout=0.0,
    families=FAMILIES,
)
TICKERS, SESSIONS = 30, 400


def panel(seed=0):
    """A panel in which a few tickers are absent and labels unknown, resident on the GPU."""
    draw = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(*shape, generator=draw)

    present = torch.rand(TICKERS, SESSIONS, generator=draw) > 0.05
    score, residual, auxiliary = (normal(TICKERS, SESSIONS, n).masked_fill(~present[..., None], torch.nan) for n in (4, 4, 8))
    sector = torch.arange(TICKERS) % 5
    x = normal(TICKERS, SESSIONS, CONFIG.columns) * present[..., None]
    data = PanelTensors(
        x, present, normal(SESSIONS, 3), sector[:, None] == sector, Targets(score, residual, normal(SESSIONS, 4), auxiliary)
    )
    return data.to(CUDA)


def network(seed=0):
    torch.manual_seed(seed)
    return PanelFormer(CONFIG).to(CUDA)


def gradient(model, compute, starts=(0, 100)):
    """The loss and the gradient of two windows as one vector, as the machine computes them."""
    computed = Computed(model, machine(compute))
    inputs, targets = panel().gather(torch.tensor(starts), CONFIG.window_sessions)
    model.zero_grad()
    loss = computed.loss(inputs, targets, targets.counts())
    loss.backward()
    return loss.item(), nn.utils.parameters_to_vector([p.grad.float() for p in model.parameters()])


def module(settings, starts_per_step=4):
    names = PanelNames("panel_former", 0, tuple(f"T{n}" for n in range(TICKERS)), np.arange(SESSIONS).astype("datetime64[D]"), ())
    made = NetworkModule(network(), panel(), names, settings, total_steps=100, micro_windows=starts_per_step)
    wrapped = SimpleNamespace(optimizer=made.optimiser, step=made.optimiser.step)
    made.optimizers = lambda: wrapped  # what Lightning gives inside a fit
    made.manual_backward = torch.autograd.backward
    return made


@pytest.mark.parametrize("compute", [Compute(precision="fp32", compile_mode="off"), Compute(compile_mode="off"), Compute()])
def test_loss_and_gradient_are_those_of_a_cpu(compute):
    model = network()
    on_cpu = copy.deepcopy(model).cpu()
    inputs, targets = panel().gather(torch.tensor([0, 100]), CONFIG.window_sessions)
    inputs, targets = Inputs(*(part.cpu() for part in inputs)), targets.map(torch.Tensor.cpu)
    computed = Computed(on_cpu, machine(Compute(device="cpu")))
    exact_loss = computed.loss(inputs, targets, targets.counts())
    exact_loss.backward()
    exact = nn.utils.parameters_to_vector([p.grad for p in on_cpu.parameters()])
    loss, found = gradient(model, compute)
    bound = 3e-2 if compute.precision == "auto" else 2e-3  # bf16 keeps 8 bits; TF32 10
    assert loss == pytest.approx(exact_loss.item(), rel=bound)
    assert float((found.cpu() - exact).norm() / exact.norm()) < bound


def test_recorded_graphs_give_the_same_gradient():
    _, wanted = gradient(network(), Compute(compile_mode="off"))
    _, found = gradient(network(), Compute(compile_mode="reduce-overhead"))
    assert float((found - wanted).norm() / wanted.norm()) < 2e-2


@pytest.mark.parametrize("attention", ["flash", "efficient", "cudnn", "math"])
def test_every_attention_kernel_gives_the_same_gradient(attention):
    _, wanted = gradient(network(), Compute(compile_mode="off"))
    _, found = gradient(network(), Compute(compile_mode="off", attention=attention))
    assert float((found - wanted).norm() / wanted.norm()) < 2e-2


def test_activations_computed_twice_give_the_same_gradient():
    made = module(Optimisation(learning_rate=1e-3))
    starts = torch.tensor([0, 64, 128, 192])
    made._share(starts)
    kept = nn.utils.parameters_to_vector([p.grad for p in made.network.parameters()]).clone()
    assert made.memory.recompute_activations()
    made._share(starts)
    again = nn.utils.parameters_to_vector([p.grad for p in made.network.parameters()])
    assert float((again - kept).norm() / kept.norm()) < 1e-2


@pytest.mark.parametrize("optimiser", ["adamw", "muon"])
def test_a_step_never_waits_for_the_gpu(optimiser):
    made = module(Optimisation(learning_rate=1e-3, optimiser=optimiser))
    starts = torch.tensor([0, 64, 128, 192], device=CUDA)
    for _ in range(3):
        made.training_step(starts, 0)
    torch.cuda.synchronize()
    before = nn.utils.parameters_to_vector(made.network.parameters()).clone()
    torch.cuda.set_sync_debug_mode("error")
    try:
        for _ in range(3):
            made.training_step(starts, 0)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    after = nn.utils.parameters_to_vector(made.network.parameters())
    assert torch.isfinite(after).all()
    assert not torch.equal(before, after)


def test_a_bad_step_leaves_the_weights_as_they_are():
    made = module(Optimisation(learning_rate=1e-3))
    made.data.x_NTP[3, 10] = torch.nan
    before = nn.utils.parameters_to_vector(made.network.parameters()).clone()
    made.training_step(torch.tensor([0]), 0)
    assert torch.equal(before, nn.utils.parameters_to_vector(made.network.parameters()))
    made.training_step(torch.tensor([100]), 0)
    assert not torch.equal(before, nn.utils.parameters_to_vector(made.network.parameters()))
    assert (made.guard.skips(), made.guard.bad_steps()) == (1, [0])


def fitted(folder, settings, size):
    events = []
    context = FitContext(seed=0, fold=1, report=events.append, scratch=folder)
    member = fit_network(examples(planted(sessions=600), 450), context, size, settings)
    return member, events


SIZE = PanelFormerConfig(width=64, heads=2, key_value_heads=1, blocks=2, dropout=0.0, window_sessions=16)


def test_a_fit_on_the_gpu_finds_the_planted_signal_and_serves_on_a_cpu(tmp_path):
    member, events = fitted(tmp_path, Optimisation(epochs=6, learning_rate=3e-3, rows_per_step=200), SIZE)
    data = planted(sessions=600, seed=9)
    score = member.predict(data.x_NTF, data.grid, SECTORS).score_TNH[:, :, 0].T
    known = np.isfinite(score)
    assert np.corrcoef(score[known], data.x_NTF[:, :, 0][known])[0, 1] > 0.7
    (told,) = [event for event in events if event["event"] == "throughput"]
    assert 0 < told["mfu"] < 1
    assert next(member.network.parameters()).device.type == "cpu"


def test_memory_that_really_runs_out_halves_the_micro_batch(tmp_path):
    size = replace(SIZE, width=512, heads=8, key_value_heads=4, blocks=6)
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(CUDA).total_memory
    torch.cuda.set_per_process_memory_fraction(1.1e9 / total)
    try:
        _, events = fitted(tmp_path, Optimisation(epochs=1, learning_rate=1e-4, rows_per_step=16 * 6 * 24), size)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    short = [event for event in events if event["event"] == "out_of_memory"]
    assert short[0]["done"] == "cache emptied"
    assert "CUDA" in short[0]["memory_summary"]
    assert any(event["done"].startswith("micro-batch of ") for event in short)
    assert [event for event in events if event["event"] == "epoch"][-1]["train_loss"] < 10


def test_the_driver_tells_how_busy_the_gpu_is():
    gpu = Gpu.of(CUDA)
    assert gpu is not None
    a = torch.randn(4096, 4096, device=CUDA, dtype=torch.bfloat16)
    for _ in range(2000):
        a @ a
    used = gpu.utilisation()
    torch.cuda.synchronize()
    assert used is not None
    assert 0 <= used <= 100


def test_the_share_outside_kernels_is_told():
    a = torch.randn(4096, 4096, device=CUDA, dtype=torch.bfloat16)
    busy = profiled(lambda: [a @ a for _ in range(50)], CUDA, steps=3)
    assert busy.outside_kernels is not None
    assert busy.outside_kernels < 0.2
    assert "kernel" in busy.bottleneck
