"""A failed run and a full disk are told; the heartbeat says that the daemon lives."""

import datetime as dt
from pathlib import Path

import dagster as dg
import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from trader_pipeline import heartbeats
from trader_pipeline.defs.resources import Trader
from trader_pipeline.defs.sensors import on_failure, on_full_disk
from trader_pipeline.defs.ticks import heartbeat
from trader_pipeline.errors import DiskFullError
from trader_pipeline.operations import alerts, disk
from trader_pipeline.settings import Settings

NOW = dt.datetime(2026, 11, 27, 22, tzinfo=dt.UTC)


def clock():
    return NOW


@dg.op
def writes():
    try:
        Path("/nowhere/lake").read_bytes()
    except OSError as error:
        raise DiskFullError("lake: no space left; free disk space") from error


@dg.op
def has_a_bug():
    raise ZeroDivisionError("division by zero")


@dg.job
def full():
    writes()


@dg.job
def buggy():
    has_a_bug()


@pytest.fixture
def trader(tmp_path):
    return Trader(Settings(home=tmp_path / "home", dataset="live", webhook_url=None, _env_file=None))


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def told(trader, instance, job):
    """What is logged when a run of the job fails."""
    result = job.execute_in_process(instance=instance, raise_on_error=False)
    event = result.get_run_failure_event()
    context = dg.build_run_status_sensor_context("on_failure", event, instance, result.dagster_run).for_run_failure()
    with capture_logs() as logs:
        on_failure(trader, clock=clock)(context)
    return result.run_id, logs


def test_a_failed_run_is_told_with_its_code(trader, instance):
    run_id, [log] = told(trader, instance, full)
    assert (log["event"], log["subject"], log["mend"]) == ("run_failed", "full at writes", "docs/runbook.md, E220")
    assert log["summary"].endswith("DiskFullError: lake: no space left; free disk space")
    assert log["facts"] == {"job": "full", "run": run_id, "steps": "writes", "code": "E220"}
    _, [log] = told(trader, instance, full)
    assert log["event"] == "alert_repeated"


def test_a_bug_is_told_too(trader, instance):
    _, [log] = told(trader, instance, buggy)
    assert (log["subject"], log["mend"]) == ("buggy at has_a_bug", "`trader doctor`, and the run in the Dagster UI")
    assert "division by zero" in log["summary"]


def test_the_heartbeat_leaves_when_it_was_alive(trader, instance):
    tick = heartbeat(trader, clock=clock).evaluate_tick(dg.build_sensor_context(instance))
    assert "alive" in tick.skip_message
    assert heartbeats.read(trader.settings.heartbeats) == [heartbeats.Beat(sensor="heartbeat", at=NOW, said="alive")]


def test_a_home_that_cannot_be_written_stops_no_sensor(trader, instance):
    trader.settings.home.write_bytes(b"a file")
    assert heartbeat(trader, clock=clock).evaluate_tick(dg.build_sensor_context(instance)).skip_message


def test_a_full_disk_is_told_once_a_day(trader, instance, monkeypatch):
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda _: type("Usage", (), {"total": 100, "free": 10}))
    sensor = on_full_disk(trader, clock=clock)
    with capture_logs() as logs:
        first = sensor.evaluate_tick(dg.build_sensor_context(instance))
        second = sensor.evaluate_tick(dg.build_sensor_context(instance, cursor=first.cursor))
    assert [log["event"] for log in logs] == ["disk_full"]
    assert (first.cursor, second.skip_message) == ("2026-11-27", "told today")


def test_a_full_disk_that_no_sink_could_tell_of_is_told_again(trader, instance, monkeypatch):
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda _: type("Usage", (), {"total": 100, "free": 10}))
    outcomes = ["HTTP 500", None]
    monkeypatch.setitem(alerts._SINKS, "webhook", lambda *_: outcomes.pop(0))
    reached = Trader(trader.settings.model_copy(update={"webhook_url": SecretStr("http://127.0.0.1:9/hook")}))
    sensor = on_full_disk(reached, clock=clock)
    ticks = [sensor.evaluate_tick(dg.build_sensor_context(instance, cursor=cursor)) for cursor in (None, "")]
    assert [(tick.cursor, tick.skip_message) for tick in ticks] == [(None, "nobody could be told"), ("2026-11-27", "told today")]
