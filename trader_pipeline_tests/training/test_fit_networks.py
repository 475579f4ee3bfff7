"""Every kind of network through the one trainer: it learns a plant, finds nothing in noise, keeps time, and loads again."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from trader_pipeline.models import MODELS
from trader_pipeline.models.examples import Labels
from trader_pipeline.models.network import Inputs, parameters_of
from trader_pipeline.models.network_member import NETWORKS, same_sector
from trader_pipeline.models.panel_former import PanelFormer, PanelFormerConfig
from trader_pipeline.training.fit_network import fit_network
from trader_pipeline.training.optimisation import Optimisation, optimisation_of
from trader_pipeline.training.recipes import LADDER, RECIPES, FitContext
from trader_pipeline_tests.training.planted import SECTORS, SIGNAL, examples, planted

SMALL = {
    "panel_former": {"width": 32, "heads": 2, "key_value_heads": 1, "blocks": 2, "distribution": "student_t"},
    "gru": {"width": 32},
    "patch_tst": {"width": 32, "heads": 2, "blocks": 1},
    "i_transformer": {"width": 32, "heads": 2, "blocks": 1},
}
SETTINGS = Optimisation(epochs=4, learning_rate=3e-3, rows_per_step=200)


def config(kind, **more):
    return NETWORKS[kind][0](**SMALL[kind], dropout=0.0, window_sessions=16, **more)


def fitted(kind, folder, data):
    context = FitContext(seed=0, fold=1, report=lambda _: None, scratch=folder)
    return fit_network(examples(data, 450), context, config(kind), SETTINGS)


def test_every_kind_is_tried():
    assert set(SMALL) == set(NETWORKS) <= set(MODELS)


@pytest.mark.parametrize("kind", SMALL)
def test_it_learns_a_plant_and_loads_again(kind, tmp_path):
    member = fitted(kind, tmp_path, planted(sessions=600))
    fresh = planted(sessions=600, seed=9)
    forecast = member.predict(fresh.x_NTF, fresh.grid, SECTORS)
    known = np.isfinite(fresh.x_NTF[:, :, 0])
    assert np.corrcoef(forecast.score_TNH[:, :, 0].T[known], fresh.x_NTF[:, :, 0][known])[0, 1] > 0.7
    assert np.corrcoef(forecast.scaled_mean_TNH[:, :, 1].T[known], fresh.x_NTF[:, :, 0][known])[0, 1] > 0.5
    loaded = MODELS[kind](member.files())
    assert loaded.name == kind
    again = loaded.predict(fresh.x_NTF, fresh.grid, SECTORS)
    assert np.array_equal(again.scaled_quantiles_TNHQ, forecast.scaled_quantiles_TNHQ, equal_nan=True)


@pytest.mark.parametrize("kind", SMALL)
def test_it_finds_nothing_in_noise(kind, tmp_path):
    data = planted(sessions=600)
    plant = SIGNAL * np.nan_to_num(data.x_NTF[:, :, :1])
    data = replace(data, labels=Labels(data.labels.score_NTH - plant, data.labels.scaled_NTH - plant))
    member = fitted(kind, tmp_path, data)
    fresh = planted(sessions=600, seed=9)
    score = member.predict(fresh.x_NTF, fresh.grid, SECTORS).score_TNH[:, :, 0].T
    label = fresh.labels.score_NTH[:, :, 0] - SIGNAL * fresh.x_NTF[:, :, 0]
    known = np.isfinite(score) & np.isfinite(label)
    assert abs(np.corrcoef(score[known], label[known])[0, 1]) < 4 / np.sqrt(known.sum())
    assert score[known].std() < 0.2  # beside labels of 1


@pytest.mark.parametrize("kind", SMALL)
def test_what_comes_after_t_changes_nothing_up_to_t(kind):
    torch.manual_seed(0)
    network = NETWORKS[kind][1](config(kind, columns=3, market_columns=1)).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape))
        given = Inputs(
            torch.randn(2, 4, 16, 3), torch.ones(2, 4, 16, dtype=torch.bool), torch.randn(2, 16, 1), same_sector(("A", "B", "C", "D"), {})
        )
        before = network(given)
        given.x_BNLP[:, :, 9:] = 100.0
        given.market_BLM[:, 9:] = -50.0
        given.present_BNL[:, 2, 9:] = False
        after = network(given)
    for one, other in ((before.score_BNLH, after.score_BNLH), (before.distribution_BNLHK, after.distribution_BNLHK)):
        assert torch.equal(one[:, :, :9], other[:, :, :9])
        assert not torch.allclose(one[:, :, 9:], other[:, :, 9:])
    assert torch.equal(before.market_BLHK[:, :9], after.market_BLHK[:, :9])


@pytest.mark.parametrize(
    ("recipe", "millions"), [("panel_former_1m", 1), ("panel_former_25m", 25), ("panel_former_100m", 100), ("panel_former_500m", 500)]
)
@pytest.mark.parametrize("columns", [260, 500])
def test_a_recipe_has_the_weights_that_its_name_says(recipe, millions, columns):
    families = tuple(tuple(range(7 * k, 7 * k + 7)) for k in range(7))
    with torch.device("meta"):
        network = PanelFormer(PanelFormerConfig(columns=columns, market_columns=25, families=families, **LADDER[recipe]))
    assert parameters_of(network) == pytest.approx(millions * 1e6, rel=0.1)
    assert recipe in RECIPES


@pytest.mark.parametrize("recipe", sorted(LADDER))
def test_a_rung_says_how_it_is_trained(recipe):
    (member,) = RECIPES[recipe]().members
    settings = optimisation_of(member.fit.training)
    assert settings.compute.shard is (recipe == "panel_former_500m")
    assert settings.rows_per_step == (1536 if recipe == "panel_former_1m" else 65_536)


def test_a_large_batch_leaves_a_short_history_its_steps():
    settings = Optimisation(rows_per_step=65_536, steps_an_epoch=4)
    assert settings.windows_a_step(62, rows=11 * 32) == 15
    assert settings.windows_a_step(62, rows=500 * 64) == 2
    assert settings.windows_a_step(3, rows=11 * 32) == 1
    assert settings.windows_a_step(62, rows=100_000) == 1
