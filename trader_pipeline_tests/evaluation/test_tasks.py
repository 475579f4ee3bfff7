from types import SimpleNamespace

import numpy as np
import pytest

from trader_pipeline.evaluation import tasks
from trader_pipeline.evaluation.outcome import outcome_of
from trader_pipeline.evaluation.sharpe_difference import contrast
from trader_pipeline_tests.evaluation.planted import LEVELS, planted

NAMES, SESSIONS = 12, 900
ISSUERS = [f"I{n}" for n in range(NAMES)]


def outcome(**facts):
    return outcome_of(planted(names=NAMES, sessions=SESSIONS, **facts))


def test_stock_direction_is_met_by_a_strong_signal_alone():
    strong, weak = (tasks.stock_direction(outcome(score_strength=s, drift=0.0), ISSUERS) for s in (1.5, 0.1))
    # P(hit) = 1/2 + asin(1.5 / sqrt(1 + 1.5^2)) / pi = 0.813
    assert strong["value"] == pytest.approx(0.813, abs=0.015)
    assert strong["passed"]
    assert strong["line"].endswith("target 70 %: met")
    assert not weak["passed"]
    assert weak["name"] == "stock_direction_1d"
    assert weak["low"] < weak["value"] < weak["high"]
    assert weak["coverage"] == 1


def test_too_few_windows_meet_nothing():
    row = tasks.stock_direction(outcome(score_strength=3.0, horizon=60), ISSUERS)
    assert row["windows"] < 20
    assert not row["passed"]
    assert f"{row['windows']} windows" in row["line"]


def test_what_needs_no_model_meets_nothing():
    """A market that nearly always rises: always-up is right nine times in ten, and so is the forecast."""
    row = tasks.stock_direction(outcome(strength=0.0, drift=1.3), ISSUERS)
    assert row["low"] > 0.85
    assert row["value"] == row["base_rate"]
    assert not row["passed"]


def test_selective_direction_tells_the_coverage_where_it_is_reached_or_never():
    some = tasks.selective_stock_direction(outcome(score_strength=0.5, drift=0.0), ISSUERS)
    # at strength 0.5 all calls hit 64.8 %; the confident half hits about 74 %
    assert 0.2 < some["coverage"] < 0.8
    assert some["value"] >= 0.70
    assert some["line"].startswith("reached at ")
    never = tasks.selective_stock_direction(outcome(score_strength=0.1, drift=0.0), ISSUERS)
    assert never["line"].startswith("70 % is never reached; at 5 % coverage: ")
    nothing = tasks.selective_stock_direction(outcome(strength=0.0, drift=0.5, noise=0.3, score_strength=-0.2), ISSUERS)
    assert nothing["line"] == "no forecast is more confident than another, target 70 %: not met"


def sure(*, share, names=20, sessions=3000):
    """Forecasts of independent hits: 90 % of the most confident tenth, `share` of the rest of the confident half, one half else."""
    rng, shape = np.random.default_rng(0), (names, sessions)
    confidence = rng.uniform(size=shape)
    hit = rng.uniform(size=shape) < np.where(confidence > 0.9, 0.9, np.where(confidence > 0.5, share, 0.5))
    known = {"rows_NT": np.ones(shape, dtype=bool), "judgeable_NT": np.ones(shape, dtype=bool), "base_rate": lambda _rows: 0.5}
    return SimpleNamespace(confidence_NT=confidence, hit_NT=hit, horizon=5, **known)


def test_selective_direction_takes_the_coverage_at_which_it_is_met_before_one_at_which_it_seems_to_be():
    """At 50 % coverage the mean is 70.3 % and its lower end is not over 70 %; at 40 % both are."""
    outcome = sure(share=0.655)
    half, less = (point for point in tasks.coverage_curve(outcome) if point["asked"] in {0.5, 0.4})
    assert half["low"] < 0.70 < half["value"]
    row = tasks.selective_stock_direction(outcome, [str(n) for n in range(20)])
    assert row["passed"]
    assert row["coverage"] == less["coverage"] == pytest.approx(0.4, abs=0.001)
    assert row["line"].startswith("reached at 40 % coverage: ")
    assert row["line"].endswith(": met")


def test_selective_direction_says_where_the_mean_alone_reaches_it():
    row = tasks.selective_stock_direction(sure(share=0.655, names=3, sessions=300), ["A", "B", "C"])
    assert row["low"] < 0.70 < row["value"]
    assert not row["passed"]
    assert row["line"].startswith("reached by the mean alone, at 50 % coverage: ")


def test_volatility_direction_knows_what_the_forecast_knows():
    """Volatility is a slow wave that the forecast's width follows ahead of time; HAR and mean reversion only see the past."""
    horizon, rng = 5, np.random.default_rng(0)
    judged = planted(horizon=horizon, names=NAMES, sessions=SESSIONS)
    sigma = np.exp(np.sin(np.arange(SESSIONS + horizon) * 2 * np.pi / 40))
    intraday = 0.01 * sigma[1 : SESSIONS + 1] * rng.standard_normal((NAMES, SESSIONS))
    coming = np.array([np.sqrt((sigma[t + 1 : t + 1 + horizon] ** 2).mean()) for t in range(SESSIONS)])
    seer = judged.scaled_quantiles_QNT
    seer[:] = np.array(LEVELS)[:, None, None] * coming
    row = tasks.volatility_direction(outcome_of(judged), intraday, np.full((NAMES, SESSIONS), 0.01), ISSUERS)
    assert row["name"] == "volatility_direction_5d"
    assert row["value"] > row["base_rate"] + 0.03
    assert row["value"] > 0.75
    assert "mean reversion" in row["line"]
    assert "HAR" in row["line"]


def test_volatility_direction_of_a_constant_width_is_mean_reversion():
    """Independent returns: whoever says that a calm week is followed by a wilder one is right about two times in three or more."""
    rng = np.random.default_rng(1)
    intraday = 0.01 * rng.standard_normal((NAMES, SESSIONS))
    row = tasks.volatility_direction(outcome(horizon=5), intraday, np.full((NAMES, SESSIONS), 0.01), ISSUERS)
    assert row["value"] == pytest.approx(0.75, abs=0.03)  # P(x2 > x1 | x1 known) of exchangeable draws: 3/4
    assert row["base_rate"] == pytest.approx(0.75, abs=0.03)


@pytest.mark.parametrize("first", [300, 600])
def test_volatility_calls_do_not_look_ahead(first):
    """From a fold's first session on everything moves a thousand times as much: its calls of that session, whose past is as it was, stay.

    Widths are known of the last nine sessions alone, so the five whose outcome reaches into the fold would decide the median ratio.
    """
    intraday = 0.01 * np.random.default_rng(2).standard_normal((NAMES, SESSIONS))
    level, done = np.full((NAMES, SESSIONS), 0.01), outcome(horizon=5)
    done.judged.scaled_quantiles_QNT[:, :, : first - 8] = np.nan
    before = tasks.volatility_calls(done, intraday, level)
    changed = intraday.copy()
    changed[:, first:] *= 1000
    after = tasks.volatility_calls(done, changed, level)
    assert before.rows_NT[:, first].all()
    assert after.rows_NT[:, first].all()
    for name in ("mean_reversion_NT", "har_NT", "forecast_NT"):
        calls = getattr(before, name)[:, first]
        assert not calls.all()
        assert (calls == getattr(after, name)[:, first]).all()


def test_index_direction_stands_beside_always_up():
    done = outcome(strength=0.0, drift=0.5, horizon=60)
    index = np.tile(np.where(np.arange(SESSIONS) % 4, 0.01, -0.01), (NAMES, 1))
    row = tasks.index_direction(done, index)
    assert row["value"] == row["base_rate"] == pytest.approx(0.75, abs=0.02)
    assert row["line"].startswith("75.0 % vs 75.0 % always up")
    assert row["n_effective"] == row["windows"]


def test_sharpe_is_asked_for_fifteen_percent_more():
    strategy = {"sharpe": 1.3, "sharpe_low": 0.4, "sharpe_high": 2.2, "baseline_sharpe": 1.0, "difference": 0.3, "low": 0.16, "high": 0.44}
    strategy |= {"over_target_low": -0.05, "over_target_high": 0.35, "against": "momentum", "sessions": 900}
    row = tasks.sharpe_gain(strategy)
    assert (row["target"], row["passed"]) == (pytest.approx(1.15), False), "the baseline is not known to the last digit"
    assert (row["low"], row["high"]) == (0.4, 2.2), "of the value"
    assert row["line"] == "Sharpe 1.30 vs 1.00 momentum (difference +0.30 ±0.14), target 1.15 (+15 %, over it +0.15 ±0.20): not met"
    assert tasks.sharpe_gain(strategy | {"over_target_low": 0.0})["passed"]
    assert tasks.sharpe_gain(strategy | {"baseline_sharpe": -1.0})["target"] == pytest.approx(-0.85)
    untold = tasks.sharpe_gain(strategy | dict.fromkeys(("low", "high", "over_target_low", "over_target_high"), float("nan")))
    assert "difference +0.30 without an interval" in untold["line"]
    assert not untold["passed"]


@pytest.mark.parametrize("size", [0.1, -0.1])
def test_a_gain_of_just_fifteen_percent_is_seldom_met(size):
    """200 pairs, correlation 0.99, true ratios `size` and what is asked: met by chance alone, 2.5 %; over 12 are two in a thousand."""
    rng, met = np.random.default_rng(0), 0
    for seed in range(200):
        first, second = rng.standard_normal((2, 500))
        own = tasks.sharpe_factor(size) * size + 0.99 * first + np.sqrt(1 - 0.99**2) * second
        low, _ = contrast(own, size + first, weight=tasks.sharpe_factor(size), studentised=199, seed=seed)
        met += low >= 0
    assert 0 < met <= 12
