import numpy as np
import pytest

from trader_pipeline.models.drift import MANY, TrainingBins
from trader_pipeline.models.stability import LARGE

NAMES = ("still", "level", "absent")


def rows(names=30, sessions=800, seed=0):
    """`still` is the same noise always; `level` wanders for all tickers together, as volatility does; `absent` has no value."""
    rng = np.random.default_rng(seed)
    level = np.zeros(sessions)
    for t in range(1, sessions):
        level[t] = 0.99 * level[t - 1] + rng.standard_normal()
    x = np.stack(
        [rng.standard_normal((names, sessions)), level + rng.standard_normal((names, sessions)), np.full((names, sessions), np.nan)], axis=2
    )
    return x.astype(np.float32), np.ones((names, sessions), bool)


@pytest.fixture(scope="module")
def bins():
    return TrainingBins.fit(*rows(), NAMES)


def test_the_index_is_zero_for_the_training_rows_and_known_for_a_shift(bins):
    x, known = rows()
    assert bins.psi(x[known]) == pytest.approx([0, 0, 0], abs=1e-3)
    normal = np.random.default_rng(5).standard_normal((200_000, 3)).astype(np.float32)
    shifted = normal + np.float32(0.5)
    # two unit normals half a deviation apart: the continuous index is d^2 = 0.25, tenths see a little less of it
    assert bins.psi(shifted)[0] == pytest.approx(0.24, abs=0.02)
    assert bins.psi(normal)[0] < 0.01


def test_a_slow_feature_may_wander_as_far_as_its_training_windows_did(bins):
    assert bins.limit_F[0] == LARGE
    assert bins.limit_F[1] > 4 * LARGE
    assert bins.limit_share >= MANY
    x, known = rows()
    over = [(bins.psi(x[:, t : t + 20][known[:, t : t + 20]]) > bins.limit_F)[1] for t in range(0, 780, 7)]
    assert 0 < np.mean(over) < 0.15


def test_a_feature_that_disappears_or_appears_drifts(bins):
    x, _ = rows(sessions=20)
    x[:, :, 0] = np.nan
    x[:, :, 2] = 1.0
    found = bins.psi(x.reshape(-1, 3))
    assert found[0] > 5
    assert found[2] > 5


def test_it_survives_json(bins):
    read = TrainingBins.from_json(bins.to_json())
    assert (read.features, read.limit_share) == (bins.features, bins.limit_share)
    x, known = rows(seed=3)
    assert read.psi(x[known]) == pytest.approx(bins.psi(x[known]))
