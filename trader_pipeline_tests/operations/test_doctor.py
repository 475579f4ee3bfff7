"""The doctor states facts and mends, and shows no secret."""

import dataclasses
import datetime as dt
import json

import pyarrow as pa
import pytest

from trader_pipeline import heartbeats
from trader_pipeline.lake import Change, Lake
from trader_pipeline.operations import disk, doctor
from trader_pipeline.operations.doctor import examine
from trader_pipeline.schema import core
from trader_pipeline.schema.training import RUNS
from trader_pipeline.settings import Settings

NOW = dt.datetime(2020, 2, 10, 22, tzinfo=dt.UTC)
KNOWN = dt.datetime(2020, 2, 7, 21, 30, tzinfo=dt.UTC)


@pytest.fixture
def settings(tmp_path):
    return Settings(home=tmp_path / "home", dataset="live", webhook_url="https://example.org/s3cret")


def publish(settings):
    bar = {"ticker": "A", "session": dt.date(2020, 2, 7), "known_at": KNOWN, "source": "yahoo", "close": 1.0}
    run = {c.name: None for c in RUNS.columns} | {
        "model_id": "m1",
        "recipe": "ridge",
        "trained_through": dt.date(2020, 1, 31),
    }
    filled = {c.name: _some(c) for c in RUNS.columns if not c.nullable and run[c.name] is None}
    lake = Lake(settings.dataset_home / "lake", settings.dataset)
    lake.publish(
        Change.append(core.ACCEPTED_BARS, pa.Table.from_pylist([bar], schema=core.ACCEPTED_BARS.arrow_schema)),
        Change.append(RUNS, pa.Table.from_pylist([run | filled], schema=RUNS.arrow_schema)),
    )
    return lake


def _some(column):
    return {pa.string(): "x", pa.int64(): 1, pa.date32(): dt.date(2020, 1, 2), pa.timestamp("us", tz="UTC"): KNOWN, pa.float64(): 1.0}[
        column.dtype
    ]


def found(settings, name, now=NOW, last_failure=None):
    return [f for f in examine(settings, now=now, last_failure=last_failure) if f.name == name]


def test_an_empty_home_is_a_warning_and_the_rest_is_looked_at(settings):
    findings = examine(settings, now=NOW, last_failure=None)
    assert [f.name for f in findings] == [
        "python",
        "packages",
        "accelerator",
        "disk",
        "home",
        "settings",
        "lake",
        "daemon",
        "last failed run",
    ]
    lake = next(f for f in findings if f.name == "lake")
    assert (lake.state, lake.mend) == ("warn", "`trader run --source yahoo`")
    assert "torch 2" in next(f.fact for f in findings if f.name == "packages")
    assert "s3cret" not in json.dumps([dataclasses.asdict(f) for f in findings])


def test_settings_that_differ_are_listed_and_secrets_only_as_set(settings):
    fact = found(settings, "settings")[0].fact
    assert "dataset=live" in fact
    assert "webhook_url: set" in fact
    assert "recipe" not in fact


def test_freshness_and_model(settings):
    publish(settings)
    (settings.dataset_home / "models/m1").mkdir(parents=True)
    fresh = found(settings, "freshness")
    assert [(f.state, f.fact) for f in fresh] == [("ok", "core.accepted_bars through 2020-02-07, 1 sessions behind")]
    late = found(settings, "freshness", now=NOW + dt.timedelta(days=1))[0]
    assert (late.state, late.fact.endswith("2 sessions behind")) == ("warn", True)
    later = found(settings, "freshness", now=NOW + dt.timedelta(days=7))[0]
    assert later.state == "fail"
    assert [(f.state, f.fact) for f in found(settings, "model")] == [("ok", "m1 (ridge), trained through 2020-01-31")]
    (settings.dataset_home / "models/m1").rmdir()
    assert found(settings, "model")[0].state == "fail"


def test_a_damaged_part_is_named_and_the_rest_is_looked_at(settings):
    lake = publish(settings)
    part = lake.snapshot().files("core.accepted_bars")[0]
    part.write_bytes(part.read_bytes()[:-1])
    lakes = found(settings, "lake")
    assert [f.state for f in lakes] == ["fail", "ok"]
    assert part.name in lakes[0].fact
    assert "trader doctor --mend" in lakes[0].mend
    assert lakes[1].fact.endswith("1 tables whole, 2 parts")
    assert found(settings, "freshness") == []
    assert len(found(settings, "model")) == 1


def test_a_bad_head_is_a_failure(settings):
    lake = publish(settings)
    (lake.root / "HEAD").write_text("nothing")
    assert [(f.state, "E210" in f.mend) for f in found(settings, "lake")] == [("fail", True)]


def test_a_home_that_cannot_be_written(settings):
    settings.home.write_text("a file in the way")
    home = found(settings, "home")[0]
    assert home.state == "fail"
    assert "TRADER_HOME" in home.mend


def test_a_full_disk_is_a_warning(settings, monkeypatch):
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda _: type("Usage", (), {"total": 100 * 10**9, "free": 10 * 10**9}))
    finding = found(settings, "disk")[0]
    assert (finding.state, finding.fact.startswith("10.0 of 100.0 GB free (90% used)")) == ("warn", True)


def test_the_last_failure_is_told(settings):
    failure = {
        "job": "daily",
        "run_id": "r1",
        "at": "2020-02-10",
        "error": f"StepError: op daily\n  File a\n\n{doctor._CAUSED_BY}\nDiskFullError: full\n  File b",
    }
    finding = found(settings, "last failed run", last_failure=failure)[0]
    assert (finding.state, finding.fact) == ("warn", "daily r1 at 2020-02-10: DiskFullError: full")


def test_a_missing_package_is_named(settings, monkeypatch):
    monkeypatch.setattr(doctor, "PACKAGES", ("pyarrow", "no-such-package"))
    assert next((f.state, f.fact.split()[-1]) for f in found(settings, "packages")) == ("fail", "no-such-package")


@pytest.mark.parametrize(
    ("dataset", "ago", "state", "fact"),
    [
        ("live", None, "warn", "never seen"),
        ("live", 3, "ok", "last seen 3 minutes ago"),
        ("live", 180, "warn", "last seen 3 hours ago"),
        ("deep", None, "ok", "never seen"),
        ("deep", 180, "ok", "last seen 3 hours ago"),
    ],
)
def test_a_dead_daemon_is_named_with_the_mend(settings, dataset, ago, state, fact):
    settings = settings.model_copy(update={"dataset": dataset})
    if ago is not None:
        beat = heartbeats.Beat(sensor="heartbeat", at=NOW - dt.timedelta(minutes=ago), said="alive")
        heartbeats.write(settings.heartbeats, beat)
    [finding] = found(settings, "daemon")
    assert (finding.state, finding.fact) == (state, fact)
    assert ("TRADER_DATASET=live trader dev" in finding.mend) is (state == "warn")
