import numpy as np
import pytest

from trader_pipeline.evaluation.overfitting import combinatorial_splits, probability_of_overfitting


def test_a_trial_with_skill_is_not_overfitted():
    returns = np.random.default_rng(0).standard_normal((10, 1000))
    returns[3] += 0.3
    assert probability_of_overfitting(returns) == 0


def test_the_best_of_noise_is_worse_than_the_median_half_the_time():
    found = [probability_of_overfitting(np.random.default_rng(seed).standard_normal((20, 600)), blocks=8) for seed in range(30)]
    assert np.mean(found) == pytest.approx(0.5, abs=0.08)


def test_what_won_by_one_lucky_half_is_overfitted():
    """Trials that earn in one half what they lose in the other: the best of the past is always the worst afterwards."""
    signs = np.where(np.arange(1000) < 500, 1.0, -1.0)
    strength = np.linspace(0.5, 1.5, 6)[:, None]
    noise = 0.01 * np.random.default_rng(2).standard_normal((6, 1000))
    returns = strength * signs + noise
    assert probability_of_overfitting(returns, blocks=2) == 1


def test_nothing_to_choose_from_is_not_a_number():
    assert np.isnan(probability_of_overfitting(np.zeros((1, 1000))))
    assert np.isnan(probability_of_overfitting(np.random.default_rng(0).standard_normal((5, 30))))


def test_nothing_near_a_test_block_teaches():
    for train, test in combinatorial_splits(200, blocks=10, test_blocks=5, purge=5):
        assert np.abs(train[:, None] - test[None, :]).min() > 5
        assert not set(train) & set(test)
