from dataclasses import replace

import numpy as np
import pytest

from trader_pipeline.models import calibrate
from trader_pipeline.models.calibrate import Calibration
from trader_pipeline.schema.quantiles import LEVELS

NEUTRAL = Calibration(
    up_shrink=0.0,
    up_score_slope=0.0,
    outperform_shrink=0.0,
    mean_shrink=0.0,
    mean_score_slope=0.0,
    mean_center=0.0,
    drift=0.1,
    interval_scales=(1.0,) * len(LEVELS),
    median_offset=0.0,
    base_rate=0.5,
    attainable=0.0,
)


def apply(calibration, **changes):
    inputs = {"score": [1.0], "scaled_mean": [0.5], "scaled_quantiles_Q": [[-1.5], [0.5], [2.5]], "base_rate": [0.55]} | changes
    return calibrate.apply(calibration, **inputs)


def test_without_an_established_signal_the_forecast_is_the_base_rate_and_the_drift():
    result = apply(NEUTRAL)
    assert result.p_up == pytest.approx([0.55])
    assert result.p_outperform == pytest.approx([0.5])
    assert result.confidence == [0.0]
    assert result.scaled_mean == pytest.approx([0.1])
    assert result.scaled_quantiles[:, 0] == pytest.approx([-1.9, 0.1, 2.1])


def test_formulas_by_hand():
    fitted = replace(
        NEUTRAL,
        up_shrink=1.0,
        up_score_slope=0.5,
        outperform_shrink=1.0,
        mean_shrink=0.5,
        mean_score_slope=0.2,
        mean_center=0.5,
        interval_scales=(2.0,) * len(LEVELS),
        median_offset=0.05,
        attainable=0.2,
    )
    result = apply(fitted, scaled_mean=[1.0], base_rate=[0.5])
    assert result.p_up == pytest.approx([0.7310586])  # 1 / (1 + e^-1): the logistic function at 0.5 * 1.0 + 1.0 * (1.0 - 0.5)
    assert result.p_outperform == pytest.approx([0.7310586])
    assert result.confidence == [1.0]  # 0.23 of an attainable 0.20
    assert result.scaled_mean == pytest.approx([0.1 + 0.2 + 0.25])
    assert result.scaled_quantiles[:, 0] == pytest.approx([0.6 - 4.0, 0.6, 0.6 + 4.0])


def test_missing_stays_missing():
    result = apply(NEUTRAL, scaled_mean=[np.nan])
    assert np.isnan(result.p_up[0])
    assert np.isnan(result.confidence[0])
    assert np.isnan(result.scaled_mean[0])


def test_base_rate_ignores_labels_that_had_not_ended():
    up = np.array([[1.0, 1.0, 1.0, 1.0, 0.0, 0.0]])
    known = calibrate.trailing_base_rate(up, 2)
    assert known[0, :2] == pytest.approx([0.5, 0.5])  # nothing known: one up and one down
    # at t = 3 the labels of sessions 0 and 1 have ended: pooled (2 + 1) / (2 + 2), then shrunk to itself by 1000 that overlap by two
    assert known[0, 3] == pytest.approx((2 + 2000 * 0.75) / 2002)
    changed = up.copy()
    changed[0, 4:] = 1.0
    assert calibrate.trailing_base_rate(changed, 2) == pytest.approx(known)


def test_base_rate_forgets_labels_that_are_older_than_a_thousand_that_do_not_overlap():
    up = np.ones((1, 3100))
    up[0, :100] = 0.0
    rate = calibrate.trailing_base_rate(up, 1)[0]
    assert rate[1000] < rate[1050] < rate[1100], "one bad label after the other goes"
    assert rate[1101:] == pytest.approx((1000 + 1000 * 1001 / 1002) / 2000), "the label of session 99 is forgotten at 99 + 1 + 1000"
    longer = calibrate.trailing_base_rate(up, 3)[0]
    assert longer[3002] < longer[3003] < longer[3050], "three sessions ahead 3,000 are kept"


def test_base_rate_of_a_ticker_leans_on_the_universe():
    up = np.vstack([np.ones(1001), np.zeros(1001)])
    rate = calibrate.trailing_base_rate(up, 1)[:, -1]
    assert rate == pytest.approx([0.75, 0.25])  # 1000 labels of its own against a prior of 1000 at one half
