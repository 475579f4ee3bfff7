import numpy as np
import pytest

from trader_pipeline.models import conformal
from trader_pipeline.schema.quantiles import LEVELS

HORIZON = 20


def drifting(sessions=3000, names=20, seed=0):
    """Labels of unit deviation that become twice as wide in the middle; the factors were learnt before."""
    rng = np.random.default_rng(seed)
    wide = np.where(np.arange(sessions) < sessions // 3, 1.0, 2.0)
    factors = np.abs(rng.standard_normal((names, sessions)) * wide)
    return factors, np.tile(conformal.scales(factors[:, : sessions // 3].ravel())[:, None], sessions)


def missed(factors, scales_LT, asked_T):
    scale_T = np.array([conformal.scale_at(asked, scales) for asked, scales in zip(asked_T, scales_LT.T, strict=True)])
    return (factors > scale_T).mean(axis=0)


def test_intervals_widen_until_they_hold_what_they_promise_again():
    factors, scales_LT = drifting()
    asked_T, after = conformal.adapted(factors, scales_LT, HORIZON)
    fixed, moving = missed(factors, scales_LT, np.full(3000, conformal.TARGET_MISS)), missed(factors, scales_LT, asked_T)
    assert fixed[1500:].mean() > 0.35
    assert moving[1500:].mean() == pytest.approx(conformal.TARGET_MISS, abs=0.02)
    assert after == pytest.approx(asked_T[-1], abs=0.03)


def test_a_label_counts_only_after_it_has_ended():
    factors, scales_LT = drifting(sessions=300)
    before, _ = conformal.adapted(factors, scales_LT, HORIZON)
    factors[:, 200:] = 99.0
    asked_T, _ = conformal.adapted(factors, scales_LT, HORIZON)
    assert (asked_T[: 200 + HORIZON] == before[: 200 + HORIZON]).all()
    assert asked_T[200 + HORIZON] < before[200 + HORIZON]
    assert (asked_T[:HORIZON] == conformal.TARGET_MISS).all()


def test_the_long_run_share_of_misses_is_the_target_whatever_comes():
    """Gibbs & Candes 2021, proposition 4.1: |mean miss - target| <= (max(miss, 1 - miss) + step) / (step * T)."""
    rng = np.random.default_rng(1)
    factors = np.exp(np.cumsum(rng.normal(0, 0.02, 4000)))[None, :] * np.abs(rng.standard_normal((50, 4000)))
    scales_LT = np.tile(conformal.scales(factors[:, :500].ravel())[:, None], 4000)
    asked_T, _ = conformal.adapted(factors, scales_LT, 1)
    assert abs(missed(factors, scales_LT, asked_T).mean() - conformal.TARGET_MISS) <= 1.005 / (0.005 * 4000)
    assert abs(missed(factors, scales_LT, asked_T).mean() - conformal.TARGET_MISS) < 0.01


def test_after_goes_on_where_adapted_stopped():
    factors, scales_LT = drifting(sessions=300)
    asked_T, final = conformal.adapted(factors, scales_LT, HORIZON)
    shares = missed(factors, scales_LT, asked_T)
    assert conformal.after(conformal.TARGET_MISS, shares) == pytest.approx(final)
    assert conformal.after(0.2, [np.nan]) == 0.2
    assert conformal.after(0.2, [0.6]) == pytest.approx(0.2 - 0.005 * 0.5)


def test_a_conformity_is_the_factor_that_just_holds_the_label():
    distances = np.array([[-2.0, -2.0], [0.0, 0.0], [1.0, 1.0]])
    assert conformal.conformity([3.0, -3.0], distances).tolist() == [3.0, 1.5]


def test_the_conformal_quantile_is_of_n_plus_one():
    # past the last level the factor goes on growing
    assert conformal.scale_at(0.0, np.arange(10.0)) == pytest.approx(9 + 1 * 0.01 / 0.015)
    assert conformal.scale_at([0.01, 0.5], np.arange(10.0)).tolist() == pytest.approx([9.0, 0.0])
    # of nine factors, 0.9 * 10 = 9th from below; numpy's own quantile would say less
    factors = np.arange(1.0, 10.0)
    assert conformal.scales(factors)[LEVELS.index(0.90)] == 9.0
    assert conformal.scales(factors)[LEVELS.index(0.50)] == 5.0
