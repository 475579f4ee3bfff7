"""The chain finds a planted signal and finds nothing where nothing is: the same flows as the jobs, on a market whose truth is known."""

import datetime as dt

import numpy as np
import pytest
from scipy import stats

from trader_pipeline import calendar
from trader_pipeline.flows import train
from trader_pipeline.flows.build_features import build_features
from trader_pipeline.flows.check import accept, check
from trader_pipeline.flows.evaluate import evaluate
from trader_pipeline.flows.ingest import ingest
from trader_pipeline.flows.standardize import standardize
from trader_pipeline.lake import Lake
from trader_pipeline.settings import Settings
from trader_pipeline.sources import last_session_of
from trader_pipeline.training import job
from trader_pipeline_tests.feeds import feed_of

pytestmark = pytest.mark.slow

NOW = dt.datetime(2026, 1, 5, 12, tzinfo=dt.UTC)
AS_OF = calendar.known_at("XNYS", last_session_of("simulated"))


def scores(home, recipe, **facts):
    """The scorecard of one simulated market, by (model, horizon)."""
    settings = Settings(home=home, dataset="simulated", recipe=recipe, **facts)
    lake, source = Lake(settings.dataset_home / "lake", "simulated"), feed_of("simulated")
    ingest(lake, source, settings, as_of=AS_OF, fetched_at=NOW, run_id="run")
    standardize(lake, (source,), as_of=AS_OF, run_id="run")
    check(lake, as_of=AS_OF, settings=settings.checks, run_id="run")
    accept(lake, as_of=AS_OF, run_id="run")
    build_features(lake, as_of=AS_OF, run_id="run")
    models = settings.dataset_home / "models"
    request = train.prepare(lake, models_dir=models, recipe=recipe, seed=settings.seed, as_of=AS_OF, run_id="run")
    job.run(request, lambda _: None)
    train.publish(lake, request, finished_at=NOW)
    evaluate(lake, as_of=AS_OF, run_id="run")
    rows = lake.snapshot().sql("select * from evaluation.scorecard").to_pylist()
    return {(row["model"], row["horizon_sessions"]): row for row in rows}


RECIPES = [
    pytest.param("classic", marks=pytest.mark.timeout(600)),
    pytest.param("three_members", marks=[pytest.mark.long, pytest.mark.timeout(3000)]),
]
"""With PanelFormer the same takes minutes: `pytest -m long`."""


@pytest.mark.parametrize("recipe", RECIPES)
def test_over_half_of_the_oracles_rank_ic_is_recovered(tmp_path, recipe):
    row = scores(tmp_path, recipe, simulated_tickers=150, simulated_days=1500, seed=0)["ensemble", 5]
    assert row["oracle_rank_ic"] > 0.02
    assert row["rank_ic"] > 0.5 * row["oracle_rank_ic"], f"{row['rank_ic']:.4f} of the oracle's {row['oracle_rank_ic']:.4f}"


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_null_market_has_no_skill(tmp_path, recipe):
    null = {"simulated_tickers": 40, "simulated_days": 1050, "simulated_null": True}
    found = [scores(tmp_path / str(seed), recipe, seed=seed, **null) for seed in range(5)]
    for horizon in (1, 5, 20):
        rows = [seed["ensemble", horizon] for seed in found]
        assert not [row["leak_alarm"] for row in rows if row["leak_alarm"]]
        errors = [row["rank_ic_half_width"] / stats.t.ppf(0.975, row["windows"] - 1) for row in rows]
        pooled = np.mean([row["rank_ic"] for row in rows])
        assert abs(pooled) < 3 * np.sqrt(np.sum(np.square(errors))) / len(rows), f"IC {pooled:.4f} at {horizon} sessions"
