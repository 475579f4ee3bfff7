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


def test_ledoit_wolf_error_of_normal_returns_is_memmel_s():
    """Jobson & Korkie 1981 as corrected by Memmel 2003: 2 - 2 rho + (a^2 + b^2 - 2 a b rho^2) / 2, over T."""
    rng = np.random.default_rng(3)
    rho, a, b, sessions = 0.6, 0.15, 0.05, 40_000
    first, second = rng.multivariate_normal([a, b], [[1, rho], [rho, 1]], sessions).T
    expected = ((2 - 2 * rho + (a**2 + b**2 - 2 * a * b * rho**2) / 2) / sessions) ** 0.5
    assert sharpe.standard_error(first, second) == pytest.approx(expected, rel=0.03)


def test_both_intervals_of_a_difference_cover():
    rng = np.random.default_rng(4)
    held = bootstrap = 0
    for seed in range(80):
        common = rng.standard_t(5, 500)
        a, b = (0.05 + common + 0.8 * rng.standard_t(5, 500) for _ in range(2))
        found = sharpe.difference(a, b, draws=150, seed=seed)
        held += found.low < 0 < found.high
        bootstrap += found.bootstrap_low < 0 < found.bootstrap_high
    assert held >= 71
    assert bootstrap >= 69


def test_a_difference_counts_shared_sessions():
    rng = np.random.default_rng(5)
    a, b = rng.standard_normal((2, 100))
    with_hole = sharpe.difference(np.append(a, 9.0), np.append(b, np.nan), draws=50)
    assert with_hole == sharpe.difference(a, b, draws=50)
    assert np.isnan(sharpe.difference(a[:10], b[:10]).low)


def test_trials_that_move_together_are_fewer():
    rng = np.random.default_rng(6)
    common = rng.standard_normal(2000)
    alike = common + 0.001 * rng.standard_normal((5, 2000))
    apart = rng.standard_normal((5, 2000))
    assert sharpe.effective_trials(alike, trials=5) == pytest.approx(1.0, abs=0.01)
    assert sharpe.effective_trials(apart, trials=5) == pytest.approx(5.0, abs=0.3)
    assert sharpe.effective_trials(apart[:1], trials=7) == 7
