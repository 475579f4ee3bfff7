import numpy as np
import pytest

from trader_pipeline.evaluation.calibrated import out_of_fold
from trader_pipeline.evaluation.coverage_curve import coverage_curve
from trader_pipeline_tests.evaluation.planted import planted


def test_the_more_confident_are_right_more_often():
    judged = planted(strength=0.5, drift=0.1, names=20, sessions=1500)
    points = coverage_curve(judged, out_of_fold(judged))
    assert [round(point.coverage, 2) for point in points[:3]] == [1.0, 0.9, 0.8]
    accuracy = [point.accuracy for point in points if point.coverage >= 0.1]
    assert (np.diff(accuracy) > 0).mean() > 0.8
    # P(right) of label = 0.1 + 0.5 x + noise: 0.65 over all x, over 0.8 at the largest tenth of |x|
    assert points[0].accuracy == pytest.approx(0.65, abs=0.02)
    assert accuracy[-1] > 0.78
    assert all(point.accuracy > point.base_rate for point in points)
    assert points[0].windows == points[0].rows // 20
    assert points[-1].half_width > points[0].half_width


def test_a_forecaster_that_knows_nothing_has_one_point():
    judged = planted(strength=-0.3, score_strength=-0.3)
    (point,) = coverage_curve(judged, out_of_fold(judged))
    assert (point.coverage, point.least_confidence) == (1.0, 0.0)
    assert point.accuracy == pytest.approx(point.base_rate)


def test_nothing_judged_has_no_curve():
    judged = planted(folds=1)
    assert coverage_curve(judged, out_of_fold(judged)) == []
