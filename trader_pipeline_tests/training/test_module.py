"""What a step sees and learns: weights by class, noise, older features, the average, the learning rate."""

import contextlib
import math

import pytest
import torch

from trader_pipeline.training.losses import weighted_loss
from trader_pipeline.training.optimisation import Optimisation, rate_factor
from trader_pipeline.training.ranks import Ranks
from trader_pipeline.training.windows import Judged
from trader_pipeline_tests.training.small_module import BATCHES, LENGTH, SESSIONS, module, tensors, train, weights


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


def test_the_average_follows_the_weights_and_validation_uses_it():
    trained = train(module(tensors(), ema_decay=0.5, learning_rate=1e-2), BATCHES * 2)
    own = weights(trained)
    average = torch.cat([value.flatten() for value in trained.average.weights.values()])
    assert 0 < (average - own).abs().max() < (own - weights(module(tensors()))).abs().max()
    tail = [Judged(BATCHES[0])]
    with_average = trained.tail_loss(tail)
    assert torch.equal(weights(trained), own)
    trained.average = None
    assert trained.tail_loss(tail) != with_average


def test_labels_that_a_window_skips_are_not_judged():
    """The first sessions of a validation window may be of the training: whatever they held would flatter the loss."""
    taught, other = module(tensors()), tensors()
    start, skip = 16, 3
    other.targets.score[:, start : start + skip] = 9.0
    other.targets.residual[:, start : start + skip] = 9.0
    other.targets.market[start : start + skip] = 9.0
    other.targets.auxiliary[:, start : start + skip] = 9.0

    def loss(data, skip):
        taught.data = data
        return taught.tail_loss([Judged(torch.tensor([start]), skip)])

    assert loss(other, skip) == loss(tensors(), skip)
    assert loss(other, skip - 1) != loss(tensors(), skip - 1)


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
