"""Memory that runs out: the same step in smaller parts, or computed twice, to the same gradient; else an error."""

import gc

import pytest
import torch

from trader_pipeline.errors import TrainingError
from trader_pipeline.training import faults
from trader_pipeline_tests.training.small_module import BATCHES, module, tensors, train, weights


def gradients(taught, batch):
    taught.manual_backward = lambda loss: loss.backward()
    taught._accumulate(batch)
    return torch.cat([parameter.grad.flatten() for parameter in taught.network.parameters() if parameter.grad is not None])


@pytest.mark.parametrize(("micro", "recompute"), [(2, False), (1, False), (4, True), (1, True)])
def test_neither_smaller_micro_batches_nor_computing_twice_change_a_gradient(micro, recompute):
    clean = gradients(module(tensors()), BATCHES[0])
    other = module(tensors())
    other.memory.micro_windows = micro
    if recompute:
        assert other.memory.recompute_activations()
    assert clean.abs().max() > 1e-2
    assert (gradients(other, BATCHES[0]) - clean).abs().max() < 1e-6


@pytest.mark.parametrize("phase", ["forward", "backward", "step"])
def test_memory_that_runs_out_empties_the_cache_then_halves_then_computes_twice(phase):
    events, short = [], module(tensors())
    short.report = events.append

    def small_memory(reached, trained):
        if reached == phase and (trained.memory.micro_windows > 1 or not trained.memory.recompute):
            raise torch.OutOfMemoryError("CUDA out of memory")

    with faults.injected(small_memory):
        train(short, BATCHES[:1])
    assert [event["done"] for event in events] == [
        "cache emptied",
        "micro-batch of 2 windows",
        "micro-batch of 1 windows",
        "activations are computed twice",
    ]
    undisturbed = train(module(tensors()), BATCHES[:1])
    assert (weights(short) - weights(undisturbed)).abs().max() < 1e-6
    assert torch.equal(short.optimiser.state[short.network.embed.weight]["step"], torch.tensor(1.0))


def test_the_allocators_own_account_of_a_gpu_is_told_in_full(monkeypatch):
    account = "|  PyTorch CUDA memory summary, device ID 0  |\n" * 40
    monkeypatch.setattr("trader_pipeline.training.memory._summary", lambda: account)
    events, failed, short = [], [], module(tensors())
    short.report = events.append

    def once(phase, _):
        if phase == "backward" and not failed:
            failed.append(phase)
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    with faults.injected(once):
        train(short, BATCHES[:1])
    (told,) = events
    assert told["memory_summary"] == account
    assert told["said"] == "CUDA out of memory. Tried to allocate 2.00 GiB"


def test_moments_that_were_half_made_when_memory_ran_out_are_made_again():
    disturbed, failed = module(tensors()), []

    def short_of_moments(phase, trained):
        if phase == "step" and not failed:
            failed.append(trained.step)
            trained.optimiser.state[trained.network.embed.weight]["step"] = torch.zeros(())
            raise torch.OutOfMemoryError("CUDA out of memory")

    with faults.injected(short_of_moments):
        train(disturbed, BATCHES)
    assert failed == [0]
    assert torch.equal(weights(disturbed), weights(train(module(tensors()), BATCHES)))


def test_one_window_that_does_not_fit_is_an_error():
    def no_memory(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    with faults.injected(no_memory), pytest.raises(TrainingError, match="one window of sessions does not fit"):
        train(module(tensors()), BATCHES)


def test_another_error_is_not_taken_for_memory():
    def broken(*_):
        raise RuntimeError("shapes do not fit")

    with faults.injected(broken), pytest.raises(RuntimeError, match="shapes do not fit"):
        train(module(tensors()), BATCHES)


def test_reserving_memory_changes_nothing():
    trained = train(module(tensors()), BATCHES[:1])
    moments = trained.optimiser.state[trained.network.embed.weight]
    before, average = weights(trained), moments["exp_avg"].clone()
    trained.reserve(BATCHES[1])
    assert torch.equal(weights(trained), before)
    assert torch.equal(moments["exp_avg"], average)
    assert (float(moments["step"]), trained.step) == (1.0, 1)


def test_steps_leave_no_tensor_behind():
    trained = module(tensors())
    counts = []
    train(trained, BATCHES)
    for _ in range(3):
        train(trained, BATCHES * 8)
        gc.collect()
        counts.append(sum(issubclass(type(found), torch.Tensor) for found in gc.get_objects()))
    assert counts[2] - counts[1] <= 0
