"""Stale data mends itself in the real daemon: the sensor ticks, a refetch asks the stand-in again, the data is fresh."""

import datetime as dt
import shutil
import time

import pytest

from trader_pipeline import calendar, heartbeats
from trader_pipeline.flows import universe
from trader_pipeline.flows.accept import accept
from trader_pipeline.flows.check import check
from trader_pipeline.flows.freshness import staleness
from trader_pipeline.flows.ingest import ingest
from trader_pipeline.flows.standardize import standardize
from trader_pipeline.lake import Lake
from trader_pipeline.settings import FmpSettings, SourceSettings
from trader_pipeline.sources import bars_order, feeds_of
from trader_pipeline_tests.defs.dagster_server import Server
from trader_pipeline_tests.fake_fmp import BARS, KEY, STABLE, FakeFmp
from trader_pipeline_tests.fake_world import World
from trader_pipeline_tests.fake_yahoo import FakeYahoo
from trader_pipeline_tests.fast import FAST
from trader_pipeline_tests.sources.asking_yahoo import settings_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(200)]
TICKERS = ("AAA", "BBB", "SPY")
NOW = dt.datetime.now(dt.UTC)
LAST = calendar.last_closed_session("XNYS", NOW)
OLD, FIRST = calendar.offset("XNYS", LAST, -3), calendar.offset("XNYS", LAST, -300)
RUNS = """
query { runsOrError(limit: 10) { ... on Runs { results { runId status jobName tags { key value } } } } }
"""
STALENESS = """
query { assetNodes(assetKeys: [{path: ["core", "daily_bars"]}]) {
  assetChecksOrError { ... on AssetChecks { checks { name executionForLatestMaterialization { status runId } } } }
} }
"""
FRESHNESS = """
query { assetNodes(assetKeys: [{path: ["core", "daily_bars"]}, {path: ["training", "runs"]}]) {
  freshnessStatusInfo { freshnessStatus }
} }
"""


@pytest.fixture
def vendors():
    with FakeYahoo(World(first=FIRST, today=OLD)) as yahoo, FakeFmp(World(first=FIRST, today=OLD)) as fmp:
        yield yahoo, fmp


@pytest.fixture
def settings(tmp_path, vendors):
    """A live home whose bars end three sessions ago, although Yahoo and FMP both answered since the last close."""
    yahoo, fmp = vendors
    asking = FmpSettings(base_url=fmp.url + STABLE, api_key=KEY, attempts=2, **FAST)
    chosen = {"dataset": "live", "live_first_session": str(FIRST), "fmp": asking, "sources": SourceSettings(bars=("yahoo", "fmp"))}
    settings = settings_for(tmp_path / "home", yahoo.url).model_copy(update=chosen)
    universe.add(settings.universe_file, "default", list(TICKERS), added=FIRST)
    lake, feeds = Lake(settings.dataset_home / "lake", "live"), feeds_of(settings)
    for feed in feeds:
        ingest(lake, feed, settings, as_of=NOW, fetched_at=NOW, run_id="before")
    standardize(lake, feeds, as_of=NOW, run_id="before", symbols_file=settings.symbols_file)
    check(lake, as_of=NOW, settings=settings.checks, run_id="before", order=bars_order(settings))
    accept(lake, as_of=NOW, run_id="before", order=bars_order(settings))
    assert staleness(lake, as_of=NOW) == {"core.daily_bars": 3, "core.accepted_bars": 3}
    return settings


@pytest.fixture
def server(settings, vendors, monkeypatch):
    monkeypatch.setenv("FRESHNESS_DAEMON_INTERVAL_SECONDS", "2")
    yahoo, fmp = vendors
    fast = {f"{vendor}__{name.upper()}": str(value) for vendor in ("YAHOO", "FMP") for name, value in FAST.items()}
    server = Server(
        settings.home,
        DATASET="live",
        LIVE_FIRST_SESSION=str(FIRST),
        SOURCES__BARS='["yahoo", "fmp"]',
        YAHOO__BASE_URL=yahoo.url,
        FMP__BASE_URL=fmp.url + STABLE,
        FMP__API_KEY=KEY,
        **fast,
    )
    try:
        yield server
    finally:
        server.close()
        shutil.rmtree(settings.home, ignore_errors=True)


def refetched(server):
    """The run that the sensor started, when it has ended."""
    for _ in range(240):
        runs = [run for run in server.ask(RUNS)["runsOrError"]["results"] if run["jobName"] == "refetch"]
        if runs and runs[-1]["status"] in ("SUCCESS", "FAILURE"):
            return runs[-1] | {"tags": {tag["key"]: tag["value"] for tag in runs[-1]["tags"]}}
        time.sleep(0.5)
    pytest.fail("no refetch ended in 120 s")


def test_stale_data_is_fetched_from_the_stand_in_and_is_fresh(server, settings, vendors):
    yahoo, fmp = vendors
    asked = [sum(yahoo.requests(ticker) for ticker in TICKERS), fmp.hits[BARS]]
    fmp.world.today = LAST
    server.wait_until_up()
    run = refetched(server)
    assert run["status"] == "SUCCESS", server.said(run["runId"])
    assert run["tags"]["dagster/sensor_name"] == "on_stale_data"
    assert {name: run["tags"][f"trader/{name}"] for name in ("source", "session")} == {"source": "fallback", "session": str(LAST)}
    assert [sum(yahoo.requests(ticker) for ticker in TICKERS), fmp.hits[BARS]] == [asked[0], asked[1] + len(TICKERS)]

    lake = Lake(settings.dataset_home / "lake", "live")
    assert staleness(lake, as_of=NOW) == {"core.daily_bars": 0, "core.accepted_bars": 0}
    sources = lake.snapshot().sql("select distinct source from core.accepted_bars where session > ? order by 1", [OLD])
    assert sources["source"].to_pylist() == ["fmp"]
    checks = server.ask(STALENESS)["assetNodes"][0]["assetChecksOrError"]["checks"]
    found = {c["name"]: c["executionForLatestMaterialization"] for c in checks}
    assert found["staleness"] == {"status": "SUCCEEDED", "runId": run["runId"]}

    beats = {beat.sensor: beat for beat in heartbeats.read(settings.heartbeats)}
    assert beats["on_stale_data"].said == "refetch started"
    assert beats["heartbeat"].at > NOW

    for _ in range(60):  # the daemon that judges freshness policies looks every two seconds
        shown = [node["freshnessStatusInfo"] for node in server.ask(FRESHNESS)["assetNodes"]]
        if shown[0]["freshnessStatus"] == "HEALTHY":
            break
        time.sleep(0.5)
    assert shown == [{"freshnessStatus": "HEALTHY"}, None]  # a model has no date by which it must be made
