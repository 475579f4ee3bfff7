from dataclasses import replace

import lightgbm
import numpy as np
import pytest

from trader_pipeline.models.trees import TreesConfig, TreesMember, fit_trees
from trader_pipeline_tests.training.planted import FEATURES, SECTORS, examples, planted

CONFIG = TreesConfig(rounds=40, learning_rate=0.1)


def interacting():
    """The label follows signal * sign(noise): nothing that a linear model could see."""
    data = planted()
    effect = np.nan_to_num(data.x_NTF[:, :, 0] * np.sign(data.x_NTF[:, :, 1]))[:, :, None]
    data.labels.score_NTH[...] += effect - 0.3 * np.nan_to_num(data.x_NTF[:, :, :1])
    return data


@pytest.fixture(scope="module")
def member():
    return fit_trees(examples(interacting()), CONFIG, seed=0)


def test_it_finds_an_interaction_and_leaves_null_null(member):
    data = planted(seed=4)
    score = member.predict(data.x_NTF, data.grid, SECTORS).score_TNH[:, :, 0].T
    known = np.isfinite(score)
    assert np.array_equal(known, np.isfinite(data.x_NTF).any(axis=2))
    assert np.corrcoef(score[known], (data.x_NTF[:, :, 0] * np.sign(data.x_NTF[:, :, 1]))[known])[0, 1] > 0.7


def test_the_same_seed_gives_the_same_bytes(member):
    assert fit_trees(examples(interacting()), CONFIG, seed=0).files() == member.files()


def test_save_and_load_predict_the_same(member):
    data = planted(sessions=50)
    a, b = (m.predict(data.x_NTF, data.grid, SECTORS) for m in (member, TreesMember.of_files(member.files())))
    assert np.array_equal(a.scaled_quantiles_TNHQ, b.scaled_quantiles_TNHQ, equal_nan=True)


def test_noise_alone_is_not_learnt():
    data = planted(seed=7)
    rng = np.random.default_rng(1)
    data.labels.score_NTH[...] = np.where(np.isfinite(data.labels.score_NTH), rng.standard_normal(data.labels.score_NTH.shape), np.nan)
    score = fit_trees(examples(data), CONFIG, seed=0).predict(data.x_NTF, data.grid, SECTORS).score_TNH
    assert np.nanstd(score[:, :, 0]) < 0.15


def test_many_columns_of_noise_take_fewer_splits_than_one_signal():
    """Ungated, 200 of them took eight times as many."""
    data, rng = planted(), np.random.default_rng(3)
    noise = rng.standard_normal((*data.x_NTF.shape[:2], 200)).astype(np.float32)
    wide = replace(examples(data), x_NTF=np.concatenate([data.x_NTF, noise], axis=2), features=(*FEATURES, *(f"n{k}" for k in range(200))))
    boosters = [lightgbm.Booster(model_str=text) for text in fit_trees(wide, CONFIG, seed=0).score_models[:2]]
    splits = np.sum([booster.feature_importance() for booster in boosters], axis=0)
    assert splits[0] > splits[1:].sum()
