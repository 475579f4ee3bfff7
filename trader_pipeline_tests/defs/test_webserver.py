"""The real webserver and daemon materialize the jobs, asked over GraphQL as the UI asks."""

import contextlib
import shutil
import time
from pathlib import Path

import pytest

from trader_pipeline import lake
from trader_pipeline_tests.defs.dagster_server import Server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(280)]

CHECKS = """
query { assetNodes(assetKeys: [{path: ["core", "daily_bars"]}]) {
  assetChecksOrError { ... on AssetChecks { checks { name executionForLatestMaterialization { status } } } } } }
"""
CANCEL = "mutation Cancel($id: String!) { terminateRun(runId: $id) { __typename } }"


@pytest.fixture
def server(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    server = Server(home, DATASET="deep")
    try:
        server.wait_until_up()
        yield server
    finally:
        server.close()
        shutil.rmtree(home, ignore_errors=True)


def trained_with(recipe, seed):
    return {"ops": {"trained": {"config": {"recipe": recipe, "seed": seed}}}}


def trainers(home):
    """The training processes of a home."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (folder / "cmdline").read_bytes().decode().split("\0")
            if "trader_pipeline.defs.training_child" in words and any(word.startswith(str(home)) for word in words):
                found.append(int(folder.name))
    return found


def test_the_jobs_go_from_raw_to_report_with_live_epochs(server, tmp_path):
    _, refetched = server.run("refetch")
    assert refetched["status"] == "SUCCESS", refetched
    found = server.ask(CHECKS)["assetNodes"][0]["assetChecksOrError"]["checks"]
    assert {c["name"] for c in found} >= {"missing_dates", "nan_ratio", "staleness", "ohlc_order", "duplicates"}
    failed = [c["name"] for c in found if c["executionForLatestMaterialization"]["status"] != "SUCCEEDED"]
    assert failed == ["volume_unit"]  # one real fault of the sample, a warning

    cancelled = server.launch("train", **trained_with("three_members", 1))
    for _ in range(200):
        if any("fold 0 start" in text for text in server.said(cancelled)):
            break
        time.sleep(0.5)
    assert len(trainers(tmp_path / "home")) == 1
    assert server.ask(CANCEL, id=cancelled)["terminateRun"]["__typename"] == "TerminateRunSuccess"
    assert server.wait(cancelled, 20)["status"] == "CANCELED"
    assert trainers(tmp_path / "home") == []

    run_id, trained = server.run("train", **trained_with("ridge", 7))  # the pool is free again
    assert trained["status"] == "SUCCESS", trained
    assert any(text.startswith("ridge fold 2 end") for text in server.said(run_id))
    asked = lake.open(tmp_path / "home" / "deep").sql("select recipe, seed from training.runs").to_pylist()
    assert asked == [{"recipe": "ridge", "seed": 7}]

    _, made = server.run("daily", partition="2020-02-07")
    assert made["status"] == "SUCCESS", made
    assert (tmp_path / "home/deep/reports/report_2020-02-07.html").exists()
    assert (tmp_path / "home/deep/exports/predictions_2020-02-07.parquet").exists()
