import numpy as np
import pytest

from trader_pipeline import measures


def test_sharpe_by_hand():
    # mean 0.01, sample deviation 0.02 -> 0.5 a session
    assert measures.sharpe([0.03, -0.01, 0.01], sessions_per_year=1) == pytest.approx(0.5)
    assert measures.sharpe([0.03, -0.01, 0.01], risk_free=0.01) == pytest.approx(0.0)
    assert measures.sharpe([0.03, np.nan, -0.01, 0.01]) == pytest.approx(0.5 * 252**0.5)
    assert np.isnan(measures.sharpe([0.01]))
    assert np.isnan(measures.sharpe([0.01, 0.01]))


def test_value_at_risk_is_a_positive_loss():
    returns = -np.arange(101) / 100  # 0, -1 %, ..., -100 %: the 5 % quantile is exactly -95 %
    assert measures.value_at_risk(returns, 0.95) == pytest.approx(0.95)
    assert measures.value_at_risk(returns, 0.99) == pytest.approx(0.99)


def test_cvar_weighs_the_last_loss_by_its_fraction():
    returns = -np.arange(1, 101) / 100
    assert measures.conditional_value_at_risk(returns, 0.95) == pytest.approx((1.00 + 0.99 + 0.98 + 0.97 + 0.96) / 5)
    # worst 2.5 of 10 sessions: 10, 9 and half of 8 -> 23 / 2.5
    assert measures.conditional_value_at_risk(-np.arange(1.0, 11), 0.75) == pytest.approx(9.2)


def test_max_drawdown_counts_the_start():
    assert measures.max_drawdown([0.10, -0.50, 0.20, -0.10]) == pytest.approx(0.50)
    assert measures.max_drawdown([-0.20, 0.10]) == pytest.approx(0.20)
    assert measures.max_drawdown([0.01, 0.02]) == 0


def test_kupiec_matches_jorions_jp_morgan_example():
    # Jorion 2007: 20 exceptions in 252 days at 95 % give LR = 3.91, rejected at the 5 % level (3.84); p = 0.048
    assert measures.kupiec_p_value(20, 252, 0.95) == pytest.approx(0.048, abs=5e-4)
    assert measures.kupiec_p_value(0, 100, 0.95) < 0.01


def test_rank_ic_matches_the_textbook_example_and_skips_missing_names():
    # Spearman's rho of IQ and hours of television a week: -29/165
    iq = [106, 86, 100, 101, 99, 103, 97, 113, 112, 110]
    hours = [7, 0, 27, 50, 28, 29, 20, 12, 6, 17]
    assert measures.rank_ic([iq], [hours])[0] == pytest.approx(-29 / 165)
    assert measures.rank_ic([[*iq, 5.0]], [[*hours, np.nan]])[0] == pytest.approx(-29 / 165)
    assert np.isnan(measures.rank_ic([[1, 1, 1, 1]], [[1, 2, 3, 4]])[0])
    assert np.isnan(measures.rank_ic([[1, 2, np.nan]], [[1, 2, 3]])[0])


def test_nonoverlapping_interval_by_hand():
    # offsets 0 and 1 of step 2: (1, 3, 5) and (2, 4, 6); each has sd 2, t(0.975, 2) = 4.30265, so 4.30265 * 2 / sqrt(3)
    interval = measures.nonoverlapping_interval([1, 2, 3, 4, 5, 6], 2)
    assert interval.mean == pytest.approx(3.5)
    assert interval.half_width == pytest.approx(4.30265 * 2 / 3**0.5, rel=1e-5)
    assert interval.windows == 3
    assert np.isnan(measures.nonoverlapping_interval([1.0, 2.0], 60).half_width)
    assert measures.nonoverlapping_interval([np.nan], 1).windows == 0


def test_brier_by_hand():
    assert measures.brier([0.8, 0.4], [1, 0]) == pytest.approx((0.04 + 0.16) / 2)


def test_calibration_error_by_hand():
    probability = np.repeat([0.2, 0.8], 50)
    outcome = np.concatenate([np.arange(50) < 20, np.arange(50) < 40]).astype(float)  # 40 % and 80 % came true
    assert measures.expected_calibration_error(probability, outcome, bins=2) == pytest.approx(0.5 * 0.2)
    assert measures.expected_calibration_error(probability, outcome) == pytest.approx(0.5 * 0.2)


def test_a_calibrated_forecaster_stays_under_the_noise_floor_and_an_overconfident_one_does_not():
    rng = np.random.default_rng(1)
    probability, alone = rng.uniform(0.45, 0.55, 4000), np.arange(4000)
    floor = measures.ece_noise_floor(probability, rng.random(4000) < probability, alone)
    # mean |error| of a bin of 400 fair coins is about 0.8 * 0.025 = 0.020; the 95th percentile of ten such lies a little above
    assert 0.020 < floor < 0.035
    under = sum(measures.expected_calibration_error(probability, rng.random(4000) < probability) < floor for _ in range(200))
    assert 180 <= under <= 199
    far = rng.random(4000) < probability
    assert measures.expected_calibration_error(probability * 1.2, far) > floor
    assert measures.ece_noise_floor(probability * 1.2, far, alone) == pytest.approx(floor, rel=0.1), "what is wrong does not widen it"


def test_rows_of_one_spell_count_once_in_the_noise_floor():
    rng = np.random.default_rng(2)
    probability = rng.uniform(0.45, 0.55, 400)
    outcome = (rng.random(400) < probability) * 1.0
    once = measures.ece_noise_floor(probability, outcome, np.arange(400))
    tenfold = measures.ece_noise_floor(np.repeat(probability, 10), np.repeat(outcome, 10), np.repeat(np.arange(400), 10))
    assert tenfold == pytest.approx(once, rel=1e-6)
    assert np.isnan(measures.ece_noise_floor(probability, outcome, np.zeros(400)))
    assert measures.ece_noise_floor(probability, outcome, np.arange(400) // 200) > 3 * once, "two spells tell little"


def test_stationary_bootstrap_keeps_blocks_and_every_row_is_as_likely():
    rng = np.random.default_rng(2)
    rows = measures.stationary_bootstrap(1000, mean_block=20, rng=rng, length=200_000)
    breaks = np.mean((np.diff(rows) % 1000) != 1)
    assert breaks == pytest.approx(1 / 20, rel=0.05)
    assert rows.min() == 0
    assert rows.max() == 999
    assert np.bincount(rows, minlength=1000).std() < 100  # 200 each, blocks of 20
    assert len(measures.stationary_bootstrap(50, mean_block=5, rng=rng)) == 50


def test_balanced_accuracy_gives_both_sides_the_same_weight():
    outcome = np.array([1.0, 2.0, 3.0, -1.0])
    assert measures.balanced_accuracy(np.ones(4), outcome) == 0.5  # three of four are right
    assert measures.balanced_accuracy([1.0, 1.0, -1.0, -2.0], outcome) == pytest.approx((2 / 3 + 1) / 2)
    assert measures.balanced_accuracy([1.0, np.nan, -1.0, -2.0], [1.0, 2.0, np.nan, -1.0]) == 1.0
    assert np.isnan(measures.balanced_accuracy([1.0, -1.0], [1.0, 1.0]))
