"""The real webserver and daemon materialize the jobs, asked over GraphQL as the UI asks."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from trader_pipeline import lake
from trader_pipeline_tests.conftest import COMPILED

pytestmark = [pytest.mark.slow, pytest.mark.timeout(280)]

LAUNCH = """
mutation Launch($job: String!, $config: RunConfigData, $tags: [ExecutionTag!]) {
  launchRun(executionParams: {
    selector: {repositoryLocationName: "trader_pipeline.definitions", repositoryName: "__repository__", jobName: $job},
    runConfigData: $config, executionMetadata: {tags: $tags}
  }) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
    ... on RunConfigValidationInvalid { errors { message } }
  }
}
"""
RUN = """
query Run($id: ID!) { runOrError(runId: $id) {
  ... on Run { status stats { ... on RunStatsSnapshot { stepsFailed materializations } } }
} }
"""
CHECKS = """
query { assetNodes(assetKeys: [{path: ["core", "daily_bars"]}]) {
  assetChecksOrError { ... on AssetChecks { checks { name executionForLatestMaterialization { status } } } } } }
"""
CANCEL = "mutation Cancel($id: String!) { terminateRun(runId: $id) { __typename } }"
EVENTS = "query Events($id: ID!) { logsForRun(runId: $id) { ... on EventConnection { events { ... on LogMessageEvent { message } } } } }"


class Server:
    def __init__(self, home, port):
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("TRADER_", "DAGSTER_"))}
        environment |= {"TRADER_HOME": str(home), "TRADER_DATASET": "deep", "NUMBA_CACHE_DIR": str(COMPILED)}
        self.url = f"http://127.0.0.1:{port}/graphql"
        self.log = (home.parent / "dagster-dev.log").open("wb")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "trader_pipeline", "dev", "--port", str(port)],
            env=environment,
            cwd=home.parent,
            stdout=self.log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def ask(self, query, **variables):
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(self.url, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)["data"]

    def wait_until_up(self):
        for _ in range(240):
            try:
                return self.ask("{ version }")
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                assert self.process.poll() is None, "dagster dev ended"
                time.sleep(0.5)
        pytest.fail("dagster dev did not answer in 120 s")

    def launch(self, job, partition=None, **config):
        tags = [{"key": "dagster/partition", "value": partition}] if partition else []
        launched = self.ask(LAUNCH, job=job, config=config, tags=tags)["launchRun"]
        assert launched["__typename"] == "LaunchRunSuccess", launched
        return launched["run"]["runId"]

    def wait(self, run_id, seconds):
        for _ in range(2 * seconds):
            run = self.ask(RUN, id=run_id)["runOrError"]
            if run["status"] in ("SUCCESS", "FAILURE", "CANCELED"):
                return run
            time.sleep(0.5)
        pytest.fail(f"{run_id} did not end in {seconds} s")

    def run(self, job, partition=None, **config):
        run_id = self.launch(job, partition, **config)
        return run_id, self.wait(run_id, 200)

    def said(self, run_id):
        return [e.get("message", "") for e in self.ask(EVENTS, id=run_id)["logsForRun"]["events"]]

    def close(self):
        os.killpg(self.process.pid, signal.SIGINT)
        try:
            self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.log.close()


@pytest.fixture
def server(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = Server(home, port)
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
    assert all(c["executionForLatestMaterialization"]["status"] == "SUCCEEDED" for c in found)

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
