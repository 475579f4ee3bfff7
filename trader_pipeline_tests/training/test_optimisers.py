"""Muon and AdamW behind one builder: what Muon does to a matrix, what it leaves to AdamW, what a bad gradient does to either."""

import copy
import math

import pytest
import torch
from torch import nn

from trader_pipeline.errors import TrainingError
from trader_pipeline.training import optimisers
from trader_pipeline.training.optimisers import hidden_matrices, optimiser, orthogonal


class Stack(nn.Module):
    """A deep linear map: convex in each matrix, learnable exactly."""

    def __init__(self, width=16):
        super().__init__()
        self.embed = nn.Linear(8, width)
        self.blocks = nn.ModuleList(nn.Linear(width, width) for _ in range(2))
        self.head = nn.Linear(width, 1)

    def forward(self, x):
        x = self.embed(x)
        for block in self.blocks:
            x = x + block(x)
        return self.head(x)


def left_after(kind, steps=150):
    torch.manual_seed(0)
    network, x = Stack(), torch.randn(256, 8)
    y = x @ torch.randn(8, 1)
    opt = optimiser(network, kind, learning_rate=3e-3, weight_decay=0.0)
    for _ in range(steps):
        loss = (network(x) - y).square().mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    return float(loss.detach() / y.square().mean())


def test_both_learn_a_linear_map():
    assert left_after("adamw") < 0.02
    assert left_after("muon") < 0.02


@pytest.mark.parametrize("shape", [(2, 12, 5), (2, 5, 12), (1, 8, 8)])
def test_singular_values_come_near_one_and_vectors_stay(shape):
    torch.manual_seed(1)
    matrices = torch.randn(shape)
    left, values, right = torch.linalg.svd(matrices, full_matrices=False)
    assert values.min() < 0.7 * values.max()
    moved = orthogonal(matrices)
    rotated = left.mT @ moved @ right.mT
    found = torch.diagonal(rotated, dim1=-2, dim2=-1)
    assert ((found > 0.6) & (found < 1.3)).all()
    assert (rotated - torch.diag_embed(found)).abs().max() < 1e-4


def test_muon_moves_hidden_matrices_by_their_direction_and_adamw_the_rest():
    torch.manual_seed(0)
    network = Stack()
    assert {id(p) for p in hidden_matrices(network)} == {id(block.weight) for block in network.blocks}
    before = {name: p.detach().clone() for name, p in network.named_parameters()}
    opt = optimiser(network, "muon", learning_rate=1e-2, weight_decay=0.1)
    network(torch.randn(64, 8)).square().mean().backward()
    gradient = network.blocks[0].weight.grad.clone()
    opt.step()
    expected = before["blocks.0.weight"] * (1 - 1e-3) - 1e-2 * 0.2 * math.sqrt(16) * orthogonal(gradient[None])[0]
    assert torch.allclose(network.blocks[0].weight, expected, atol=1e-6)
    twin = Stack()
    twin.load_state_dict(before)
    reference = optimiser(twin, "adamw", learning_rate=1e-2, weight_decay=0.1)
    for name, parameter in twin.named_parameters():
        parameter.grad = dict(network.named_parameters())[name].grad
    reference.step()
    for name in ("embed.weight", "head.weight", "blocks.1.bias", "head.bias"):
        assert torch.equal(network.get_parameter(name), twin.get_parameter(name)), name


@pytest.mark.parametrize("kind", ["adamw", "muon"])
def test_a_bad_gradient_changes_neither_weights_nor_moments(kind):
    torch.manual_seed(0)
    network = Stack()
    opt = optimiser(network, kind, learning_rate=1e-2, weight_decay=0.1)

    def step(scale, bad):
        opt.zero_grad()
        (network(torch.ones(4, 8)).square().mean() * scale).backward()
        opt.found_inf, opt.grad_scale = torch.tensor(bad), None
        opt.step()

    def everything():
        return [p.detach().clone() for p in network.parameters()] + [v.clone() for s in opt.state.values() for v in s.values()]

    step(1.0, 0.0)
    good = everything()
    step(math.nan, 1.0)
    assert all(torch.equal(a, b) for a, b in zip(good, everything(), strict=True))
    step(1.0, 0.0)
    after = everything()
    assert all(torch.isfinite(v).all() for v in after)
    assert not any(torch.equal(a, b) for a, b in zip(good[:8], after[:8], strict=True))


def test_memory_that_runs_out_in_the_middle_of_a_step_of_muon_changes_nothing(monkeypatch):
    torch.manual_seed(0)
    network = Stack()
    network.blocks.append(nn.Linear(16, 12))  # a second shape
    opt = optimiser(network, "muon", learning_rate=1e-2, weight_decay=0.1)

    def gradients():
        opt.zero_grad()
        (network(torch.ones(4, 8)).square().mean() + network.blocks[2](torch.ones(4, 16)).square().mean()).backward()

    network.forward = lambda x: network.head(network.blocks[1](network.blocks[0](network.embed(x))))
    gradients()
    opt.step()
    gradients()
    before = copy.deepcopy((network.state_dict(), opt.state_dict()["state"]))
    calls = []

    def short(matrices):
        calls.append(matrices.shape)
        if len(calls) == 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return orthogonal(matrices)

    monkeypatch.setattr(optimisers, "orthogonal", short)
    with pytest.raises(torch.OutOfMemoryError):
        opt.step()
    assert len(calls) == 2
    assert all(torch.equal(now, before[0][name]) for name, now in network.state_dict().items())
    after = opt.state_dict()["state"]
    assert all(torch.equal(value, before[1][p][what]) for p, state in after.items() for what, value in state.items())
    opt.step()
    assert not torch.equal(network.blocks[0].weight, before[0]["blocks.0.weight"])


def test_the_state_is_saved_and_loaded():
    torch.manual_seed(0)
    network, twin = Stack(), Stack()
    first, second = (optimiser(n, "muon", learning_rate=1e-2, weight_decay=0.1) for n in (network, twin))

    def step(n, opt):
        opt.zero_grad()
        n(torch.ones(4, 8)).square().mean().backward()
        opt.step()

    step(network, first)
    twin.load_state_dict(network.state_dict())
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    step(network, first)
    step(twin, second)
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), twin.parameters(), strict=True))


def test_a_network_without_blocks_has_no_use_for_muon():
    with pytest.raises(TrainingError, match="Linear has no matrices in `blocks`"):
        optimiser(nn.Linear(2, 2), "muon", learning_rate=1e-3, weight_decay=0.0)
