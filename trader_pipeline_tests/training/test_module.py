"""Steps that survive what goes wrong: gradients that are not finite, memory that runs out."""

import contextlib
import gc
import math

import numpy as np
import pytest
import pytorch_lightning as lightning
import torch

from trader_pipeline.errors import TrainingError
from trader_pipeline.models.examples import Labels
from trader_pipeline.models.panel_former import PanelFormer, PanelFormerConfig
from trader_pipeline.training import faults
from trader_pipeline.training.escalation import Escalation
from trader_pipeline.training.guard import Guard
from trader_pipeline.training.losses import weighted_loss
from trader_pipeline.training.module import NetworkModule, PanelNames
from trader_pipeline.training.optimisation import Optimisation, rate_factor
from trader_pipeline.training.ranks import ALONE, Ranks
from trader_pipeline.training.targets import targets_of
from trader_pipeline.training.windows import PanelTensors

TICKERS, SESSIONS, COLUMNS, LENGTH = 4, 64, 3, 8
BATCHES = [torch.tensor([0, 16, 40, 52]), torch.tensor([8, 24, 32, 48]), torch.tensor([4, 20, 36, 44])]


def tensors():
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(TICKERS, SESSIONS, COLUMNS, generator=generator)
    labels = x[..., :1] + torch.randn(TICKERS, SESSIONS, 4, generator=generator)
    labels[torch.rand(labels.shape, generator=generator) < 0.3] = math.nan
    targets = targets_of(Labels(labels.numpy(), labels.numpy() * 1.5), x[..., 0].numpy())
    present, same = torch.ones(TICKERS, SESSIONS, dtype=torch.bool), torch.eye(TICKERS, dtype=torch.bool)
    return PanelTensors(x, present, torch.zeros(SESSIONS, 0), same, targets)


def module(data, *, ranks=ALONE, dtype=torch.float32, **settings):
    torch.manual_seed(0)
    network = PanelFormer(
        PanelFormerConfig(columns=COLUMNS, width=16, heads=2, key_value_heads=1, blocks=2, dropout=0.0, window_sessions=LENGTH)
    ).to(dtype)
    days = np.arange("2020-01-01", "2020-03-05", dtype="datetime64[D]")
    names = PanelNames("net", 0, ("A", "B", "C", "D"), days, ("momentum", "value", "size"))
    return NetworkModule(network, data, names, Optimisation(**settings), total_steps=30, micro_windows=4, ranks=ranks)


class Batches:
    """Global batches in order; Lightning would zip a plain list."""

    def __init__(self, batches):
        self.batches = batches

    def __len__(self):
        return len(self.batches)

    def __iter__(self):
        return iter(self.batches)


def train(trained, batches):
    trainer = lightning.Trainer(
        max_epochs=1,
        accelerator="cpu",
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
    )
    trainer.fit(trained, Batches(batches))
    return trained


def weights(trained):
    return torch.cat([parameter.detach().flatten() for parameter in trained.network.parameters()])


def test_a_gradient_that_is_not_finite_never_reaches_the_weights():
    poisoned = tensors()
    poisoned.x_NTP[2, 20, 1] = math.inf
    only = [torch.tensor([16, 40])]  # sees session 20
    before = weights(module(poisoned))
    trained = train(module(poisoned), only * 3)
    assert trained.guard.skips() == 3
    assert torch.equal(weights(trained), before)
    moments = trained.optimizers().optimizer.state
    assert all(torch.isfinite(value).all() for state in moments.values() for value in state.values())


def test_training_goes_on_after_a_skipped_step():
    poisoned = tensors()
    poisoned.x_NTP[2, 20, 1] = math.nan
    before = weights(module(poisoned))
    trained = train(module(poisoned), [torch.tensor([40]), torch.tensor([16]), torch.tensor([30])])
    assert trained.guard.skips() == 1
    assert torch.isfinite(weights(trained)).all()
    assert not torch.equal(weights(trained), before)


def test_past_the_budget_the_error_names_dates_and_features():
    poisoned = tensors()
    poisoned.x_NTP[2, 20, 1] = math.nan
    trained = train(module(poisoned), [torch.tensor([16])])
    escalation = Escalation(trained, lambda: None)
    assert escalation.cause() == (
        "the last saw the 8 sessions from 2020-01-17; features ['value'] hold non-finite values of ['C'] on 2020-01-21"
    )


def test_past_the_budget_the_rate_backs_off_then_weights_go_back_then_it_ends():
    poisoned, events, went_back = tensors(), [], []
    poisoned.x_NTP[2, 20, 1] = math.nan
    trained = module(poisoned, skip_budget=1, lr_backoff=0.1)
    trained.report = lambda event: events.append(event["event"])
    escalation = Escalation(trained, lambda: went_back.append(1) or 7)

    def two_more():
        train(trained, [torch.tensor([16])] * 2)
        escalation.look()

    two_more()
    assert (events[-1], trained.rate_scale, went_back) == ("backed_off", 0.1, [])
    two_more()
    assert (events[-1], trained.rate_scale, went_back) == ("rolled_back", 0.1, [1])
    with pytest.raises(TrainingError, match=r"6 steps were left out, the budget is 1 .*features \['value'\]"):
        two_more()


def test_a_budget_holds_for_an_epoch():
    poisoned = tensors()
    poisoned.x_NTP[2, 20, 1] = math.nan
    trained = module(poisoned, skip_budget=2)
    escalation = Escalation(trained, lambda: None)
    for _ in range(3):
        train(trained, [torch.tensor([16])] * 2)
        escalation.close_epoch(any_step=True)
    assert escalation.level == 0
    escalation.close_epoch(any_step=False)
    assert escalation.level == 0  # nothing was left out in this one
    train(trained, [torch.tensor([16])])
    escalation.close_epoch(any_step=False)
    assert escalation.level == 1


def test_a_loss_far_beyond_its_running_mean_is_left_out_and_a_higher_level_is_accepted_in_time():
    guard = Guard(10.0, torch.device("cpu"))

    def see(loss, step):
        bad, seen = guard.judge(torch.tensor(loss), torch.tensor(1.0))
        guard.note(bad, seen, step)
        return bool(bad)

    assert [see(1e9 if step == 3 else 1.0, step) for step in range(10)] == [False] * 10  # too early to tell
    guard = Guard(10.0, torch.device("cpu"))
    assert not any(see(1.0, step) for step in range(20))
    assert see(11.0, 20)
    assert guard.bad_steps() == [20]
    assert not see(9.0, 21)
    higher = [see(100.0, step) for step in range(22, 60)]
    assert higher[0]
    assert not higher[-1]


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


def test_class_weights_weigh_the_likelihoods_by_the_sign_of_the_label():
    data, batch = tensors(), BATCHES[0]
    taught = module(data)
    inputs, targets = data.gather(batch, LENGTH)
    outputs, counts = taught.network(inputs), targets.counts()

    def loss(down, up):
        return float(weighted_loss(outputs, targets, counts, torch.tensor([[down] * 4, [up] * 4])).detach())

    plain = float(weighted_loss(outputs, targets, counts).detach())
    assert loss(1.0, 1.0) == pytest.approx(plain, rel=1e-6)
    unweighted, ups, downs = loss(0.0, 0.0), loss(0.0, 1.0), loss(1.0, 0.0)  # score and auxiliary alone, and each side beside them
    assert min(ups, downs) > unweighted
    assert ups + downs - unweighted == pytest.approx(plain, rel=1e-5)
    is_up = targets.residual + targets.market.unsqueeze(1) > 0
    of_ups = targets._replace(
        residual=torch.where(is_up, targets.residual, torch.nan), market=torch.where(targets.market > 0, targets.market, torch.nan)
    )
    assert ups == pytest.approx(float(weighted_loss(outputs, of_ups, counts).detach()), rel=1e-5)


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


def test_the_average_follows_the_weights_and_validation_uses_it():
    trained = train(module(tensors(), ema_decay=0.5, learning_rate=1e-2), BATCHES * 2)
    own = weights(trained)
    average = torch.cat([value.flatten() for value in trained.average.weights.values()])
    assert 0 < (average - own).abs().max() < (own - weights(module(tensors()))).abs().max()
    with_average = trained.tail_loss(BATCHES[:1])
    assert torch.equal(weights(trained), own)
    trained.average = None
    assert trained.tail_loss(BATCHES[:1]) != with_average


def test_noise_is_drawn_by_seed_and_step():
    losses = []
    for seed, noise in ((0, 0.0), (0, 0.5), (0, 0.5), (1, 0.5)):
        noisy = module(tensors(), feature_noise=noise)
        noisy.seed = seed
        losses.append(train(noisy, BATCHES[:1]).train_loss())
    assert losses[1] == losses[2]
    assert len(set(losses)) == 3


def test_ranks_draw_other_noise():
    drawn = set()
    for rank in range(2):
        noisy = module(tensors(), feature_noise=0.5, ranks=Ranks(rank=rank, world=2))
        noisy.step = 3
        with contextlib.suppress(RuntimeError):  # a module without a trainer draws, and cannot go backward
            noisy._share(BATCHES[0])
        drawn.add(torch.initial_seed())
    assert len(drawn) == 2


def test_steps_leave_no_tensor_behind():
    trained = module(tensors())
    counts = []
    train(trained, BATCHES)
    for _ in range(3):
        train(trained, BATCHES * 8)
        gc.collect()
        counts.append(sum(issubclass(type(found), torch.Tensor) for found in gc.get_objects()))
    assert counts[2] - counts[1] <= 0


def test_the_learning_rate_warms_up_for_a_tenth_and_then_falls():
    factor = rate_factor(Optimisation(final_share=0.1), 100)
    assert [factor(s) for s in (0, 4, 9)] == pytest.approx([0.1, 0.5, 1.0])
    assert factor(10) == pytest.approx(1.0)
    assert factor(55) == pytest.approx(0.55)
    assert factor(100) == factor(500) == pytest.approx(0.1)


def test_wsd_warms_up_stays_and_falls_in_the_last_share():
    factor = rate_factor(Optimisation(schedule="wsd", final_share=0.1, decay_share=0.2), 100)
    assert [factor(s) for s in (0, 4, 9)] == pytest.approx([0.1, 0.5, 1.0])
    assert {factor(s) for s in range(10, 81)} == {1.0}
    assert factor(90) == pytest.approx(0.55)
    assert factor(100) == factor(500) == pytest.approx(0.1)


def test_a_shift_shows_older_features_and_never_newer_and_moves_no_label():
    data, backs = tensors(), set()
    shifted = module(data, shift_sessions=3, shift_share=0.5)
    data.x_NTP[..., 0] = torch.arange(SESSIONS)
    data.present_NT[1, :18] = False
    starts_B = torch.tensor([0, 1, 16, 40, 20, 56])
    unmoved = data.labels(starts_B, LENGTH)
    torch.manual_seed(0)
    for _ in range(20):
        inputs, targets = data.gather(starts_B, LENGTH, None, shifted._older(starts_B))
        back_BNL = (starts_B[:, None] + torch.arange(LENGTH))[:, None] - inputs.x_BNLP[..., 0]
        assert (back_BNL == back_BNL[:, :1, :1]).all()
        assert (back_BNL[:, 0, 0] <= starts_B).all()
        backs |= set(back_BNL.flatten().int().tolist())
        assert torch.equal(targets.market.nan_to_num(9.0), unmoved.market.nan_to_num(9.0))
        expected = unmoved.score.masked_fill(~inputs.present_BNL[..., None], math.nan)
        assert torch.equal(targets.score.nan_to_num(9.0), expected.nan_to_num(9.0))
    assert backs == {0, 1, 2, 3}


def test_a_shift_reaches_the_step_by_its_share():
    losses = [
        train(module(tensors(), shift_sessions=k, shift_share=share), BATCHES[:1]).train_loss()
        for k, share in ((0, 0.5), (3, 0.0), (3, 1.0))
    ]
    assert losses[0] == losses[1] != losses[2]
