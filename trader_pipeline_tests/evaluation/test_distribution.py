import numpy as np
import pytest
from scipy import stats

from trader_pipeline.evaluation import distribution

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)


def test_a_calibrated_forecaster_has_its_levels_and_the_least_loss():
    label = np.random.default_rng(0).standard_normal((10, 4000))
    true = np.stack([np.full(label.shape, stats.norm.ppf(level)) for level in LEVELS])
    assert distribution.probability_integral(true, label) == pytest.approx(LEVELS, abs=0.006)
    assert distribution.interval_coverage(true, label) == pytest.approx(0.90, abs=0.005)
    best = distribution.pinball(true, label, LEVELS)
    # the loss at level a is the normal density at its quantile
    assert best == pytest.approx(np.mean(stats.norm.pdf(stats.norm.ppf(LEVELS))), abs=0.005)
    assert distribution.pinball(1.3 * true, label, LEVELS) > best
    assert distribution.pinball(true + 0.3, label, LEVELS) > best


def test_bounds_belong_to_the_interval():
    assert distribution.interval_coverage([[0.0], [1.0]], [0.0]) == 1
    assert distribution.interval_coverage([[0.0], [1.0]], [1.1]) == 0
