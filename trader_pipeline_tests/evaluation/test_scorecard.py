from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from trader_pipeline import measures
from trader_pipeline.evaluation import scorecard
from trader_pipeline.evaluation.leaks import leak_alarm
from trader_pipeline_tests.evaluation.planted import planted


def test_the_verdict_reads_as_promised():
    assert scorecard.verdict(0.531, 0.522, 0.014, met=False) == "53.1 % vs 52.2 % base (±1.4), target 70 %: not met"
    assert scorecard.verdict(0.75, 0.52, 0.02, met=True) == "75.0 % vs 52.0 % base (±2.0), target 70 %: met"
    assert "too few windows" in scorecard.verdict(0.5, 0.5, float("nan"), met=False)


def test_a_miss_of_calibration_is_told_as_one():
    told = scorecard.calibration_verdict
    assert told(0.0242, 0.0175, 0.001, 0.002) == "ECE 2.42 % over the noise floor of 1.75 %, Brier skill +0.10 % (±0.20): not met"
    assert told(0.01, 0.0175, -0.001, 0.002) == "ECE 1.00 % within the noise floor of 1.75 %, Brier skill -0.10 % (±0.20): not met"
    assert told(0.01, 0.0175, -1e-16, 0.0) == "ECE 1.00 % within the noise floor of 1.75 %, Brier skill +0.00 % (±0.00): met", (
        "the base rate"
    )
    assert told(0.018342, 0.018311, 0.001, 0.002).startswith("ECE 1.834 % over the noise floor of 1.831 %")
    for ece in (0.01, 0.05):
        assert told(ece, 0.02, 0.001, 0.002, windows=14).endswith("(±0.20, 14 windows): not told from so few windows")
        assert scorecard.calibrated(ece, 0.02, 0.001, windows=19) is None
        assert scorecard.calibrated(ece, 0.02, 0.001, windows=20) is (ece < 0.02)
    assert told(0.01, 0.0175, -7.3e-7, 6e-6).endswith("Brier skill -0.00007 % (±0.00060): not met"), "a miss by little is one"
    assert "too few windows for an interval" in told(0.01, 0.02, 0.001, float("nan"), windows=1)


def test_a_base_rate_of_another_market_is_no_calibrated_forecast():
    """Labels that went up less often before, as where closes stood still: the forecasts have skill, the level is wrong."""
    judged = planted(score_strength=0.2)
    row = scorecard.score(judged)
    assert row["calibrated"] is True
    assert row["calibration"].endswith(": met")
    lower = np.where(np.isfinite(judged.labels.base_rate_NT), 0.3, np.nan)
    off = scorecard.score(replace(judged, labels=replace(judged.labels, base_rate_NT=lower)))
    assert off["ece"] > off["ece_noise_floor"]
    assert off["calibrated"] is False
    assert off["calibration"].endswith("not met")


def test_the_interval_of_a_brier_skill_holds_what_is_true():
    """p = 0.5 + 0.1 x of outcomes drawn by it, x = ±1 by row: the skill against one half is 0.01 / 0.25 = 4 %."""
    rng, held = np.random.default_rng(3), 0
    base, rows = np.full((10, 300), 0.5), np.ones((10, 300), dtype=bool)
    for _ in range(100):
        p = 0.5 + 0.1 * rng.choice([-1, 1], (10, 300))
        skill, half = scorecard.brier_skill(p, base, (rng.random((10, 300)) < p) * 1.0, rows, 1)
        held += abs(skill - 0.04) < half
    assert 88 <= held <= 99


def test_a_planted_signal_is_found():
    row = scorecard.score(planted(score_strength=0.2))
    # correlation 0.2 / sqrt(1.04) = 0.196, its rank correlation is 6 / pi * asin(r / 2) = 0.188
    assert row["rank_ic"] == pytest.approx(0.188, abs=0.02)
    # P(hit) = 1/2 + asin(0.196) / pi = 0.563, and the drift adds little
    assert row["accuracy"] == pytest.approx(0.565, abs=0.015)
    assert row["base_rate"] == pytest.approx(0.52, abs=0.015)
    assert row["accuracy"] - row["accuracy_half_width"] > row["base_rate"]
    assert row["brier_skill"] > 0.01
    assert row["ece"] <= row["ece_noise_floor"]
    assert row["interval_90_coverage"] == pytest.approx(0.90, abs=0.01)
    assert row["coverage"] == 1
    assert row["rows"] == 30 * (600 - 1)
    assert row["windows"] == 599
    assert row["target_met"] is False
    assert np.isnan(row["oracle_rank_ic"])


def test_a_null_market_promises_nothing():
    """Five seeds, ten names, h = 5: no skill, no alarm."""
    for seed in range(5):
        row = scorecard.score(planted(strength=0.0, horizon=5, names=10, sessions=900, seed=seed))
        assert abs(row["rank_ic"]) < 3 / 1.96 * row["rank_ic_half_width"]
        assert row["accuracy"] < row["base_rate"] + 0.03
        assert row["brier_skill"] < 0.005
        assert row["interval_90_coverage"] == pytest.approx(0.90, abs=0.03)
        assert row["leak_alarm"] is None


def test_a_null_market_stays_within_its_floor_as_often_as_it_should():
    """100 seeds, one half known as the base rate: 95 %, less what slopes fitted on noise cost (93 % of 1,000 seeds).

    Of 100 at 93 %, fewer than 84 and all are one chance in a thousand each.
    """
    inside = 0
    for seed in range(100):
        judged = planted(drift=0.0, names=5, sessions=300, seed=seed)
        half = np.where(np.isfinite(judged.labels.base_rate_NT), 0.5, np.nan)
        row = scorecard.score(replace(judged, labels=replace(judged.labels, base_rate_NT=half)))
        inside += row["ece"] <= row["ece_noise_floor"]
    assert 84 <= inside <= 99


def test_a_forecaster_that_is_off_is_not_calibrated_where_windows_are_few():
    """Ten points off over 13 windows of 60 sessions: of so few nothing is told."""
    judged = planted(horizon=60, names=10, sessions=1320)
    off = np.where(np.isfinite(judged.labels.base_rate_NT), judged.labels.base_rate_NT - 0.1, np.nan)
    row = scorecard.score(replace(judged, labels=replace(judged.labels, base_rate_NT=off)))
    assert row["windows"] == 13
    assert row["calibrated"] is None
    assert row["calibration"].endswith("13 windows): not told from so few windows")


def test_the_oracle_is_judged_on_the_same_rows():
    judged = planted(score_strength=0.3)
    row = scorecard.score(judged, oracle_NT=judged.score_NT)
    assert row["oracle_rank_ic"] == row["rank_ic"]
    assert row["rank_ic"] > 0.2
    assert row["leak_alarm"] is None or "rank IC" not in row["leak_alarm"]


def test_one_fold_cannot_be_judged():
    assert scorecard.score(planted(strength=0.1, folds=1)) is None


def test_leak_alarm():
    calm = {"accuracy": 0.58, "base_rate": 0.52, "half_width": 0.01, "rank_ic": 0.05}
    assert leak_alarm(**calm) is None
    assert "accuracy" in leak_alarm(**calm | {"accuracy": 0.61})
    assert leak_alarm(**calm | {"accuracy": 0.61, "half_width": 0.06}) is None
    assert "rank IC -0.25" in leak_alarm(**calm | {"rank_ic": -0.25})
    assert leak_alarm(**calm | {"rank_ic": 0.25}, oracle_rank_ic=0.3) is None
    assert "0.30" in leak_alarm(**calm | {"rank_ic": 0.35}, oracle_rank_ic=0.3)
    assert leak_alarm(accuracy=float("nan"), base_rate=0.5, half_width=float("nan"), rank_ic=float("nan")) is None


def test_the_noise_floor_is_a_95_percent_band_where_names_move_together_and_labels_overlap():
    """100 perfectly calibrated forecasts of 20 names, a third of whose variance is the market's. A band that held all would be no test."""
    rng, inside, horizon, sessions = np.random.default_rng(0), 0, 5, 1000
    for _ in range(100):
        daily = 0.6 * rng.standard_normal((1, sessions + horizon)) + 0.8 * rng.standard_normal((20, sessions + horizon))
        total = np.cumsum(daily, axis=1)
        p = 0.52 + 0.02 * np.repeat(rng.standard_normal((20, sessions // 50)), 50, axis=1)
        up = ((total[:, horizon:] - total[:, :-horizon]) / horizon**0.5 < stats.norm.ppf(p)) * 1.0
        floor = scorecard.noise_floor(p, up, np.ones_like(p, dtype=bool), horizon)
        inside += measures.expected_calibration_error(p.ravel(), up.ravel()) <= floor
    assert 86 <= inside <= 98


def test_effective_rows_count_names_that_move_together_once():
    rng = np.random.default_rng(0)
    p = np.full((20, 500), 0.5)
    rows = np.ones_like(p, dtype=bool)
    apart = (rng.random((20, 500)) < 0.5) * 1.0
    together = np.repeat((rng.random((1, 500)) < 0.5) * 1.0, 20, axis=0)
    assert scorecard.effective_rows(p, apart, rows, 1) == pytest.approx(10_000, rel=0.15)
    assert scorecard.effective_rows(p, together, rows, 1) == pytest.approx(500, rel=0.15)
