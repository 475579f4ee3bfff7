import numpy as np
import pytest
from scipy import stats

from trader_pipeline.evaluation import sharpe


def test_deflated_sharpe_of_the_papers_example():
    """Bailey & Lopez de Prado 2014: N = 100, V = 1/2 (annual), T = 1250, skew -3, kurtosis 10, annual Sharpe 2.5: 0.9004."""
    best = sharpe.expected_maximum(trials=100, variance=0.5 / 250)
    assert best == pytest.approx(0.1132, abs=5e-5)
    found = sharpe.probabilistic_of(2.5 / 250**0.5, benchmark=best, sessions=1250, skew=-3, kurtosis=10)
    assert found == pytest.approx(0.9004, abs=5e-5)


def test_the_best_of_many_trials_is_as_good_as_expected():
    rng = np.random.default_rng(0)
    best = rng.standard_normal((20_000, 50)).max(axis=1).mean()
    assert sharpe.expected_maximum(trials=50, variance=1.0) == pytest.approx(best, abs=0.03)
    assert sharpe.expected_maximum(trials=1, variance=1.0) == 0


def test_probabilistic_sharpe_of_normal_returns():
    """Lo 2002: the error of a ratio s of T normal returns is sqrt((1 + s^2 / 2) / (T - 1))."""
    found = sharpe.probabilistic_of(0.1, benchmark=0.0, sessions=253, skew=0.0, kurtosis=3.0)
    assert found == pytest.approx(stats.norm.cdf(0.1 / ((1 + 0.1**2 / 2) / 252) ** 0.5), rel=1e-9)


def test_trials_that_move_together_are_fewer():
    rng = np.random.default_rng(6)
    common = rng.standard_normal(2000)
    alike = common + 0.001 * rng.standard_normal((5, 2000))
    apart = rng.standard_normal((5, 2000))
    assert sharpe.effective_trials(alike, trials=5) == pytest.approx(1.0, abs=0.01)
    assert sharpe.effective_trials(apart, trials=5) == pytest.approx(5.0, abs=0.3)
    assert sharpe.effective_trials(apart[:1], trials=7) == 7
