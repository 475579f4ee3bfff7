"""The measure itself: the oracle recovers everything, noise nothing; and what a small PanelFormer must recover."""

import numpy as np
import pytest

from trader_pipeline.bench.models import examples_of, measure, recovered
from trader_pipeline.schema.columns import HORIZONS_SESSIONS
from trader_pipeline.sources.simulation import MarketSize, simulate

FIRST = 300


@pytest.fixture(scope="module")
def market():
    return simulate(MarketSize(tickers=60, sessions=500, seed=1, null=False))


def test_the_oracle_recovers_all_of_every_component_and_noise_none(market):
    expected = sum(market.components_TN.values())
    scores = {1: expected, 5: market.oracle_TN[5] / market.sigma_TN, 20: expected, 60: expected}
    oracle = np.stack([scores[h][FIRST:] for h in HORIZONS_SESSIONS], axis=2)
    labels = examples_of(market, 500).every
    found = recovered(market, labels, oracle, FIRST)
    assert {found[f"share_of_{name}"] for name in (*market.components_TN, "oracle")} == {1.0}
    noise = recovered(market, labels, np.random.default_rng(0).standard_normal(oracle.shape), FIRST)
    assert all(abs(noise[f"share_of_{name}"]) < 0.1 for name in market.components_TN)


def test_the_components_are_the_oracle_of_one_session(market):
    assert np.allclose(sum(market.components_TN.values()) * market.sigma_TN, market.oracle_TN[1])


def test_nothing_after_the_end_is_learnt_from(market):
    short, whole = examples_of(market, 400), examples_of(market, 500)
    assert np.array_equal(short.x_NTF, whole.x_NTF[:, :400])
    for h, horizon in enumerate(HORIZONS_SESSIONS):
        decided = np.flatnonzero(np.isfinite(short.every.score_NTH[:, :, h]).any(axis=0)).max() + horizon
        assert decided == 399


@pytest.mark.long
@pytest.mark.timeout(3000)
def test_a_small_panel_former_finds_what_needs_other_tickers_and_the_regime():
    found = measure("panel_former", tickers=150, sessions=1500, seed=0, epochs=16)
    assert found["share_of_lead"] >= 0.5
    assert found["share_of_regime"] >= 0.4
    assert found["share_of_oracle"] >= 0.6
