"""Bins and Student t say the same kind of thing, and the market's and the residual's add up."""

import pytest
import torch
from scipy import stats

from trader_pipeline.models import distribution, hl_gauss

STUDENT = torch.tensor([0.3, -0.2, 1.0])


def test_the_density_is_that_of_scipy():
    degrees = 2.5 + float(torch.nn.functional.softplus(STUDENT[2]))
    labels = torch.tensor([-4.0, -0.5, 0.3, 2.0])
    expected = -stats.t.logpdf(labels.numpy(), degrees, 0.3, float(STUDENT[1].exp()))
    assert distribution.negative_log_likelihood(STUDENT.expand(4, 3), labels).numpy() == pytest.approx(expected, abs=1e-5)


def test_a_student_t_becomes_the_bins_that_its_distribution_function_gives():
    degrees = 2.5 + float(torch.nn.functional.softplus(STUDENT[2]))
    below = stats.t.cdf(hl_gauss.edges().numpy(), degrees, 0.3, float(STUDENT[1].exp()))
    expected = (below[1:] - below[:-1]) / (below[-1] - below[0])
    assert distribution.probabilities(STUDENT).numpy() == pytest.approx(expected, abs=2e-4)


def test_market_and_residual_add_as_independent_values():
    residual = distribution.probabilities(torch.tensor([0.4, -0.7, 3.0]))
    market = distribution.probabilities(torch.tensor([-0.9, -0.5, 3.0]))
    total = distribution.added(residual, market)
    assert float(hl_gauss.mean(total)) == pytest.approx(float(hl_gauss.mean(residual) + hl_gauss.mean(market)), abs=0.02)

    def variance(chances):
        return float(chances @ (hl_gauss.centres() - hl_gauss.mean(chances)).square())

    assert variance(total) == pytest.approx(variance(residual) + variance(market), rel=0.05)
    assert float(total.sum()) == pytest.approx(1, abs=1e-5)


def test_what_leaves_the_support_stays_in_its_last_bin():
    far = torch.zeros(hl_gauss.BINS)
    far[-1] = 1.0
    assert distribution.added(far, far)[-1] == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("kind", [distribution.HL_GAUSS, distribution.STUDENT_T])
def test_without_knowledge_the_labels_own_distribution_is_said(kind):
    labels = torch.randn(20_000, generator=torch.Generator().manual_seed(0)) * 0.8 + 0.3
    chances = distribution.probabilities(distribution.base_rate(kind, labels))
    assert float(hl_gauss.mean(chances)) == pytest.approx(0.3, abs=0.03)
    assert float(hl_gauss.quantiles(chances, (0.25, 0.75)).diff()) == pytest.approx(2 * 0.6745 * 0.8, rel=0.12)
    assert distribution.base_rate(kind, torch.empty(0)).tolist() == [0.0] * distribution.NUMBERS[kind]
