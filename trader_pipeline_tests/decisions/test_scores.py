import numpy as np
import pytest

from trader_pipeline.decisions import scores


def test_z_by_hand():
    # 1, 2, 3: mean 2, population deviation sqrt(2/3)
    z = scores.cross_sectional_z([[1.0], [2.0], [3.0], [np.nan]])
    assert z[:3, 0] == pytest.approx([-(1.5**0.5), 0, 1.5**0.5])
    assert np.isnan(z[3, 0])
    assert scores.cross_sectional_z([[5.0], [5.0]])[:, 0] == pytest.approx([0, 0])


def test_momentum_has_unit_variance_and_needs_one_feature_only():
    rng = np.random.default_rng(0)
    features = {name: rng.standard_normal((8, 3)) for name in scores.MOMENTUM_FEATURES}
    features["momentum_12_1"][0] = np.nan
    score = scores.momentum_score(features)
    assert np.isfinite(score).all()
    assert score.std(axis=0) == pytest.approx([1, 1, 1])
    assert np.isnan(scores.momentum_score({name: [[np.nan], [1.0], [2.0]] for name in scores.MOMENTUM_FEATURES})[0, 0])


def test_horizons_are_weighed_by_their_positive_ic():
    assert scores.horizon_weights([0.03, -0.02, 0.01, np.nan]) == pytest.approx([0.75, 0, 0.25, 0])
    assert scores.horizon_weights([-0.03, np.nan, -0.01, 0.0]) == pytest.approx([0.25] * 4)


def test_ml_score_does_not_let_a_loud_horizon_win():
    quiet, loud = np.array([[1.0], [2.0], [3.0]]), np.array([[300.0], [200.0], [100.0]])
    assert scores.ml_score(np.stack([quiet, loud]), [0.5, 0.5])[:, 0] == pytest.approx([0, 0, 0])
    assert scores.ml_score(np.stack([quiet, loud]), [0.9, 0.1])[:, 0] == pytest.approx([-(1.5**0.5), 0, 1.5**0.5])
    loud[0] = np.nan
    assert np.isfinite(scores.ml_score(np.stack([quiet, loud]), [0.5, 0.5])).all()
