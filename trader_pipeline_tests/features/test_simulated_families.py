"""Every family of filings is alive on the simulated market and finds what is planted there, through raw, core and the checks."""

import datetime as dt

import numpy as np
import pytest
from scipy import stats

from trader_pipeline import calendar, panel
from trader_pipeline.features import factors, growth, kernels, quality, valuation
from trader_pipeline.features.market import FACTORS, previous
from trader_pipeline.flows.build_features import read_market
from trader_pipeline.flows.check import accept, check
from trader_pipeline.flows.ingest import ingest
from trader_pipeline.flows.standardize import standardize
from trader_pipeline.lake import Lake
from trader_pipeline.settings import Settings
from trader_pipeline.sources import last_session_of
from trader_pipeline.sources.simulated_filings import simulate_filings
from trader_pipeline.sources.simulation import MarketSize, simulate
from trader_pipeline_tests.feeds import feed_of

AS_OF = calendar.known_at("XNYS", last_session_of("simulated"))
TICKERS, SESSIONS = 100, 900
PLANTED_ON_Z = {
    valuation.book_to_market: (0.2, 0.6),
    growth.standardized_unexpected_earnings: (0.3, 0.7),
    growth.earnings_surprise: (0.3, 0.7),
}
"""Rank IC with z of the session: z is 0.98 of itself a session later, a quarter is filed a month late and stands for three."""


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory):
    settings = Settings(
        home=tmp_path_factory.mktemp("simulated"),
        dataset="simulated",
        simulated_tickers=TICKERS,
        simulated_days=SESSIONS,
        seed=0,
        _env_file=None,
    )
    lake, source = Lake(settings.dataset_home / "lake", "simulated"), feed_of("simulated")
    ingest(lake, source, settings, as_of=AS_OF, fetched_at=dt.datetime(2026, 1, 5, 12, tzinfo=dt.UTC), run_id="r")
    standardize(lake, (source,), as_of=AS_OF, run_id="r")
    check(lake, as_of=AS_OF, settings=settings.checks, run_id="r")
    accept(lake, as_of=AS_OF, run_id="r")
    return lake.snapshot()


@pytest.fixture(scope="module")
def market(snapshot):
    return read_market(snapshot, AS_OF)


@pytest.fixture(scope="module")
def oracle(snapshot, market):
    """What the market's own expectation of 20 sessions is."""
    rows = snapshot.sql("select ticker, session, expected_log_return from core.oracle where horizon_sessions = 20")
    return panel.dense(rows, market.grid, "expected_log_return")


def rank_ic(values, truth):
    """The mean over sessions of the rank correlation among tickers."""
    found = []
    for value, true in zip(values.T, truth.T, strict=True):
        known = np.isfinite(value) & np.isfinite(true)
        if known.sum() > 20:
            found.append(stats.spearmanr(value[known], true[known])[0])
    assert len(found) > 300
    return np.mean(found)


def test_the_checks_hold_none_of_the_figures(snapshot):
    assert snapshot.sql("select * from quality.quarantine where table_name in ('core.fundamentals', 'core.earnings')").num_rows == 0


@pytest.mark.parametrize("family", [valuation, quality, growth], ids=["valuation", "quality", "growth"])
def test_every_feature_of_filings_is_alive_from_the_first_session_on(market, family):
    for feature in family.FEATURES:
        values = feature.compute(market)
        assert np.isfinite(values[:, 0]).all(), feature.name
        assert np.isfinite(values).mean() > 0.97, feature.name
        assert np.nanstd(values[:, -1]) > 0, feature.name


def test_exposures_are_alive_after_two_years(market):
    for feature in factors.FEATURES:
        assert np.isfinite(feature.compute(market)[:, 504:]).all(), feature.name


@pytest.mark.parametrize("feature", PLANTED_ON_Z, ids=lambda feature: feature.name)
def test_a_planted_signal_is_found(market, oracle, feature):
    low, high = PLANTED_ON_Z[feature]
    values = feature.compute(market)
    assert low < rank_ic(values, market.characteristics["z"]) < high
    assert rank_ic(values, oracle) > 0.1


def test_what_is_not_planted_is_not_found(market):
    for feature in (quality.share_issuance, quality.current_ratio, quality.days_since_statement):
        assert abs(rank_ic(feature.compute(market), market.characteristics["z"])) < 0.1, feature.name


def test_profitability_finds_the_quality_that_is_planted(market):
    made = simulate(MarketSize(tickers=TICKERS, sessions=SESSIONS, seed=0, null=False))
    truth = simulate_filings(made, market.grid.tickers, market.grid.sessions, 0).quality_N
    assert rank_ic(quality.gross_profitability.compute(market), np.repeat(truth[:, None], SESSIONS, axis=1)) > 0.6


def test_the_value_factor_earns_what_the_oracle_expects_of_it(snapshot, market):
    """The thirds are sorted a session before they earn, so the expectation is that of the session before too."""
    rows = snapshot.sql("select ticker, session, expected_log_return from core.oracle where horizon_sessions = 1")
    expected = kernels.long_short(market.book_to_market, previous(panel.dense(rows, market.grid, "expected_log_return")), 3)[0, 1:]
    earned = market.factor_returns[FACTORS.index("value"), 1:]
    assert expected.mean() > 5 * expected.std() / np.sqrt(len(expected))
    assert abs((earned - expected).mean()) < 3 * (earned - expected).std() / np.sqrt(len(earned))
