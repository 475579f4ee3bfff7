"""A broken contract stops what follows, says why, and leaves what was published as it is."""

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from trader_pipeline.definitions import build_defs
from trader_pipeline.defs.contracts import contract_check
from trader_pipeline.defs.resources import Trader
from trader_pipeline.errors import BlockedByDataError
from trader_pipeline.inference.export import write_export
from trader_pipeline.lake import Change
from trader_pipeline.schema import TABLES
from trader_pipeline.schema.contracts import PREDICTIONS
from trader_pipeline.schema.outputs import DAILY
from trader_pipeline.settings import Settings
from trader_pipeline_tests import published

KEYS = [["predictions", "daily"], ["decisions", "daily"]]


@pytest.fixture
def settings(tmp_path):
    return Settings(home=tmp_path, dataset="deep")


@pytest.fixture
def lake(settings):
    lake = published.publish(settings)
    exported(settings, lake)
    return lake


def exported(settings, lake):
    rows = lake.snapshot().read(DAILY)
    newest = rows.filter(pc.equal(rows["session"], published.SESSION))
    write_export(settings.dataset_home / "exports", newest, as_of=published.KNOWN)


def materialized(settings):
    """Run predictions, their check and decisions; return the result and which assets ran."""
    ran = []

    @dg.asset(key=KEYS[0])
    def predictions():
        ran.append("predictions")

    @dg.asset(key=KEYS[1], deps=[dg.AssetKey(KEYS[0])])
    def decisions():
        ran.append("decisions")

    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize(
            [predictions, decisions, contract_check(PREDICTIONS)],
            resources={"trader": Trader(settings)},
            raise_on_error=False,
            instance=instance,
        )
    return result, ran


@pytest.mark.usefixtures("lake")
def test_decisions_follow_where_the_contract_holds(settings):
    result, ran = materialized(settings)
    (found,) = result.get_asset_check_evaluations()
    assert (result.success, ran, found.passed, found.blocking) == (True, ["predictions", "decisions"], True, True)
    assert found.metadata["session"].value == published.SESSION.isoformat()


def test_a_broken_contract_stops_the_decisions(lake, settings):
    rows = lake.snapshot().read(DAILY)
    first = rows.filter(pc.equal(rows["session"], published.SESSION)).slice(0, 1).to_pylist()[0] | {"p_up": 1.5}
    lake.publish(Change.replace(DAILY, pa.Table.from_pylist([first], schema=DAILY.arrow_schema)))
    head = lake.snapshot().commit.id
    exported(settings, lake)
    result, ran = materialized(settings)
    (found,) = result.get_asset_check_evaluations()
    assert (result.success, ran, found.passed) == (False, ["predictions"], False)
    said = found.metadata["broken"].value
    assert "p_up over 1 in 1 row, first AAPL" in said
    assert "horizon_sessions not all of 1/5/20/60 in 1 row, first AAPL" in said
    failure = next(e for e in result.all_events if e.is_step_failure).step_failure_data.error.cause
    assert failure.cls_name == BlockedByDataError.__name__
    assert "predictions.daily/1 is broken: p_up over 1 in 1 row, first AAPL" in failure.message
    assert lake.snapshot().commit.id == head


def test_both_tables_have_the_check_and_daily_runs_it(tmp_path):
    defs = build_defs(Settings(home=tmp_path, dataset="live"))
    checked = {tuple(key.asset_key.path) for key in defs.get_repository_def().asset_graph.asset_check_keys if key.name == "contract"}
    assert checked == {tuple(key) for key in KEYS}
    assert {"predictions_daily_contract", "decisions_daily_contract"} <= set(defs.resolve_job_def("daily").graph.node_names())


def test_an_assets_code_version_is_its_tables_schema_version(tmp_path):
    graph = build_defs(Settings(home=tmp_path, dataset="live")).get_repository_def().asset_graph
    known = {table.full_name: str(table.version) for table in TABLES}
    found = {".".join(key.path): graph.get(key).code_version for key in graph.get_all_asset_keys() if ".".join(key.path) in known}
    assert found == {name: known[name] for name in found}
    assert len(found) > 30
    assert {found["core.macro"], found["core.daily_bars"]} == {"2", "1"}
