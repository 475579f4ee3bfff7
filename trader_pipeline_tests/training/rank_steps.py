"""Steps that ranks take together: `python -m trader_pipeline_tests.training.rank_steps FOLDER` takes all, and keeps what came of them."""

import math
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import torch
from torch.distributed.tensor import DTensor

from trader_pipeline.training import faults, state
from trader_pipeline.training.compute import Compute
from trader_pipeline.training.ranks import joined
from trader_pipeline.training.recipes import RECIPES, FitContext, varied
from trader_pipeline.training.sharding import whole_state
from trader_pipeline_tests.training.planted import examples, planted
from trader_pipeline_tests.training.small_module import BATCHES, module, tensors, train, weights


def in_double(ranks, **settings):
    """The trainer in float64: AdamW's first steps are signs, which float32's rounding of sums in another order would flip."""
    data = tensors()
    data = replace(data, x_NTP=data.x_NTP.double(), market_TM=data.market_TM.double(), targets=data.targets.map(torch.Tensor.double))
    return module(data, ranks=ranks, dtype=torch.float64, **settings)


def trained(ranks):
    """Weights after three steps on this rank's share."""
    return weights(train(in_double(ranks), BATCHES))


def short_of_memory(ranks):
    """The last rank alone runs out of memory: windows at a time, and the gradient."""
    taught = module(tensors(), ranks=ranks, gradient_norm=1e9)

    def small(phase, trained):
        if phase == "backward" and ranks.rank == ranks.world - 1 and trained.memory.micro_windows > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")

    with faults.injected(small):
        train(taught, BATCHES[:1])
    return taught.memory.micro_windows, torch.cat([p.grad.flatten() for p in taught.network.parameters()])


def poisoned(ranks):
    """A NaN in the first of two windows, which the first rank sees: steps skipped, whether weights moved."""
    bad = tensors()
    bad.x_NTP[2, 20, 1] = math.nan
    before = weights(module(tensors()))
    taught = train(module(bad, ranks=ranks), [torch.tensor([16, 40])])
    return taught.guard.skips(), not torch.equal(weights(taught), before)


def sharded(ranks):
    """As `trained`, with a batch that does not divide by two at the end, once whole on every rank and once split, and weights held then."""
    batches = [*BATCHES, torch.tensor([4])]
    split = in_double(ranks, compute=Compute(shard=True))
    split.memory.micro_windows = 1
    held = sum(whole_or_part(p).numel() for p in split.network.parameters())
    return weights(train(in_double(ranks), batches)), weights_of(train(split, batches).network), held


def goes_on_split(ranks):
    """A split network, its moments and its average, saved whole and taken up by another: the weights of both after one more step."""
    how = {"compute": Compute(shard=True), "ema_decay": 0.5}
    first, second = (in_double(ranks, **how) for _ in range(2))
    train(first, BATCHES[:2])
    state.restore(second, state.of(first))
    return weights_of(train(first, BATCHES[2:]).network), weights_of(train(second, BATCHES[2:]).network)


def of_the_largest_recipe(ranks):
    """A fit by the recipe of 500 million weights, made tiny: whether weights are split while it trains, and what came of it."""
    tiny = {"width": 16, "heads": 2, "key_value_heads": 1, "blocks": 2, "window_sessions": 16, "dropout": 0.0}
    (member,) = varied(RECIPES["panel_former_500m"](), "tiny", size=tiny, training={"epochs": 1, "rows_per_step": 200}).members
    split = set()

    def look(phase, trained):
        if phase == "step":
            split.update(isinstance(parameter, DTensor) for parameter in trained.network.parameters())

    scratch = Path(sys.argv[1]) / "fit" if ranks.world > 1 else Path(tempfile.mkdtemp())
    with faults.injected(look):
        fitted = member.fit(examples(planted(sessions=300), 200), FitContext(seed=0, fold=1, report=lambda _: None, scratch=scratch))
    return split, torch.cat([p.detach().flatten() for p in fitted.network.parameters()])


def whole_or_part(parameter):
    """What this rank holds of a parameter."""
    return parameter.to_local() if isinstance(parameter, DTensor) else parameter


def weights_of(network):
    """All weights of a network that may be split, in the order of `weights`."""
    every = whole_state(network)
    return torch.cat([every[name].flatten() for name, _ in network.named_parameters()])


STEPS = (trained, short_of_memory, poisoned, sharded, goes_on_split, of_the_largest_recipe)


if __name__ == "__main__":
    torch.set_num_threads(1)
    with joined() as own:
        torch.save({step.__name__: step(own) for step in STEPS}, Path(sys.argv[1]) / f"{own.rank}.pt")
