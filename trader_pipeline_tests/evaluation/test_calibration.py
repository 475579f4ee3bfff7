from dataclasses import replace

import numpy as np
import pytest

from trader_pipeline import measures
from trader_pipeline.evaluation import calibration
from trader_pipeline.models.calibrate import apply
from trader_pipeline_tests.evaluation.planted import planted


def test_recovers_the_shrink_of_a_forecast_that_is_four_times_too_loud():
    judged = planted(strength=0.2, loudness=0.8)
    fitted = calibration.fit(judged, judged.rows_NT)
    assert fitted.mean_shrink == pytest.approx(0.25, abs=0.02)
    assert fitted.drift == pytest.approx(0.05, abs=0.02)
    assert fitted.mean_center == pytest.approx(0.0, abs=0.02)
    # P(up) = Phi(0.05 + 0.2 * signal): slope 0.4 / 0.25 = 1.6 in logit units a unit of Phi's argument, times 0.25
    assert fitted.up_shrink == pytest.approx(1.6 * 0.25, rel=0.07)
    assert fitted.attainable == pytest.approx(0.2, abs=0.03)
    assert fitted.up_score_slope == pytest.approx(0.0, abs=0.02)


def test_recovers_what_the_score_adds():
    judged = planted(score_strength=0.2)
    fitted = calibration.fit(judged, judged.rows_NT)
    assert fitted.mean_score_slope == pytest.approx(0.2, abs=0.02)
    assert fitted.up_score_slope == pytest.approx(0.32, rel=0.07)  # 1.6 logits a unit of Phi's argument
    assert fitted.outperform_shrink == pytest.approx(0.32, rel=0.07)
    assert fitted.mean_shrink == pytest.approx(0.0, abs=0.02)


def test_a_whisper_is_never_amplified():
    """A member whose means hardly differ would need a slope of 200 to matter; when it raises its voice later, that slope is nonsense."""
    judged = planted(strength=0.2, loudness=0.001)
    fitted = calibration.fit(judged, judged.rows_NT)
    assert fitted.up_shrink == pytest.approx((8 / np.pi) ** 0.5)
    assert fitted.mean_shrink == 1


def test_few_independent_spells_establish_nothing():
    """390 sessions of 60-session labels are three spells of two horizons, however many tickers and rows."""
    judged = planted(strength=0.5, score_strength=0.5, horizon=60, sessions=390, names=100)
    fitted = calibration.fit(judged, judged.rows_NT)
    assert (fitted.up_shrink, fitted.up_score_slope, fitted.mean_shrink, fitted.attainable) == (0, 0, 0, 0)


def test_interval_scale_makes_the_interval_hold_nine_in_ten():
    judged = planted(strength=0.0, noise=2.0)  # quantiles are those of a standard normal, labels are twice as wide
    fitted = calibration.fit(judged, judged.rows_NT)
    assert fitted.interval_scale == pytest.approx(2.0, rel=0.03)
    assert fitted.median_offset == pytest.approx(0.0, abs=0.05)


@pytest.mark.parametrize("horizon", [1, 20])
def test_noise_is_shrunk_to_nothing(horizon):
    shrinks = []
    for seed in range(20):
        judged = planted(strength=0.0, horizon=horizon, names=10, sessions=600, seed=seed)
        fitted = calibration.fit(judged, judged.rows_NT)
        shrinks.append(fitted.up_shrink)
        assert (fitted.attainable == 0) == (fitted.up_shrink == 0 and fitted.up_score_slope == 0)
    # positive at all takes z > 1 to the right side: about one in six
    assert np.mean(np.array(shrinks) > 0) < 0.40
    assert np.mean(shrinks) < 0.03


def test_a_reversed_forecast_is_not_turned_round():
    judged = planted(strength=-0.3, score_strength=-0.3)
    fitted = calibration.fit(judged, judged.rows_NT)
    assert (fitted.up_shrink, fitted.up_score_slope, fitted.mean_shrink, fitted.mean_score_slope, fitted.outperform_shrink) == (
        0,
        0,
        0,
        0,
        0,
    )


def test_folds_before_are_purged_by_the_horizon():
    judged = planted(strength=0.1, horizon=20, names=3, sessions=300)
    rows = judged.before_NT(1)
    assert rows[:, : 100 - 20 + 1].all()  # the label of session 80 ends at 100, the first session that fold 1 predicts
    assert not rows[:, 100 - 20 + 1 :].any()


def test_too_little_is_no_calibration():
    judged = planted(strength=0.1, names=3, sessions=30)
    assert calibration.fit(judged, np.zeros((3, 30), dtype=bool)) is None


def test_later_labels_do_not_change_an_earlier_folds_calibration():
    judged = planted(strength=0.1, horizon=5, names=5, sessions=300)
    before = calibration.fit(judged, judged.before_NT(1))
    judged.labels.scaled_return_NT[:, 100:] = 9.0
    judged.labels.up_NT[:, 100:] = 1.0
    assert calibration.fit(judged, judged.before_NT(1)) == before


def saturating(**changed):
    """A forecast that is right in its sign alone: the label's mean is 0.4 sign(signal), which no slope can say."""
    judged = planted(strength=0.0, names=30, sessions=900, **changed)
    labels = judged.labels
    shift = 0.4 * np.sign(judged.scaled_mean_NT)
    label = labels.scaled_return_NT + shift
    up = np.where(np.isfinite(label), label > 0, np.nan)
    return replace(judged, labels=replace(labels, scaled_return_NT=label, up_NT=up))


def ece(judged, fitted):
    rows = judged.rows_NT
    said = apply(
        fitted,
        score=judged.score_NT[rows],
        scaled_mean=judged.scaled_mean_NT[rows],
        scaled_quantiles_Q=judged.scaled_quantiles_QNT[:, rows],
        base_rate=judged.labels.base_rate_NT[rows],
    )
    return measures.expected_calibration_error(said.p_up, judged.labels.up_NT[rows])


def test_isotonic_bends_what_a_slope_cannot():
    past, future = saturating(seed=1), saturating(seed=2)
    slope = calibration.fit(past, past.rows_NT)
    bent = calibration.fit(replace(past, method="isotonic"), past.rows_NT)
    assert slope.isotonic is None
    assert (np.diff(bent.isotonic[0]) >= 0).all()
    assert (np.diff(bent.isotonic[1]) >= 0).all()
    assert ece(future, slope) > 0.03
    assert ece(future, bent) < 0.015


def test_isotonic_of_few_independent_spells_is_none():
    judged = planted(strength=0.5, horizon=60, sessions=390, names=100)
    assert calibration.fit(replace(judged, method="isotonic"), judged.rows_NT).isotonic is None
