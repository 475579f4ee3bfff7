"""Each family recovers what the simulated market planted, through the same flows as the jobs."""

import datetime as dt

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from trader_pipeline import calendar
from trader_pipeline.features import FEATURES, PANEL, macro
from trader_pipeline.flows.accept import accept
from trader_pipeline.flows.build_features import build_features
from trader_pipeline.flows.check import check
from trader_pipeline.flows.ingest import ingest
from trader_pipeline.flows.market_state import market_state
from trader_pipeline.flows.score_news import score_news, text_scorers
from trader_pipeline.flows.standardize import standardize
from trader_pipeline.lake import Lake
from trader_pipeline.panel import Grid, dense
from trader_pipeline.schema.features import MARKET_STATE, TARGETS
from trader_pipeline.settings import Settings
from trader_pipeline.sources import last_session_of
from trader_pipeline.sources.simulated_filings import simulate_filings
from trader_pipeline.sources.simulation import MarketSize, simulate
from trader_pipeline_tests.feeds import feed_of

pytestmark = pytest.mark.slow

NOW = dt.datetime(2026, 1, 5, 12, tzinfo=dt.UTC)
AS_OF = calendar.known_at("XNYS", last_session_of("simulated"))
TICKERS, SESSIONS = 40, 1100
WITHOUT_A_MODEL = {"sentiment_finbert_21d"}
OF_THE_WHOLE_MARKET = {feature.name for feature in macro.FEATURES} - {"characteristic_z_by_regime", "characteristic_w_by_regime"}
BURNT_IN = 520
FAMILY = {feature.name: feature.family for feature in FEATURES}
PLANTS = {
    "return_5d": ("expectation_1d", -1),
    "parkinson_volatility_21d": ("volatility", 1),
    "volume_ratio_5d_63d": ("relative_volatility", 1),
    "residual_shock_ewma_30d": ("expectation_1d", -1),
    "sector_leader_shock_1d": ("expectation_1d", 1),
    "book_to_market": ("z", 1),
    "gross_profitability": ("quality", 1),
    "standardized_unexpected_earnings": ("z", 1),
    "earnings_surprise": ("z", 1),
    "market_exposure_252d": ("beta", 1),
    "characteristic_z": ("expectation_20d", 1),
    "characteristic_w_by_regime": ("expectation_5d", 1),
    "sentiment_vader_21d": ("z", 1),
    "implied_less_realised_volatility": ("relative_volatility", 1),
    "alpha_roc5": ("expectation_1d", 1),
}
"""A feature of each family, the plant that it must tell, and its sign."""
SPACING = {"options": 5}
"""Sessions between two that are asked, where 20 would leave too few."""


def built(home, *, null):
    sizes = {"simulated_tickers": TICKERS, "simulated_days": SESSIONS, "simulated_null": null}
    settings = Settings(home=home, dataset="simulated", _env_file=None, **sizes)
    lake, feed = Lake(settings.dataset_home / "lake", "simulated"), feed_of("simulated")
    ingest(lake, feed, settings, as_of=AS_OF, fetched_at=NOW, run_id="run")
    standardize(lake, (feed,), as_of=AS_OF, run_id="run")
    check(lake, as_of=AS_OF, settings=settings.checks, run_id="run")
    accept(lake, as_of=AS_OF, run_id="run")
    score_news(lake, text_scorers(settings), as_of=AS_OF, run_id="run")
    market_state(lake, as_of=AS_OF, run_id="run")
    build_features(lake, as_of=AS_OF, run_id="run")
    return lake


def arrays(lake, table):
    rows = lake.snapshot().read(table)
    grid = Grid.of(rows)
    return {column: dense(rows, grid, column) for column in rows.column_names if column not in ("ticker", "session")}


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    return built(tmp_path_factory.mktemp("home"), null=False)


@pytest.fixture(scope="module")
def panel(lake):
    return arrays(lake, PANEL)


@pytest.fixture(scope="module")
def null_market(tmp_path_factory):
    lake = built(tmp_path_factory.mktemp("null"), null=True)
    return arrays(lake, PANEL) | {"earned": arrays(lake, TARGETS)["residual_rank_5d"]}


@pytest.fixture(scope="module")
def truth():
    return simulate(MarketSize(tickers=TICKERS, sessions=SESSIONS, seed=0, null=False))


@pytest.fixture(scope="module")
def planted(lake, truth):
    """Each plant as [N, T]; a higher relative volatility is one above the ticker's own of the quarter before."""
    volatility = truth.volatility_TN.T
    before = np.stack([volatility[:, max(0, t - 63) : t + 1].mean(axis=1) for t in range(SESSIONS)], axis=1)
    grid = Grid.of(lake.snapshot().read(PANEL, ["ticker", "session"]))
    quality = simulate_filings(truth, grid.tickers, grid.sessions, 0).quality_N
    return {
        "z": truth.z_TN.T,
        "expectation_1d": truth.oracle_TN[1].T,
        "expectation_5d": truth.oracle_TN[5].T,
        "expectation_20d": truth.oracle_TN[20].T,
        "volatility": volatility,
        "relative_volatility": volatility / before,
        "beta": np.repeat(truth.beta_N[:, None], SESSIONS, axis=1),
        "quality": np.repeat(quality[:, None], SESSIONS, axis=1),
    }


def t_of_rank_correlation(values, truth, *, every):
    """The mean rank correlation among tickers over sessions, one in `every`, in its standard errors."""
    found = []
    for t in range(BURNT_IN, SESSIONS, every):
        told = np.isfinite(values[:, t]) & np.isfinite(truth[:, t])
        if told.sum() > TICKERS // 2:
            found.append(spearmanr(values[told, t], truth[told, t]).statistic)
    assert len(found) >= 10
    return np.mean(found) / (np.std(found, ddof=1) / np.sqrt(len(found)))


def test_every_family_has_a_plant():
    assert {FAMILY[name] for name in PLANTS} == set(FAMILY.values())


@pytest.mark.parametrize("name", PLANTS)
def test_a_family_tells_what_was_planted(panel, planted, name):
    plant, sign = PLANTS[name]
    assert sign * t_of_rank_correlation(panel[name], planted[plant], every=SPACING.get(FAMILY[name], 20)) > 3


@pytest.mark.parametrize("name", PLANTS)
def test_no_family_tells_returns_of_a_null_market(null_market, name):
    assert abs(t_of_rank_correlation(null_market[name], null_market["earned"], every=5)) < 3.5


def varies(x, *, axis):
    known = np.isfinite(x)
    return (np.where(known, x, -np.inf).max(axis=axis) > np.where(known, x, np.inf).min(axis=axis)).any()


def test_every_feature_is_alive_but_for_those_of_a_model_that_is_not_there(panel):
    """Leaders of the ten sectors, a quarter of the tickers, follow nobody."""
    quarter = {name: panel[name][:, -60:] for name in FAMILY}
    assert {name for name, x in quarter.items() if np.isfinite(x).mean() < 0.75} == WITHOUT_A_MODEL
    alive = {name: x for name, x in quarter.items() if name not in WITHOUT_A_MODEL}
    assert {name for name, x in alive.items() if not varies(x, axis=1)} == set()
    assert {name for name, x in alive.items() if not varies(x, axis=0)} == OF_THE_WHOLE_MARKET


def test_the_checks_hold_nothing_of_it(lake):
    assert lake.snapshot().sql("select distinct table_name from quality.quarantine").num_rows == 0


def test_implied_volatility_is_the_true_one(panel, truth):
    true = truth.volatility_TN.T * np.sqrt(252)
    for tenor in ("30d", "60d", "90d"):
        found = panel[f"implied_volatility_{tenor}"]
        told = np.isfinite(found)
        assert told.sum() >= 63 * TICKERS
        np.testing.assert_allclose(found[told], true[told], rtol=0.005)
    skew = panel["implied_skew_30d"]
    assert np.isfinite(skew).sum() > 60 * TICKERS
    assert (skew[np.isfinite(skew)] > 0).all()


def test_the_regime_is_told_better_than_by_chance(panel, truth):
    p = panel["turbulence_probability"][0]
    told = np.isfinite(p)
    assert told.sum() > 750
    assert roc_auc_score(truth.regime_T[told] < 0, p[told]) > 0.7


def test_vix_is_the_markets_true_volatility_of_the_session_before(panel, truth):
    expected = 100 * np.sqrt(252) * truth.market_volatility_T
    np.testing.assert_allclose(panel["vix"][0, 1:], expected[:-1], rtol=1e-3)


def test_the_tone_of_headlines_ranks_tickers_by_the_characteristic_that_was_planted(panel, truth):
    """Rank correlation is about 0.65 each day; among 40 tickers that know nothing it would be 0 with a standard error of 0.16."""
    found = []
    for t in range(100, SESSIONS, 40):
        told = np.isfinite(panel["sentiment_vader_21d"][:, t])
        found.append(spearmanr(panel["sentiment_vader_21d"][told, t], truth.z_TN[t, told]).statistic)
    assert np.mean(found) > 0.5


def test_a_second_run_writes_nothing(lake):
    assert not score_news(lake, text_scorers(Settings(_env_file=None)), as_of=AS_OF, run_id="again").changed
    assert not market_state(lake, as_of=AS_OF, run_id="again")
    assert not build_features(lake, as_of=AS_OF, run_id="again").changed


def test_an_earlier_moment_gives_the_same_states_up_to_it(lake):
    whole = lake.snapshot().read(MARKET_STATE)
    then = whole["known_at"][-100].as_py()
    assert market_state(lake, as_of=then, run_id="earlier")
    assert lake.snapshot().read(MARKET_STATE).equals(whole.slice(0, whole.num_rows - 99))
    market_state(lake, as_of=AS_OF, run_id="later")
    assert lake.snapshot().read(MARKET_STATE).equals(whole)
