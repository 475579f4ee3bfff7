"""Rules of the thumb: they follow their feature with its sign, and fit a scale."""

import numpy as np
import pytest

from trader_pipeline.errors import TrainingError
from trader_pipeline.models import MODELS
from trader_pipeline.models.examples import Examples
from trader_pipeline.models.rules import LEAST_SCALE, fit_rule
from trader_pipeline_tests.training.planted import SECTORS, SIGNAL, planted

FEATURES = ("momentum_12_1", "return_5d", "holes", "never")


def examples(*, lost=False):
    """What the signal drives is called momentum; `lost` turns it around."""
    data = planted()
    x_NTF = data.x_NTF * np.float32(-1 if lost else 1)
    labels = data.labels
    return Examples(grid=data.grid, x_NTF=x_NTF, features=FEATURES, sectors=SECTORS, fit=labels, tail=labels, every=labels)


def test_momentum_finds_its_scale_and_ranks_by_its_feature():
    given = examples()
    member = fit_rule("momentum", given)
    spread = 0.9515 * np.sqrt(5 / 6)  # of six normal draws, what a z divides by: Holtzman 1950
    assert member.scaled_H == pytest.approx([SIGNAL * spread] * 4, abs=0.04)
    forecast = member.predict(given.x_NTF, given.grid, SECTORS)
    t = 500
    assert np.array_equal(np.argsort(forecast.score_TNH[t, :, 0]), np.argsort(given.x_NTF[:, t, 0]))
    assert np.isnan(forecast.score_TNH[:100, 0]).all()
    label_TNH = given.every.scaled_NTH.swapaxes(0, 1)
    known = np.isfinite(label_TNH)
    below = label_TNH < forecast.scaled_quantiles_TNHQ[..., 0]
    assert below[known].mean() == pytest.approx(0.05, abs=0.005)


def test_reversal_of_noise_says_next_to_nothing():
    member = fit_rule("reversal", examples())
    assert max(*member.score_H, *member.scaled_H) < 0.06
    x_NTF = examples().x_NTF
    score = member.predict(x_NTF, examples().grid, SECTORS).score_TNH
    assert np.array_equal(np.argsort(score[500, :, 0]), np.argsort(-x_NTF[:, 500, 1]))


def test_a_rule_that_lost_keeps_its_sign():
    assert fit_rule("momentum", examples(lost=True)).score_H.tolist() == [LEAST_SCALE] * 4


def test_zero_says_the_drift_of_each_horizon_alone():
    given = examples()
    forecast = fit_rule("zero", given).predict(given.x_NTF, given.grid, SECTORS)
    assert np.nanmax(np.abs(forecast.score_TNH)) == 0
    assert np.nanmin(forecast.scaled_mean_TNH, axis=(0, 1)) == pytest.approx([0.1] * 4, abs=0.05)


@pytest.mark.parametrize("name", ["zero", "momentum", "reversal"])
def test_a_loaded_rule_says_the_same(name):
    given = examples()
    member = fit_rule(name, given)
    loaded = MODELS[name](member.files())
    assert loaded.name == name
    a, b = (m.predict(given.x_NTF, given.grid, SECTORS).scaled_quantiles_TNHQ for m in (member, loaded))
    assert np.array_equal(a, b, equal_nan=True)


def test_a_panel_without_the_feature_is_an_error():
    given = examples()
    bare = Examples(
        grid=given.grid, x_NTF=given.x_NTF, features=("a", "b", "c", "d"), sectors={}, fit=given.fit, tail=given.tail, every=given.every
    )
    with pytest.raises(TrainingError, match="'momentum' follows the feature momentum_12_1, which the panel lacks"):
        fit_rule("momentum", bare)
