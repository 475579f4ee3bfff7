"""Each family recovers what the simulated market planted, through the same flows as the jobs."""

import datetime as dt

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from trader_pipeline import calendar
from trader_pipeline.features import FEATURES, PANEL
from trader_pipeline.flows.accept import accept
from trader_pipeline.flows.build_features import build_features
from trader_pipeline.flows.check import check
from trader_pipeline.flows.ingest import ingest
from trader_pipeline.flows.market_state import market_state
from trader_pipeline.flows.score_news import score_news, text_scorers
from trader_pipeline.flows.standardize import standardize
from trader_pipeline.lake import Lake
from trader_pipeline.panel import Grid, dense
from trader_pipeline.schema.features import MARKET_STATE
from trader_pipeline.settings import Settings
from trader_pipeline.sources import last_session_of
from trader_pipeline.sources.simulation import MarketSize, simulate
from trader_pipeline_tests.feeds import feed_of

pytestmark = pytest.mark.slow

NOW = dt.datetime(2026, 1, 5, 12, tzinfo=dt.UTC)
AS_OF = calendar.known_at("XNYS", last_session_of("simulated"))
TICKERS, SESSIONS = 40, 1100
WITHOUT_A_MODEL = {"sentiment_finbert_21d"}


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    sizes = {"simulated_tickers": TICKERS, "simulated_days": SESSIONS}
    settings = Settings(home=tmp_path_factory.mktemp("home"), dataset="simulated", _env_file=None, **sizes)
    lake, feed = Lake(settings.dataset_home / "lake", "simulated"), feed_of("simulated")
    ingest(lake, feed, settings, as_of=AS_OF, fetched_at=NOW, run_id="run")
    standardize(lake, (feed,), as_of=AS_OF, run_id="run")
    check(lake, as_of=AS_OF, settings=settings.checks, run_id="run")
    accept(lake, as_of=AS_OF, run_id="run")
    score_news(lake, text_scorers(settings), as_of=AS_OF, run_id="run")
    market_state(lake, as_of=AS_OF, run_id="run")
    build_features(lake, as_of=AS_OF, run_id="run")
    return lake


@pytest.fixture(scope="module")
def panel(lake):
    rows = lake.snapshot().read(PANEL)
    grid = Grid.of(rows)
    return {column: dense(rows, grid, column) for column in rows.column_names if column not in ("ticker", "session")}


@pytest.fixture(scope="module")
def truth():
    return simulate(MarketSize(tickers=TICKERS, sessions=SESSIONS, seed=0, null=False))


def test_every_feature_is_alive_but_for_those_of_a_model_that_is_not_there(panel):
    dead = {feature.name for feature in FEATURES if not np.isfinite(panel[feature.name][:, -40:]).any()}
    assert dead == WITHOUT_A_MODEL


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
