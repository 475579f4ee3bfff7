"""What a network is taught, and that none of it is known sooner than the label that it belongs to."""

import numpy as np
import pytest
import torch

from trader_pipeline.models import distribution
from trader_pipeline.models.examples import Labels
from trader_pipeline.models.network import AUXILIARY, Outputs
from trader_pipeline.schema.columns import HORIZONS_SESSIONS
from trader_pipeline.training.losses import AUXILIARY_WEIGHT, HORIZON_WEIGHTS, MARKET_WEIGHT, weighted_loss
from trader_pipeline.training.targets import Targets, targets_of


def labels(tickers=3, sessions=40):
    rng = np.random.default_rng(0)
    score, scaled = rng.standard_normal((2, tickers, sessions, 4)).astype(np.float32)
    return Labels(score, scaled).within(0, sessions)


def test_market_and_residual_add_up_to_the_label():
    given = labels()
    given.scaled_NTH[1, 10] = np.nan
    targets = targets_of(given)
    total = targets.market + targets.residual
    assert torch.allclose(total, torch.from_numpy(given.scaled_NTH), atol=1e-6, equal_nan=True)
    assert targets.market[10, 0] == pytest.approx(given.scaled_NTH[[0, 2], 10, 0].mean(), abs=1e-6)
    assert torch.isnan(targets.market[39]).all()


def test_realised_volatility_and_volume_are_those_of_the_horizon():
    given, volume = labels(), np.random.default_rng(1).standard_normal((3, 40)).astype(np.float32)
    auxiliary = targets_of(given, volume).auxiliary
    assert auxiliary.shape == (3, 40, AUXILIARY)
    squares = given.scaled_NTH[1, 7:12, 0] ** 2  # the sessions after 7, each as the label of the one before
    assert auxiliary[1, 7, 1] == pytest.approx(np.log(np.sqrt(squares.mean()) + 0.1), abs=1e-5)
    assert auxiliary[1, 7, 5] == pytest.approx(volume[1, 8:13].mean(), abs=1e-5)


def test_an_auxiliary_target_stands_only_where_its_label_does():
    cut, volume = labels().within(0, 30, embargo=5), np.ones((3, 40), np.float32)
    known = torch.isfinite(targets_of(cut, volume).auxiliary)
    usable = torch.from_numpy(np.isfinite(np.concatenate([cut.scaled_NTH] * 2, 2)))
    assert torch.equal(known, usable)
    assert torch.isnan(targets_of(cut).auxiliary[..., 4:]).all()


def test_the_loss_is_a_sum_over_known_labels_of_each_part_by_its_own_count():
    """By hand, with NumPy, for Student t outputs of mean 0."""
    score = np.array([1.0, np.nan, -2.0], np.float32).reshape(1, 3, 1, 1).repeat(4, 3)
    market = np.full((1, 1, 4), 0.5, np.float32)
    auxiliary = np.full((1, 3, 1, AUXILIARY), np.nan, np.float32)
    auxiliary[0, 1, 0, 0] = 3.0
    targets = Targets(*map(torch.from_numpy, (score, score, market, auxiliary)))
    said = Outputs(torch.zeros(1, 3, 1, 4), torch.zeros(1, 3, 1, 4, 3), torch.zeros(1, 1, 4, 3), torch.ones(1, 3, 1, AUXILIARY))
    t = distribution.negative_log_likelihood(torch.zeros(3, 3), torch.tensor([1.0, -2.0, 0.5])).tolist()
    expected = 2.5 + (t[0] + t[1]) / 2 + MARKET_WEIGHT * t[2] + AUXILIARY_WEIGHT * 4.0 * HORIZON_WEIGHTS[0]
    assert float(weighted_loss(said, targets, targets.counts())) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("part", range(4))
def test_a_label_weighs_one_over_its_horizon(part):
    """Of every part: what an error at one horizon costs, times its sessions, is the same for all four."""
    shapes = ((1, 3, 2, 4), (1, 3, 2, 4), (1, 2, 4), (1, 3, 2, AUXILIARY))
    labels = Targets(*(torch.zeros(shape) for shape in shapes))
    said = Outputs(torch.zeros(shapes[0]), torch.zeros(*shapes[1], 3), torch.zeros(*shapes[2], 3), torch.zeros(shapes[3]))
    base, costs = weighted_loss(said, labels, labels.counts()), []
    for k in range(shapes[part][-1]):
        moved = labels[part].clone()
        moved[..., k] = 1.0
        changed = labels._replace(**{Targets._fields[part]: moved})
        costs.append(float(weighted_loss(said, changed, labels.counts()) - base) * HORIZONS_SESSIONS[k % 4])
    assert costs == pytest.approx([costs[0]] * len(costs), rel=1e-3)
    assert costs[0] > 0.01
    assert np.mean(HORIZON_WEIGHTS) == pytest.approx(1.0)
