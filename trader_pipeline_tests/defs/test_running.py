"""A killed run is ended by the next one and gives its place in the pool back."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from trader_pipeline.defs.running import alive

HOLDER = """
import sys, time
from pathlib import Path
from trader_pipeline import durable
with durable.locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@dg.job
def nothing():
    pass


@pytest.fixture
def instance(tmp_path):
    packaged = Path(__file__).parents[2] / "dagster.yaml"
    (tmp_path / "dagster.yaml").write_bytes(packaged.read_bytes())
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        yield instance


def started(instance):
    run = instance.create_run_for_job(nothing, status=dg.DagsterRunStatus.STARTED)
    assert instance.event_log_storage.claim_concurrency_slot("gpu", run.run_id, "trained").is_claimed
    return run.run_id


@pytest.fixture
def held(instance, tmp_path):
    """A started run that holds the pool, and the process that lives for it."""
    instance.event_log_storage.initialize_concurrency_limit_to_default("gpu")
    run_id = started(instance)
    file = tmp_path / "running" / f"{run_id}.1"
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(file)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "held\n"
        yield run_id, process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_a_run_whose_process_was_killed_fails_and_frees_the_pool(instance, held):
    run_id, process = held
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    with alive(instance, "another"):
        assert instance.get_run_by_id(run_id).status is dg.DagsterRunStatus.FAILURE
        assert started(instance)


def test_a_run_that_lives_is_left_alone(instance, held):
    run_id, _ = held
    with alive(instance, "another"):
        assert instance.get_run_by_id(run_id).status is dg.DagsterRunStatus.STARTED
        assert not instance.event_log_storage.claim_concurrency_slot("gpu", "another", "trained").is_claimed


def test_a_run_that_ended_well_leaves_nothing(instance, tmp_path):
    with alive(instance, "one"):
        assert len(list((tmp_path / "running").glob("one.*"))) == 1
    assert [path.name for path in (tmp_path / "running").iterdir()] == [".lock"]
