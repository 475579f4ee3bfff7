import numpy as np
import pytest

from trader_pipeline.decisions.engine import Candidates, InvestmentDecisionEngine, action, covariance_shares, effective_shares

ENGINE = InvestmentDecisionEngine(momentum_weight=0.4, ml_weight=0.6, name_limit=0.15, gross_limit=1.0)


def candidates(**changes):
    names = {
        "tickers": ["AAA", "GOOG", "GOOGL", "ZZZ"],
        "issuers": ["AAA", "ALPHABET", "ALPHABET", "ZZZ"],
        "momentum_score": np.array([-1.0, 1.0, 1.0, -1.0]),
        "ml_score": np.array([0.5, 1.0, 1.0, -2.5]),
        "volatility_daily": np.array([0.02, 0.01, 0.01, 0.02]),
        "abstained": [0, 0, 4, 1],
        "horizons": 4,
    }
    return Candidates(**names | changes)


def rows(**changes):
    table = ENGINE.decide(candidates(**changes))
    return {row["ticker"]: row for row in table.to_pylist()}


def test_parts_are_weighted_and_add_up():
    found = rows()
    assert found["GOOG"]["momentum_part"] == pytest.approx(0.4)
    assert found["GOOG"]["ml_part"] == pytest.approx(0.6)
    assert found["ZZZ"]["score"] == pytest.approx(-0.4 - 1.5)
    assert [found[name]["rank"] for name in ("GOOG", "GOOGL", "AAA", "ZZZ")] == [1, 2, 3, 4]


def test_two_unit_variance_scores_have_the_shares_that_were_asked_for():
    rng = np.random.default_rng(0)
    momentum, ml = rng.standard_normal(20_000), rng.standard_normal(20_000)
    assert effective_shares(0.4 * momentum, 0.6 * ml) == pytest.approx((0.4, 0.6), abs=0.01)
    # variances 0.16 and 0.36 of independent parts: 0.31 and 0.69
    assert covariance_shares(0.4 * momentum, 0.6 * ml) == pytest.approx((0.308, 0.692), abs=0.01)


def test_shares_by_hand():
    assert effective_shares(np.array([1.0, -1.0]), np.array([3.0, 3.0])) == pytest.approx((0.25, 0.75))
    assert covariance_shares(np.array([1.0, -1.0]), np.array([3.0, -3.0])) == pytest.approx((0.25, 0.75))
    assert np.isnan(effective_shares(np.zeros(2), np.zeros(2))).all()
    assert np.isnan(covariance_shares(np.zeros(2), np.zeros(2))).all()


def test_share_classes_of_one_issuer_are_limited_together_and_the_reason_says_so():
    found = rows()
    assert found["GOOG"]["uncut_weight"] == pytest.approx(0.5)
    assert found["GOOG"]["target_weight"] + found["GOOGL"]["target_weight"] == pytest.approx(0.15)
    assert "issuer limit 15%, GOOG + GOOGL wanted 100.0%" in found["GOOG"]["reasons"]
    assert "cut from 50.0% to 7.5%" in found["GOOG"]["reasons"]
    assert found["ZZZ"]["target_weight"] == 0


def test_names_that_stand_alone_are_limited_apart():
    found = rows(issuers=["AAA", "GOOG", "GOOGL", "ZZZ"])
    assert found["GOOG"]["target_weight"] == pytest.approx(0.15)
    assert found["GOOGL"]["target_weight"] == pytest.approx(0.15)


def test_weights_are_scaled_by_risk():
    calm = rows(volatility_daily=np.array([0.02, 0.01, 0.04, 0.02]), issuers=list("abcd"))
    assert calm["GOOG"]["uncut_weight"] == pytest.approx(4 * calm["GOOGL"]["uncut_weight"])


def test_a_missing_score_is_neutral_and_said():
    found = rows(momentum_score=np.array([np.nan, 1.0, 1.0, -1.0]), ml_score=np.array([0.5, np.nan, 1.0, -2.5]))
    assert found["AAA"]["momentum_part"] == 0
    assert "no momentum score" in found["AAA"]["reasons"]
    assert "no forecast" in found["GOOG"]["reasons"]
    assert "abstained at 4 of 4" in found["GOOGL"]["reasons"]
    assert "volatility unknown" in rows(volatility_daily=np.array([np.nan, 0.01, 0.01, 0.02]))["AAA"]["reasons"]


def test_actions():
    assert action(1.0, 0.1) == "buy"
    assert action(0.1, 0.0) == "hold"
    assert action(-0.1, 0.0) == "hold"
    assert action(-0.5, 0.0) == "sell"
