import itertools

import torch

from trader_pipeline.training.rate_range import HIGHEST, LOWEST, STEPS, rate_range
from trader_pipeline_tests.training.small_module import BATCHES, module, tensors, weights


def test_every_rate_is_really_applied_and_the_network_stays_as_it_was(monkeypatch):
    trained, used, moved = module(tensors()), [], []
    step = torch.optim.AdamW.step

    def watched(optimiser, *args, **kwargs):
        parameter = optimiser.param_groups[0]["params"][0]
        before = parameter.detach().clone()
        step(optimiser, *args, **kwargs)
        used.append(optimiser.param_groups[0]["lr"])
        moved.append(float((parameter.detach() - before).abs().max()))

    monkeypatch.setattr(torch.optim.AdamW, "step", watched)
    before = weights(trained)
    tried = rate_range(trained.network, trained.data, BATCHES, micro_windows=2)
    assert torch.equal(weights(trained), before)
    assert used == tried.rates
    assert (used[0], len(used) <= STEPS) == (LOWEST, True)
    assert all(b / a > 1.2 for a, b in itertools.pairwise(used))
    assert moved[0] < 2 * LOWEST
    assert max(moved) > 100 * moved[0]
    assert LOWEST <= tried.pick <= HIGHEST / 10
