import datetime as dt

import pytest
from typer.testing import CliRunner

from trader_pipeline.cli import app
from trader_pipeline.features import FEATURES
from trader_pipeline.flows.build_features import build_features
from trader_pipeline.flows.feature_list import feature_list
from trader_pipeline.lake import Lake
from trader_pipeline_tests.features import markets

AS_OF = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    lake = Lake(tmp_path_factory.mktemp("list") / "lake", "own")
    tables, _ = markets.random_core(200)
    markets.publish(lake, tables)
    build_features(lake, as_of=AS_OF, run_id="r")
    return lake


def test_every_feature_is_listed_with_its_coverage(lake):
    rows = feature_list(lake.snapshot())
    assert [row["feature"] for row in rows] == [feature.name for feature in FEATURES]
    by_name = {row["feature"]: row for row in rows}
    held = (
        lake.snapshot()
        .sql("select count(return_1d) / count(*) as share from features.panel where session = (select max(session) from features.panel)")[
            "share"
        ][0]
        .as_py()
    )
    assert by_name["return_1d"]["newest"] == round(held, 4) > 0
    assert by_name["momentum_12_1"]["newest"] == by_name["momentum_12_1"]["year"] == 0
    assert by_name["return_1d"]["look_back"] == 1
    assert by_name["return_63d"]["newest"] > by_name["return_63d"]["year"] > 0


def test_one_family_is_listed_alone(lake):
    rows = feature_list(lake.snapshot(), family="volatility")
    assert [row["feature"] for row in rows] == [feature.name for feature in FEATURES if feature.family == "volatility"]


def test_without_a_panel_nothing_is_covered(tmp_path):
    assert {row["newest"] for row in feature_list(Lake(tmp_path / "lake", "own").snapshot())} == {None}


def test_an_unknown_family_is_refused_with_the_names():
    assert "choose one of momentum, volatility" in str(CliRunner().invoke(app, ["features", "--family", "moments"]).exception)
