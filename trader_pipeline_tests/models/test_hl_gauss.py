import numpy as np
import pytest
import torch

from trader_pipeline.models import hl_gauss


def test_projected_labels_keep_their_mean():
    labels = torch.linspace(-4.5, 4.5, 181)
    assert hl_gauss.mean(hl_gauss.project(labels)) == pytest.approx(labels.numpy(), abs=2e-3)


def test_probabilities_sum_to_one_even_beyond_the_support():
    chances = hl_gauss.project(torch.tensor([-50.0, -6.0, 0.0, 6.0, 50.0]))
    assert chances.sum(-1) == pytest.approx([1.0] * 5, abs=1e-6)
    assert int(chances[4].argmax()) == hl_gauss.BINS - 1


def test_the_smoothing_has_three_quarters_of_a_bin():
    chances = hl_gauss.project(torch.tensor([0.0]))[0].double()
    variance = float(chances @ hl_gauss.centres().double() ** 2)
    bin_width = 12 / 51
    assert variance == pytest.approx((0.75 * bin_width) ** 2 + bin_width**2 / 12, rel=1e-3)  # Sheppard: binning adds width^2 / 12


def test_quantiles_of_a_normal_are_those_of_the_tables():
    edges = hl_gauss.edges().double()
    below = torch.special.ndtr(edges)
    chances = (below[1:] - below[:-1]).float()
    found = hl_gauss.quantiles(chances, (0.05, 0.25, 0.5, 0.75, 0.95))
    assert found.numpy() == pytest.approx([-1.6449, -0.6745, 0.0, 0.6745, 1.6449], abs=0.015)  # linear inside a bin of 0.24 sigmas
    assert np.all(np.diff(found.numpy()) > 0)
