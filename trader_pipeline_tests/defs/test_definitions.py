"""What the Dagster location promises by name."""

import datetime as dt
import subprocess
import sys
from itertools import islice, pairwise
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
from dagster._utils.schedules import schedule_execution_time_iterator  # what the daemon asks

from trader_pipeline import calendar
from trader_pipeline.champion import PROMOTED, REFUSED, ROLLED_BACK
from trader_pipeline.checks import CHECKS
from trader_pipeline.definitions import build_defs
from trader_pipeline.defs.freshness import WINDOW
from trader_pipeline.defs.partitions import SESSIONS
from trader_pipeline.defs.resources import RunOptions, Trader, as_of, moment_of
from trader_pipeline.errors import UsageError
from trader_pipeline.settings import Settings
from trader_pipeline.sources import FEEDS

NEW_YORK = ZoneInfo("America/New_York")


@pytest.fixture(scope="module")
def defs(tmp_path_factory):
    return build_defs(Settings(home=tmp_path_factory.mktemp("home"), dataset="live"))


def test_loading_the_definitions_brings_no_torch():
    code = "import sys, trader_pipeline.definitions; print(sorted({'torch', 'transformers'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_the_chain_is_there_by_its_names(defs):
    keys = {key.to_user_string() for key in defs.resolve_all_asset_keys()}
    assert keys >= {
        "raw/sample_bars",
        "raw/yahoo_bars",
        "raw/own_bars",
        "raw/simulated_bars",
        "raw/fmp_bars",
        "raw/fmp_news",
        "raw/tiingo_bars",
        "raw/fred_vintages",
        "raw/sec_facts",
        "raw/cboe_indices",
        "raw/sp500_members",
        "core/daily_bars",
        "core/accepted_bars",
        "core/corporate_actions",
        "features/panel",
        "features/targets",
        "features/coverage",
        "training/runs",
        "predictions/out_of_fold",
        "training/calibration",
        "training/ensemble_weights",
        "training/diversity",
        "evaluation/promotions",
        "evaluation/drift",
        "evaluation/scorecard",
        "evaluation/segments",
        "evaluation/tasks",
        "evaluation/strategy",
        "predictions/daily",
        "decisions/daily",
        "reports/daily",
    }


def test_every_table_carries_schema_and_lineage_of_its_columns(defs):
    graph = defs.resolve_asset_graph()
    tables = {key.to_user_string(): graph.get(key).metadata for key in graph.get_all_asset_keys() if key.path[0] != "reports"}
    assert all(set(metadata) >= {"dagster/column_schema", "dagster/table_name"} for metadata in tables.values())
    assert {key for key, metadata in tables.items() if "dagster/column_lineage" not in metadata} == {
        key for key in tables if key[:4] == "raw/"
    }
    for key, metadata in tables.items():
        if lineage := metadata.get("dagster/column_lineage"):
            assert set(lineage.deps_by_column) == {column.name for column in metadata["dagster/column_schema"].columns}, key


def test_the_lineage_of_a_column_names_assets_and_their_columns(defs):
    bars = defs.resolve_asset_graph().get(dg.AssetKey(["core", "daily_bars"])).metadata
    deps = bars["dagster/column_lineage"].deps_by_column
    assert ("raw/yahoo_bars", "splits_after") in {(dep.asset_key.to_user_string(), dep.column_name) for dep in deps["open"]}
    assert deps["source"] == []
    said = next(column.description for column in bars["dagster/column_schema"].columns if column.name == "open")
    assert "[price_unit / share] From raw.sample_bars: open; raw.own_bars: open, splits_after;" in said


def test_jobs_schedule_sensors(defs):
    repository = defs.get_repository_def()
    assert {job.name for job in repository.get_all_jobs()} >= {"daily", "train", "refetch", "fetch", "backfill", "purge"}
    assert {s.name for s in repository.schedule_defs} == {"after_close", "weekly_training", "weekly_purge"}
    assert {s.name for s in repository.sensor_defs} == {"on_stale_data", "on_drift", "on_failure", "on_full_disk", "heartbeat"}


def test_every_rule_is_a_named_check(defs):
    found = defs.get_repository_def().asset_graph.asset_check_keys
    names = {key.name for key in found if key.asset_key.path[0] == "core"}
    assert names == {rule.name for rule in CHECKS}
    assert {key.name for key in found} - names == {"coverage", "contract", "truncation", "promotion_gate"}
    assert names >= {"missing_dates", "nan_ratio", "staleness", "ohlc_order", "duplicates"}


def test_a_rule_is_a_check_of_the_table_that_it_judges_and_only_of_that(defs):
    keys = {key for key in defs.get_repository_def().asset_graph.asset_check_keys if key.asset_key.path[0] == "core"}
    assert {(key.name, "/".join(key.asset_key.path)) for key in keys} == {(rule.name, "/".join(rule.table.path)) for rule in CHECKS}
    assert {key.asset_key.path[1] for key in keys} >= {
        "daily_bars",
        "ticker_map",
        "universe",
        "fundamentals",
        "macro",
        "news",
        "option_quotes",
    }


@pytest.mark.parametrize("job", ["refetch", "daily"])
def test_data_is_brought_up_to_date_with_every_check(defs, job):
    steps = set(defs.resolve_job_def(job).graph.node_names())
    assert steps >= {f"{rule.table.name}_checks" for rule in CHECKS}


def test_daily_decides_on_the_newest_model_before_it_predicts(defs):
    """A training killed between `evaluated` and `promoted` is made good."""
    layer = defs.resolve_job_def("daily").asset_layer
    decided, predicted = dg.AssetKey(["evaluation", "promotions"]), dg.AssetKey(["predictions", "daily"])
    assert {decided, predicted} <= set(layer.executable_asset_keys)
    assert decided in layer.asset_graph.get(predicted).parent_keys


@pytest.mark.parametrize("job", ["train", "daily"])
def test_no_step_is_called_as_a_decision_that_it_may_not_take(defs, job):
    """The terminal shows each step's name when it begins: "promoted" stood there of a model that was then refused."""
    steps = set(defs.resolve_job_def(job).graph.node_dict)
    assert "promotion" in steps
    assert not steps & {PROMOTED, REFUSED, ROLLED_BACK}


def test_every_vendor_has_a_pool_of_its_own(defs):
    pools = {asset.op.name: asset.op.pool for asset in defs.assets if asset.op.name.startswith("raw_")}
    assert len(pools) == len(FEEDS)
    assert pools == {f"raw_{feed.name}": None if feed.local else feed.source for feed in FEEDS}
    assert (pools["raw_yahoo_bars"], pools["raw_fmp_bars"], pools["raw_fmp_news"]) == ("yahoo", "fmp", "fmp")


@pytest.mark.parametrize("order", [("yahoo", "fmp", "tiingo"), ("tiingo", "yahoo")])
def test_a_stand_in_is_asked_after_the_source_it_stands_in_for(tmp_path, order):
    settings = Settings(home=tmp_path, dataset="live", sources={"bars": order, "news": ["fmp"]})
    defs = build_defs(settings)
    graph, fetched = defs.resolve_asset_graph(), defs.resolve_job_def("fetch").asset_layer.executable_asset_keys
    depends = {key.to_user_string(): {parent.to_user_string() for parent in graph.get(key).parent_keys} for key in fetched}
    assert {key for key in depends if key.endswith("_bars")} == {f"raw/{source}_bars" for source in order}
    for earlier, later in pairwise(order):
        assert depends[f"raw/{later}_bars"] == {f"raw/{earlier}_bars"}
    assert depends[f"raw/{order[0]}_bars"] == depends["raw/fmp_news"] == set()


def test_a_backfill_has_32_shards_of_live_data_only(defs, tmp_path):
    job = defs.resolve_job_def("backfill")
    assert job.partitions_def.get_partition_keys() == [f"{shard:02d}" for shard in range(1, 33)]
    assert {name: job.graph.node_dict[name].definition.pool for name in job.graph.node_names()} == {"backfill_yahoo_bars": "yahoo"}
    assert "backfill" not in {job.name for job in build_defs(Settings(home=tmp_path)).get_repository_def().get_all_jobs()}


def test_only_the_own_source_is_fetched(tmp_path):
    for dataset, table in (
        ("deep", "raw/sample_bars"),
        ("live", "raw/yahoo_bars"),
        ("simulated", "raw/simulated_bars"),
        ("own", "raw/own_bars"),
    ):
        job = build_defs(Settings(home=tmp_path, dataset=dataset)).resolve_job_def("refetch")
        fetched = {k.to_user_string() for k in job.asset_layer.executable_asset_keys if k.path[0] == "raw"}
        assert table in fetched
        assert job.tags["trader/dataset"] == dataset
        assert len({name.split("_")[0] for name in fetched}) == 1


def test_schedule_and_freshness_sensor_run_only_for_live_data(tmp_path):
    for dataset, running in (("live", True), ("deep", False)):
        repository = build_defs(Settings(home=tmp_path, dataset=dataset)).get_repository_def()
        assert (repository.get_schedule_def("after_close").default_status is dg.DefaultScheduleStatus.RUNNING) is running
        assert (repository.get_sensor_def("on_stale_data").default_status is dg.DefaultSensorStatus.RUNNING) is running


@pytest.mark.parametrize(
    ("day", "runs"),
    [
        ("2026-11-25", True),
        ("2026-11-26", False),  # Thanksgiving
        ("2026-11-27", True),  # a half day
        ("2026-12-25", False),
        ("2026-03-06", True),
        ("2026-03-09", True),  # the Monday after clocks went forward
        ("2026-11-02", True),  # the Monday after they went back
        ("2025-01-09", False),  # the mourning of Jimmy Carter
        ("2026-07-03", False),  # the holiday of a Saturday, observed
    ],
)
def test_the_schedule_knows_holidays(defs, day, runs):
    schedule = defs.get_repository_def().get_schedule_def("after_close")
    at = dt.datetime.fromisoformat(f"{day}T17:30").replace(tzinfo=NEW_YORK)
    with dg.DagsterInstance.ephemeral() as instance:
        tick = schedule.evaluate_tick(dg.build_schedule_context(instance, at, repository_def=defs.get_repository_def()))
    assert [(r.partition_key, r.run_key) for r in tick.run_requests or []] == ([(day, day)] if runs else [])
    assert bool(tick.skip_message) is not runs


@pytest.mark.parametrize(("week", "utc_hour"), [("2026-03-02", 22), ("2026-03-09", 21), ("2026-10-26", 21), ("2026-11-02", 22)])
def test_the_schedule_ticks_at_half_past_five_in_new_york_on_weekdays(defs, week, utc_hour):
    schedule = defs.get_repository_def().get_schedule_def("after_close")
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("30 17 * * 1-5", "America/New_York")
    monday = dt.datetime.fromisoformat(week).replace(tzinfo=NEW_YORK)
    every = schedule_execution_time_iterator(monday.timestamp(), schedule.cron_schedule, schedule.execution_timezone)
    ticks = list(islice(every, 6))
    assert [(tick.astimezone(NEW_YORK).weekday(), tick.hour, tick.minute) for tick in ticks[:5]] == [(day, 17, 30) for day in range(5)]
    assert [tick.astimezone(dt.UTC).hour for tick in ticks[:5]] == [utc_hour] * 5
    assert (ticks[5] - ticks[4]).days >= 2


def test_what_every_session_writes_has_a_freshness_policy(defs, tmp_path):
    graph = defs.resolve_asset_graph()
    kept = {key.to_user_string(): graph.get(key).freshness_policy for key in graph.get_all_asset_keys()}
    written = {"raw/yahoo_bars", "core/daily_bars", "core/accepted_bars", "features/panel", "predictions/daily", "decisions/daily"}
    assert written | {"reports/daily"} <= {key for key, policy in kept.items() if policy}
    assert not {"training/runs", "evaluation/scorecard", "raw/fmp_bars", "raw/sample_bars"} & {
        key for key, policy in kept.items() if policy
    }
    assert {policy.fail_window.to_timedelta() for policy in kept.values() if policy} == {WINDOW}
    historical = build_defs(Settings(home=tmp_path)).resolve_asset_graph()
    assert not any(historical.get(key).freshness_policy for key in historical.get_all_asset_keys())


def test_the_policy_outlasts_every_gap_between_two_sessions():
    known = calendar.known_at_array("XNYS", calendar.sessions("XNYS", dt.date(2013, 1, 1), dt.date(2026, 12, 31)))
    longest = (known[1:] - known[:-1]).max().item()
    assert dt.timedelta(days=4) <= longest <= WINDOW - dt.timedelta(hours=8)


def test_sessions_are_partitions_and_nothing_else_is():
    keys = set(SESSIONS.get_partition_keys(dt.datetime(2020, 2, 8, tzinfo=dt.UTC)))
    assert {"2009-02-09", "2020-02-07", "2019-11-29"} <= keys
    assert not keys & {
        "2019-11-28",
        "2020-02-01",
        "2012-10-29",
        "2018-12-05",
    }  # Thanksgiving, a Saturday, Sandy, the mourning of G. H. W. Bush


HALF_DAY_KNOWN = dt.datetime(2019, 11, 29, 18, 30, tzinfo=dt.UTC)


def test_moment_of_a_half_day_is_its_own_close_plus_30_minutes():
    assert moment_of("2019-11-29", now=HALF_DAY_KNOWN) == HALF_DAY_KNOWN
    with pytest.raises(UsageError, match="the one before it is 2019-11-27"):
        moment_of("2019-11-28", now=HALF_DAY_KNOWN)


@pytest.mark.parametrize("session", ["2019-11-29", "2019-12-02", "2019-12-01", "2190-01-01"])
def test_a_session_that_is_not_over_is_refused(session):
    with pytest.raises(UsageError, match=f"{session} is not over yet; the last closed session is 2019-11-27"):
        moment_of(session, now=HALF_DAY_KNOWN - dt.timedelta(seconds=1))


def run_context(partition):
    tags = {"dagster/partition": partition} if partition else {}
    record = SimpleNamespace(create_timestamp=dt.datetime(2020, 3, 2, tzinfo=dt.UTC))
    instance = SimpleNamespace(get_run_record_by_id=lambda _: record)
    return SimpleNamespace(run=SimpleNamespace(tags=tags, run_id="r"), instance=instance)


@pytest.mark.parametrize(
    ("option", "partition", "day"),
    [
        ("", "2019-11-29", "2019-11-29"),
        ("2019-11-29", "2019-11-29", "2019-11-29"),
        ("2019-11-29", None, "2019-11-29"),
        ("", None, "2020-02-28"),
    ],
)
def test_a_run_speaks_of_its_option_or_partition_or_the_newest_session(tmp_path, option, partition, day):
    trader = Trader(Settings(home=tmp_path, dataset="live"))
    assert as_of(run_context(partition), trader, RunOptions(as_of=option)).date().isoformat() == day


def test_a_run_that_names_two_sessions_is_refused(tmp_path):
    with pytest.raises(UsageError, match="as_of is 2019-11-27, the partition 2019-11-29"):
        as_of(run_context("2019-11-29"), Trader(Settings(home=tmp_path, dataset="live")), RunOptions(as_of="2019-11-27"))
