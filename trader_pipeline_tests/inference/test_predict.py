import datetime as dt
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from trader_pipeline.inference.predict import Abstention, Known, Stamp, daily_rows, excess_over_sector
from trader_pipeline.models.calibrate import Calibration
from trader_pipeline.schema.quantiles import LEVELS

DAY = dt.date(2020, 2, 7)
PLAIN = Calibration(
    up_shrink=0.0,
    up_score_slope=1.0,
    outperform_shrink=0.0,
    mean_shrink=1.0,
    mean_score_slope=0.0,
    mean_center=0.0,
    drift=0.0,
    interval_scales=(1.0,) * len(LEVELS),
    median_offset=0.0,
    base_rate=0.5,
    attainable=0.25,
)
STAMP = Stamp(model_id="m", data_version="v", made_at=dt.datetime(2020, 2, 8, tzinfo=dt.UTC), run_id="r")


def made(*, horizon=4, calibration=PLAIN, volatility=0.02, novelty=0.5, quantiles=(-2.0, -0.5, 0.5, 1.0, 2.0), score=0.5):
    ensemble = pa.table(
        {
            "ticker": ["X"],
            "session": pa.array([DAY], pa.date32()),
            "horizon_sessions": pa.array([horizon], pa.int16()),
            "score": [score],
            "scaled_mean": [0.5],
            **{f"scaled_{name}": [value] for name, value in zip(("q05", "q25", "q50", "q75", "q95"), quantiles, strict=True)},
            "disagreement": [0.1],
        }
    )
    known = Known(
        volatility_daily={"X": volatility},
        base_rate={("X", horizon): 0.5},
        novelty={"X": novelty},
        benchmark_mean={horizon: 0.005},
        sectors={"X": "Technology"},
        earnings_inside={("X", horizon): True},
        ex_dividend_inside={},
    )
    return daily_rows(ensemble, {horizon: calibration}, known, Abstention(confidence=0.05, novelty=0.995), STAMP).to_pylist()[0]


def test_sigmas_become_returns_over_the_horizon():
    row = made()  # 2 % a session over 4 sessions: one sigma is 4 %
    assert row["return_mean"] == pytest.approx(0.02)
    assert [row[q] for q in ("q05", "q25", "q50", "q75", "q95")] == pytest.approx([-0.08, -0.02, 0.02, 0.04, 0.08])
    assert row["p_up"] == pytest.approx(0.6224593)  # logistic function at 0.5
    assert row["confidence"] == pytest.approx((0.6224593 - 0.5) / 0.25)
    assert row["abstained"] is False


def test_crossing_quantiles_are_put_in_order_and_nobody_loses_more_than_everything():
    row = made(quantiles=(-90.0, 0.6, 0.5, 0.4, 2.0))
    values = [row[q] for q in ("q05", "q25", "q50", "q75", "q95")]
    assert values == sorted(values)
    assert values[0] == pytest.approx(-0.9999)


@pytest.mark.parametrize(
    ("changes", "abstains"),
    [({}, False), ({"score": 0.01}, True), ({"novelty": 0.999}, True), ({"novelty": np.nan}, True), ({"volatility": np.nan}, True)],
)
def test_who_abstains(changes, abstains):
    row = made(**changes)
    assert row["abstained"] is abstains
    assert row["score"] is not None
    assert (row["return_mean"] is None) == ("volatility" in changes)


def test_nothing_attainable_is_no_confidence():
    row = made(calibration=replace(PLAIN, up_score_slope=0.0, attainable=0.0))
    assert row["confidence"] == 0
    assert row["p_up"] == row["base_rate"]
    assert row["abstained"] is True


def test_excess_is_over_the_benchmark_and_what_is_not_known_is_null():
    row = made()
    assert row["excess_benchmark"] == pytest.approx(0.02 - 0.005)
    assert row["excess_sector"] == 0, "alone in its sector"
    assert (row["earnings_inside"], row["ex_dividend_inside"]) == (True, None)


def test_excess_over_the_sector_leaves_out_whom_nothing_is_said_of():
    excess = excess_over_sector(np.array([0.02, 0.04, np.nan, 0.07]), ["Tech", "Tech", "Tech", None])
    assert excess[:2] == pytest.approx([-0.01, 0.01])
    assert np.isnan(excess[2:]).all()
