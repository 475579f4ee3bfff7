"""Calibration and intervals on the simulated market, where there is enough independent data to hold them to a number."""

import numpy as np
import pytest

from trader_pipeline import measures
from trader_pipeline.evaluation.calibrated import out_of_fold
from trader_pipeline.evaluation.judged import Judged, Labels
from trader_pipeline.evaluation.scorecard import effective_rows, noise_floor
from trader_pipeline.models.calibrate import expit, trailing_base_rate
from trader_pipeline.sources.simulation import MarketSize, simulate
from trader_pipeline_tests.evaluation.planted import LEVELS

LOUD = 4.0
ENOUGH = 25_000


@pytest.fixture(scope="module")
def market():
    return simulate(MarketSize(tickers=700, sessions=3600, seed=3, null=False))


def idiosyncratic(market, horizon):
    """Return what is left of the log return from the next open after market and sector, [N, T], in sigmas; NaN without a future."""
    t = len(market.close_TN) - horizon
    log_return = np.log(market.close_TN[horizon:] / market.open_TN[1 : t + 1])
    left = log_return - market.beta_N * np.log(market.market_close_T[horizon:] / market.market_open_T[1 : t + 1])[:, None]
    for sector in np.unique(market.sector_N):
        left[:, market.sector_N == sector] -= left[:, market.sector_N == sector].mean(axis=1, keepdims=True)
    scaled = left / (market.sigma_TN[:t] * np.sqrt(horizon))
    return np.concatenate([scaled, np.full((horizon, scaled.shape[1]), np.nan)]).T


def judged_at(market, horizon, names):
    """A forecast that knows the oracle and says it `LOUD` times too loud, with intervals a third too narrow."""
    label = idiosyncratic(market, horizon)[:names]
    up = np.where(np.isfinite(label), label > 0, np.nan)
    oracle = (market.oracle_TN[horizon] / (market.sigma_TN * np.sqrt(horizon))).T[:names]
    noisy = oracle + 0.5 * oracle.std() * np.random.default_rng(horizon).standard_normal(oracle.shape)
    mean = LOUD * noisy
    labels = Labels(
        horizon=horizon,
        scaled_return_NT=label,
        residual_rank_NT=label,
        up_NT=up,
        base_rate_NT=trailing_base_rate(up, horizon),
    )
    sessions = label.shape[1]
    return Judged(
        labels=labels,
        score_NT=(noisy - noisy.mean(axis=0)) / noisy.std(axis=0),
        scaled_mean_NT=mean,
        scaled_quantiles_QNT=np.stack([mean + level / 1.5 for level in LEVELS]),
        fold_T=np.minimum(np.arange(sessions) * 3 // sessions, 2),
    )


GATES = [(1, 60), (5, 150), (60, 700)]
TOGETHER = 1 - 0.05 / len(GATES)
"""Level of each band, so that a perfect forecaster is inside all of them in 95 of 100 cases (Bonferroni)."""


@pytest.mark.slow
@pytest.mark.parametrize(("horizon", "names"), GATES)
def test_loud_forecasts_come_out_calibrated(market, horizon, names):
    judged = judged_at(market, horizon, names)
    said = out_of_fold(judged)
    up = judged.labels.up_NT
    rows = np.isfinite(said.p_up_NT) & np.isfinite(up)
    assert effective_rows(said.p_up_NT, up, rows, horizon) >= ENOUGH
    raw = measures.expected_calibration_error(expit(1.6 * judged.scaled_mean_NT[rows]), up[rows])
    ece = measures.expected_calibration_error(said.p_up_NT[rows], up[rows])
    assert ece <= 0.02 < raw
    assert ece <= noise_floor(said.p_up_NT, up, rows, horizon, level=TOGETHER)
    assert measures.brier(said.p_up_NT[rows], up[rows]) < measures.brier(judged.labels.base_rate_NT[rows], up[rows])
    assert 0.88 <= said.inside_NT[rows].mean() <= 0.92
