"""One row on a tiny market by the real command; and what makes a difference count."""

import datetime as dt
import json
import math
from dataclasses import replace

import numpy as np
import pytest

from trader_pipeline import lake
from trader_pipeline.bench import ablate as bench
from trader_pipeline.bench import ablations
from trader_pipeline.bench.ablate_markets import of_lake, simulated
from trader_pipeline.cli.ablate import ablate
from trader_pipeline.errors import UsageError
from trader_pipeline.flows.due import default_as_of
from trader_pipeline.lake import Lake
from trader_pipeline.schema.columns import HORIZONS_SESSIONS
from trader_pipeline.settings import Settings
from trader_pipeline.training.recipes import RECIPES, NetworkFit, varied
from trader_pipeline.training.splits import Fold

TINY = varied(
    replace(ablations.SIMULATED, training_sessions=100),
    "tiny",
    size={"width": 16, "heads": 2, "key_value_heads": 1, "window_sessions": 16},
    training={"epochs": 2, "rows_per_step": 600},
)


@pytest.fixture(scope="module")
def market():
    return simulated(tickers=10, sessions=620, seed=0, now=dt.datetime(2026, 1, 5, tzinfo=dt.UTC))


def test_a_row_stands_beside_its_baseline_and_every_fit_is_a_trial(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TRADER_HOME", str(tmp_path))
    monkeypatch.setattr(ablations, "SIMULATED", TINY)
    ablate(rows="dropout_0", seeds=1, tickers=10, sessions=620, as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert (told["schema"], told["market"], told["test_sessions"]) == ("trader.ablate/1", "simulated 10 x 620, seed 0", 188)
    base, row = told["rows"]
    assert (base["row"], row["row"]) == ("baseline", "dropout_0")
    assert [cell["horizon_sessions"] for cell in row["horizons"]] == list(HORIZONS_SESSIONS)
    for one, other in zip(base["horizons"], row["horizons"], strict=True):
        assert (one["rank_ic_difference"], one["brier_told_apart"]) == (0.0, False)
        assert other["rank_ic"] - one["rank_ic"] == pytest.approx(other["rank_ic_difference"], abs=1e-6)
        assert other["rank_ic_difference"] != 0.0
        assert 0.2 < other["brier"] < 0.35
    assert row["gap"] == pytest.approx(row["validation_loss"] - row["train_loss"], abs=2e-4)
    assert row["cpu_s"] > 0
    trials = lake.open(tmp_path / "simulated").sql("select model_id, count(*) n from training.trials group by model_id order by model_id")
    ids = trials["model_id"].to_pylist()
    assert [name.rsplit("-", 2)[1:] for name in ids] == [["baseline", "0"], ["dropout_0", "0"]]
    assert trials["n"].to_pylist() == [12, 12]  # three folds, four horizons


def said(score_TNH, tickers):
    return bench.Said(tickers, score_TNH, np.full(score_TNH.shape, 0.5), 1.0, 1.0, None)


def test_a_difference_counts_beyond_its_interval_and_with_one_sign_for_all_seeds(market):
    blocks = (Fold(number=0, test_first=417, test_end=620),)
    label_TNH = market.data.labels.score_NTH[:, 417:].swapaxes(0, 1)
    rng, names = np.random.default_rng(0), market.data.grid.tickers
    noise = [rng.standard_normal(label_TNH.shape) for _ in range(2)]
    better = [values + 0.5 * np.nan_to_num(label_TNH) for values in noise]
    base = [said(values, names) for values in noise]

    def cell(scores):
        return bench._cell(market, blocks, [said(values, names) for values in scores], base, 0)

    assert cell(better)["rank_ic_told_apart"]
    assert not cell(noise)["rank_ic_told_apart"]
    assert not cell([rng.standard_normal(label_TNH.shape) for _ in range(2)])["rank_ic_told_apart"]
    lucky = [noise[0] + 5 * np.nan_to_num(label_TNH), noise[1] - 0.3 * np.nan_to_num(label_TNH)]
    assert cell(lucky)["rank_ic_difference"] > cell(lucky)["rank_ic_half_width"]
    assert not cell(lucky)["rank_ic_told_apart"]


def test_half_the_tickers_are_judged_beside_the_baseline_on_the_same(market):
    blocks = (Fold(number=0, test_first=417, test_end=620),)
    half = ablations.half_universe(market.data, 417)
    assert half.grid.tickers == market.data.grid.tickers[::2]
    score = np.random.default_rng(0).standard_normal((203, 10, 4))
    cell = bench._cell(market, blocks, [said(score[:, ::2], half.grid.tickers)], [said(score, market.data.grid.tickers)], 1)
    assert cell["rank_ic_difference"] == 0.0


def test_half_the_history_loses_the_older_labels_before_the_test_and_nothing_else(market):
    half = ablations.half_history(market.data, 417).labels.score_NTH
    first = int(np.flatnonzero(np.isfinite(market.data.labels.score_NTH).any(axis=(0, 2)))[0])
    middle = (first + 417) // 2
    assert np.isnan(half[:, :middle]).all()
    assert np.array_equal(half[:, middle:], market.data.labels.score_NTH[:, middle:], equal_nan=True)


def test_the_chance_of_a_rise_is_read_off_the_quantiles():
    quantiles = np.array([[-2, -1, 0, 1, 2], [1, 2, 3, 4, 5], [-5, -4, -3, -2, -1], [-3, -1, 1, 2, 3], [math.nan] * 5], np.float32)
    assert bench.p_up(quantiles)[:4] == pytest.approx([0.5, 0.95, 0.05, 0.625])
    assert np.isnan(bench.p_up(quantiles)[4])


def test_what_is_no_ablation_and_a_recipe_without_a_network_are_refused(market):
    with pytest.raises(UsageError, match=r"no ablation emma; take of early_stopping_off, ema,"):
        ablations.chosen("ema,emma")
    with pytest.raises(UsageError, match="the recipe 'ridge' has no network"):
        bench.measure(market, replace(RECIPES["ridge"](), training_sessions=100), (), seeds=1, record=lambda _: None)


def test_a_variation_replaces_fields_of_the_networks_alone():
    changed = varied(RECIPES["three_members"](), "changed", size={"width": 32}, training={"ema_decay": 0.9})
    fits = {member.name: member.fit for member in changed.members}
    assert fits["panel_former"] == NetworkFit(kind="panel_former", size={"width": 32}, training={"ema_decay": 0.9})
    assert fits["ridge"] is RECIPES["ridge"]().members[0].fit
    again = varied(changed, "again", training={"ema_decay": 0.5, "schedule": "wsd"})
    assert again.members[-1].fit == NetworkFit(kind="panel_former", size={"width": 32}, training={"ema_decay": 0.5, "schedule": "wsd"})


def test_a_sample_brings_what_a_training_would_read_and_leaves_no_request(demo):
    home, now = demo.home / "deep", dt.datetime(2026, 1, 5, tzinfo=dt.UTC)
    before = sorted((home / "models").iterdir())
    settings = Settings(dataset="deep", home=demo.home)
    as_of = default_as_of(settings, now=now)
    found = of_lake(Lake(home / "lake", "deep"), recipe="panel_former_1m", as_of=as_of, now=now, checks=settings.checks)
    assert (len(found.data.grid.tickers), found.request.recipe, found.request.model_id) == (11, "panel_former_1m", "ablate-20260105000000")
    assert found.data.x_NTF.shape[2] == len(found.request.features) > 150
    assert found.data.grid.sessions[-1] == np.datetime64("2020-02-07")
    assert sorted((home / "models").iterdir()) == before
