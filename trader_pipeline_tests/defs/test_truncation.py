"""The check `truncation` of the panel stops what reads it, unless the run is forced."""

import dagster as dg
import pytest

from trader_pipeline.bench.simulated import simulated_lake
from trader_pipeline.defs.resources import RunOptions, Trader
from trader_pipeline.defs.truncation import check_truncation
from trader_pipeline.flows import truncation as flow
from trader_pipeline.settings import Settings
from trader_pipeline_tests.features.leaking import TOMORROW

SIZE = {"tickers": 20, "sessions": 420}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    simulated_lake(home, **SIZE, seed=1)
    return home


def checked(home, *, force=False):
    """Run the panel, its check and what reads it; return the check's evaluation and which assets ran."""
    ran = []

    @dg.asset(key=["features", "panel"])
    def panel():
        ran.append("panel")

    @dg.asset(key=["predictions", "daily"], deps=[dg.AssetKey(["features", "panel"])])
    def predictions():
        ran.append("predictions")

    trader = Trader(Settings(home=home, dataset="simulated", simulated_tickers=SIZE["tickers"], simulated_days=SIZE["sessions"], seed=1))
    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize(
            [panel, predictions, check_truncation],
            resources={"trader": trader, "options": RunOptions(force=force)},
            raise_on_error=False,
            instance=instance,
        )
    return result.get_asset_check_evaluations()[0], ran


def test_the_check_lets_sound_features_through(home):
    evaluation, ran = checked(home)
    assert evaluation.passed
    assert evaluation.metadata["compared_values"].value > 0
    assert ran == ["panel", "predictions"]


def test_the_check_stops_what_reads_a_leaking_panel(home, monkeypatch):
    monkeypatch.setattr(flow, "FEATURES", (TOMORROW,))
    evaluation, ran = checked(home)
    assert not evaluation.passed
    assert evaluation.metadata["violating"].value == ["tomorrow"]
    assert ran == ["panel"]
    assert checked(home, force=True)[1] == ["panel", "predictions"]
