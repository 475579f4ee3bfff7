"""The real webserver and daemon of a home, asked over GraphQL as the UI asks."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

from trader_pipeline_tests.conftest import COMPILED

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
EVENTS = "query Events($id: ID!) { logsForRun(runId: $id) { ... on EventConnection { events { ... on LogMessageEvent { message } } } } }"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """`trader dev` of a home under settings (DATASET, …), and the questions that the UI asks."""

    def __init__(self, home, **settings):
        port = free_port()
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("TRADER_", "DAGSTER_"))}
        environment |= {f"TRADER_{name}": value for name, value in settings.items()}
        environment |= {"TRADER_HOME": str(home), "NUMBA_CACHE_DIR": str(COMPILED)}
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
        with contextlib.suppress(ProcessLookupError):  # it ended by itself: its log says why
            os.killpg(self.process.pid, signal.SIGINT)
        try:
            self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.log.close()
