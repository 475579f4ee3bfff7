"""A check that fails stops what follows and leaves the last good tables; a run that is forced goes on and says what it overrode."""

import datetime as dt
import json

import dagster as dg
import pytest

from trader_pipeline.definitions import build_defs
from trader_pipeline.defs import jobs
from trader_pipeline.lake import Lake
from trader_pipeline.settings import CheckSettings, Settings
from trader_pipeline_tests.conftest import trader

pytestmark = pytest.mark.slow
NO_AGE = CheckSettings(stale_warning=0, stale_error=0)
"""Every table is too old: the newest session is 0 sessions behind itself."""


def refetch(settings, instance, **options):
    config = {"resources": {"options": {"config": options}}}
    return build_defs(settings).resolve_job_def("refetch").execute_in_process(run_config=config, instance=instance, raise_on_error=False)


def test_a_blocking_check_leaves_the_last_good_tables(tmp_path):
    good = Settings(home=tmp_path / "home", dataset="deep", _env_file=None)
    bad = good.model_copy(update={"checks": NO_AGE})
    lake = Lake(good.dataset_home / "lake", "deep")
    with dg.DagsterInstance.ephemeral() as instance:
        assert refetch(good, instance).success
        before = lake.snapshot()
        blocked = refetch(bad, instance)
        assert not blocked.success
        failed = {e.check_name for e in blocked.get_asset_check_evaluations() if not e.passed and e.severity is dg.AssetCheckSeverity.ERROR}
        assert failed == {"staleness"}
        assert not {"accepted_bars", "features"} & {event.step_key for event in blocked.all_events if event.is_step_start}
        after = lake.snapshot()
        for table in ("core.daily_bars", "core.accepted_bars", "features.panel", "features.targets"):
            assert after.data_version([table]) == before.data_version([table])
            assert after.sql(f"select * from {table}").num_rows == before.rows(table) > 0  # noqa: S608 - our own names

        forced = refetch(bad, instance, force=True)
        assert forced.success
        assert instance.get_run_by_id(forced.run_id).tags["trader/forced"] == "core.daily_bars staleness"
        [made] = forced.asset_materializations_for_node("accepted_bars")
        assert made.metadata["forced"].value.startswith("core.daily_bars: staleness: core.daily_bars ends 2020-02-07")
        assert "trader/forced" not in instance.get_run_by_id(blocked.run_id).tags


def test_the_command_refuses_and_force_is_recorded(tmp_path):
    home = tmp_path / "home"
    facts = {
        "RECIPE": "ridge",
        "SIMULATED_TICKERS": "12",
        "SIMULATED_DAYS": "1100",
        "SEED": "1",
        "CHECKS__STALE_WARNING": "0",
        "CHECKS__STALE_ERROR": "0",
    }
    refused = trader("run", "--source", "simulated", home=home, **facts)
    assert refused.code == 3
    assert "core.daily_bars: staleness: " in refused.err
    assert "--force (in the Launchpad: force) goes on all the same" in refused.err
    accepted = trader("sql", "select count(*) n from core.accepted_bars", "--json", home=home, DATASET="simulated")
    assert accepted.json() == [{"n": 0}]

    forced = trader("run", "--source", "simulated", "--force", "--json", home=home, **facts)
    assert forced.code == 0, forced.err
    assert forced.json()["predictions"] == 12 * 4
    [request] = (home / "simulated" / "models").glob("*/request.json")
    session = forced.json()["session"]
    old = f"staleness: ends {session}, 0 sessions before {session}"
    said = json.loads(request.read_text())["forced"]
    assert [text.split(":")[0] for text in said] == ["core.daily_bars", "core.accepted_bars", "features.panel"]
    assert all(old in text for text in said[1:])
    with dg.DagsterInstance.from_config(str(home / "dagster")) as instance:
        tags = {run.job_name: run.tags.get("trader/forced") for run in instance.get_runs()}
    checks = "core.daily_bars staleness"
    assert tags["train"] == f"{checks}, core.accepted_bars staleness, features.panel staleness"
    assert tags["daily"] == checks


@dg.job
def nothing():
    pass


def test_a_forced_run_is_never_forgotten(monkeypatch):
    monkeypatch.setattr(jobs, "KEEP_RUNS", dt.timedelta(days=-1))
    with dg.DagsterInstance.ephemeral() as instance:
        kept = instance.create_run_for_job(nothing, status=dg.DagsterRunStatus.SUCCESS, tags={"trader/forced": "core.macro staleness"})
        instance.create_run_for_job(nothing, status=dg.DagsterRunStatus.SUCCESS)
        assert jobs.delete_old_runs(dg.build_op_context(instance=instance)) == 1
        assert [run.run_id for run in instance.get_runs()] == [kept.run_id]
