import numpy as np
import pytest

from trader_pipeline.evaluation.backtest_paths import backtest_paths, path_measures, path_numbers
from trader_pipeline.evaluation.sharpe import ratio


def test_a_trial_with_skill_is_every_path():
    returns = np.random.default_rng(0).standard_normal((5, 1000))
    returns[2] += 0.5
    paths = backtest_paths(returns, purge=5)
    assert paths.shape == (9, 1000)
    assert (paths == returns[2]).all()


def test_what_was_chosen_by_chance_earns_nothing():
    """20 trials of noise: the best one earns 0.06 a session on average, the paths, which choose it beforehand, about 0 or less."""
    best, chosen = [], []
    for seed in range(20):
        returns = np.random.default_rng(seed).standard_normal((20, 600))
        best.append(max(ratio(one) for one in returns))
        chosen.append(np.median([ratio(path) for path in backtest_paths(returns, purge=5)]))
    assert np.mean(best) > 0.05
    assert np.mean(chosen) < 0.02


def test_every_block_of_a_path_comes_from_another_split():
    numbers = path_numbers(10, 2)
    assert numbers.shape == (45, 2)
    assert (np.bincount(numbers.ravel()) == 10).all(), "each of nine paths has ten blocks"


def test_without_a_choice_there_are_no_paths_and_no_figures():
    noise = np.random.default_rng(0).standard_normal((3, 600))
    assert backtest_paths(noise[:1], purge=5) is None, "one trial"
    assert backtest_paths(noise[:, :260], purge=5) is None, "26 sessions a block are purge, embargo and one"
    assert backtest_paths(noise[:, :270], purge=5) is not None
    assert backtest_paths(np.zeros((3, 600)), purge=5) is None, "nothing has a ratio"
    row = path_measures(None, baseline=0.1, annual=1.0)
    assert row.pop("paths") == 0
    assert np.isnan(list(row.values())).all()


def test_paths_are_counted_under_zero_and_under_the_baseline():
    shape = np.tile([1.0, -1.0], 50)
    paths = np.stack([shape + mean for mean in (-0.1, 0.1, 0.2, 0.3)])
    row = path_measures(paths, baseline=0.25, annual=10.0)
    spread = shape.std(ddof=1)
    assert (row["paths"], row["paths_below_zero"], row["paths_below_baseline"]) == (4, 0.25, 0.75)
    assert row["path_sharpe_median"] == pytest.approx(1.5 / spread)
