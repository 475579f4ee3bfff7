"""What tickers share is given once, and slow families are found."""

import numpy as np

from trader_pipeline.models.examples import Examples
from trader_pipeline.models.preparation import Preparation
from trader_pipeline_tests.training.planted import SECTORS, planted

FEATURES = ("signal", "noise", "holes", "never", "vix", "flat")
FAMILIES = {"signal": "quality", "holes": "growth", "noise": "momentum", "vix": "macro", "flat": "macro"}


def examples():
    data = planted(sessions=300)
    x_NTF = np.concatenate([data.x_NTF, np.zeros((6, 300, 2), np.float32)], axis=2)
    x_NTF[:, :, 4] = np.random.default_rng(3).standard_normal(300)
    x_NTF[:, 50:60, 4] = np.nan  # not released
    x_NTF[0, :100] = np.nan
    every = data.labels
    return Examples(grid=data.grid, x_NTF=x_NTF, features=FEATURES, sectors=SECTORS, fit=every, tail=every, every=every, families=FAMILIES)


def test_what_all_tickers_share_is_taken_out_of_them_and_given_once():
    given = examples()
    preparation = Preparation.fit(given)
    assert preparation.market_features == ("vix",)
    assert preparation.market_columns == ("vix", "vix is null")
    assert preparation.columns == ("signal", "noise", "holes", "never", "flat", "holes is null", "never is null")
    x_NTP, market_TM = preparation.apply(given.x_NTF)
    assert x_NTP.shape == (6, 300, 7)
    expected = preparation.normaliser.apply(given.x_NTF)[3]
    assert np.array_equal(market_TM[:, 0], expected[:, 4])
    assert np.flatnonzero(market_TM[:, 1]).tolist() == list(range(50, 60))


def test_a_session_without_tickers_has_a_market_of_zeros():
    given = examples()
    given.x_NTF[:, 200] = np.nan
    assert not Preparation.fit(given).apply(given.x_NTF)[1][200].any()


def test_one_ticker_that_differs_once_makes_a_feature_its_own():
    given = examples()
    given.x_NTF[4, 150, 4] += 1e-4
    assert Preparation.fit(given).market_features == ()


def test_slow_families_become_tokens_of_their_columns_and_masks():
    preparation = Preparation.fit(examples())
    assert preparation.families(FAMILIES) == ((0,), (2, 5))
    assert preparation.families({}) == ()
