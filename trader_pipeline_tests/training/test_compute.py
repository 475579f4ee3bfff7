"""What is decided for a machine, and that a network computed by it says the same, in fp32."""

import pytest
import torch
from torch import nn

from trader_pipeline.errors import UsageError
from trader_pipeline.models.network import Inputs, Outputs
from trader_pipeline.models.panel_former import PanelFormer, PanelFormerConfig
from trader_pipeline.training.compute import Compute, Computed, machine
from trader_pipeline.training.targets import Targets

torch.manual_seed(0)
INPUTS = Inputs(torch.randn(2, 3, 8, 16), torch.ones(2, 3, 8, dtype=torch.bool), torch.zeros(2, 8, 0), torch.ones(3, 3, dtype=torch.bool))


TARGETS = Targets(torch.randn(2, 3, 8, 4), torch.randn(2, 3, 8, 4), torch.randn(2, 8, 4), torch.randn(2, 3, 8, 8))


class Attends(nn.Module):
    """The smallest network of the interface that attends."""

    def __init__(self):
        super().__init__()
        self.value = nn.Linear(16, 16)
        self.seen = []

    def forward(self, inputs):
        x = self.value(inputs.x_BNLP)
        self.seen.append(x.dtype)
        mixed = nn.functional.scaled_dot_product_attention(x, x, x, is_causal=True)
        return Outputs(mixed[..., :4], mixed[..., :12].unflatten(-1, (4, 3)), None, None)


def test_a_cpu_is_left_exact_and_uncompiled():
    on = machine(Compute(device="cpu"))
    assert (on.device.type, on.dtype, on.compile_mode) == ("cpu", torch.float32, "off")


def test_what_is_asked_for_is_taken():
    on = machine(Compute(device="cpu", precision="bf16", compile_mode="reduce-overhead", attention="math"))
    assert (on.dtype, on.compile_mode, on.attention) == (torch.bfloat16, "reduce-overhead", "math")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_an_error():
    with pytest.raises(UsageError, match=r"device 'cuda' is asked for, torch .* sees no GPU"):
        machine(Compute(device="cuda"))


def test_a_gpu_is_used_in_bf16_and_compiled(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    before = torch.get_float32_matmul_precision()
    on = machine(Compute())
    torch.set_float32_matmul_precision(before)
    assert (on.device.type, on.dtype, on.compile_mode) == ("cuda", torch.bfloat16, "default")


def loss_and_gradient(network, compute):
    network.zero_grad()
    loss = Computed(network, machine(compute)).loss(INPUTS, TARGETS, TARGETS.counts())
    loss.backward()
    return loss.detach(), network.value.weight.grad.clone()


def test_the_loss_is_fp32_whatever_is_inside():
    network = Attends()
    exact, gradient = loss_and_gradient(network, Compute(device="cpu"))
    rough, rough_gradient = loss_and_gradient(network, Compute(device="cpu", precision="bf16"))
    assert network.seen == [torch.float32, torch.bfloat16]
    assert rough.dtype == rough_gradient.dtype == torch.float32
    assert 0 < (rough - exact).abs() < 0.05 * exact
    assert 0 < (rough_gradient - gradient).norm() < 0.05 * gradient.norm()


@pytest.mark.parametrize("attention", ["math", "flash"])
def test_every_attention_kernel_gives_the_same_loss(attention):
    network = Attends()
    auto, named = (loss_and_gradient(network, Compute(device="cpu", attention=kind)) for kind in ("auto", attention))
    assert (auto[0] - named[0]).abs() < 1e-5
    assert (auto[1] - named[1]).abs().max() < 1e-5


@pytest.mark.long
@pytest.mark.filterwarnings("default")  # torch's compiler warns of itself
def test_compiled_code_gives_the_same_loss_and_keeps_the_weights_names():
    torch.manual_seed(0)
    network = PanelFormer(PanelFormerConfig(columns=16, width=16, heads=2, key_value_heads=1, blocks=1, window_sessions=8, dropout=0.0))
    names = list(network.state_dict())
    found = []
    for mode in ("off", "default"):
        network.zero_grad()
        loss = Computed(network, machine(Compute(device="cpu", compile_mode=mode))).loss(INPUTS, TARGETS, TARGETS.counts())
        loss.backward()
        found.append((loss.item(), network.embed.weight.grad.clone()))
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-5)
    assert (found[0][1] - found[1][1]).norm() < 1e-4 * found[0][1].norm()
    assert list(network.state_dict()) == names
