"""What is decided for a machine, and that a network computed by it says the same, in fp32."""

import pytest
import torch
from torch import nn

from trader_pipeline.errors import UsageError
from trader_pipeline.models.network import Inputs, Outputs
from trader_pipeline.training.compute import Compute, Computed, machine

INPUTS = Inputs(torch.randn(2, 3, 8, 16), torch.ones(2, 3, 8, dtype=torch.bool), torch.zeros(2, 8, 0), torch.ones(3, 3, dtype=torch.bool))


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
        return Outputs(mixed[..., :4], mixed[..., None].expand(*mixed.shape, 2), None, None)


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


def test_outputs_are_fp32_whatever_is_inside():
    network = Attends()
    exact = Computed(network, machine(Compute(device="cpu")))(INPUTS)
    rough = Computed(network, machine(Compute(device="cpu", precision="bf16")))(INPUTS)
    assert network.seen == [torch.float32, torch.bfloat16]
    assert rough.score_BNLH.dtype == rough.distribution_BNLHK.dtype == torch.float32
    assert rough.market_BLHK is None
    assert 0 < (rough.score_BNLH - exact.score_BNLH).abs().max() < 0.05


@pytest.mark.parametrize("attention", ["math", "flash"])
def test_every_attention_kernel_says_the_same(attention):
    network = Attends()
    auto, named = (Computed(network, machine(Compute(device="cpu", attention=kind)))(INPUTS) for kind in ("auto", attention))
    assert (auto.score_BNLH - named.score_BNLH).abs().max() < 1e-5
