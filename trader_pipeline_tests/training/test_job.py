"""From request.json to a folder that can be loaded: in this process, in one of its own, and when it is cut short."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from trader_pipeline.errors import CorruptPartError, InsufficientHistoryError, UsageError
from trader_pipeline.models.checkpoint import load_members, verify
from trader_pipeline.models.novelty import load_novelty
from trader_pipeline.schema import outputs
from trader_pipeline.schema.training import IMPORTANCE
from trader_pipeline.training import job
from trader_pipeline_tests.training.planted import FEATURES, SECTORS, SIGNAL, planted, request

BARE = """
import sys
from importlib.machinery import PathFinder
BARRED = {"duckdb", "pandas", "pydantic", "pydantic_settings", "exchange_calendars", "dagster"}
class Bare(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in BARRED else PathFinder.find_spec(name, path, target)
sys.meta_path[:] = [Bare if finder is PathFinder else finder for finder in sys.meta_path]
from trader_pipeline.training.job import main
main()
"""


def start(asked):
    asked.folder.mkdir(exist_ok=True)
    asked.path.write_bytes(asked.to_json())
    return subprocess.Popen([sys.executable, "-c", BARE, str(asked.path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def classic(tmp_path_factory):
    asked = request(tmp_path_factory.mktemp("classic") / "model", planted(), recipe="classic")
    events = []
    job.run(asked, events.append)
    return asked, events


def test_out_of_fold_rows_fill_the_published_table(classic):
    rows = pq.read_table(classic[0].folder / job.OUT_OF_FOLD_FILE)
    assert rows.schema.equals(outputs.OUT_OF_FOLD.arrow_schema)
    outputs.OUT_OF_FOLD.sorted(rows)
    assert rows.num_rows == 2 * (1000 - 817) * 6 * 4
    assert sorted(set(rows["fold"].to_pylist())) == [0, 1, 2]
    assert not any(column.null_count for column in rows.columns)
    widths = [rows[f"scaled_{b}"].to_numpy() - rows[f"scaled_{a}"].to_numpy() for a, b in (("q05", "q25"), ("q25", "q50"), ("q50", "q95"))]
    assert all((width > 0).all() for width in widths)


def test_the_planted_signal_is_found_out_of_fold(classic):
    trials = pq.read_table(classic[0].folder / job.TRIALS_FILE).to_pylist()
    assert len(trials) == 2 * 3 * 4
    correlation = SIGNAL / np.sqrt(1 + SIGNAL**2)  # of the signal with signal + unit noise
    # mean Spearman correlation of six pairs from a bivariate normal: Moran 1948
    expected = 6 / (np.pi * 7) * (np.arcsin(correlation) + 4 * np.arcsin(correlation / 2))
    found = np.mean([trial["rank_ic"] for trial in trials if trial["model"] == "ridge" and trial["horizon_sessions"] == 1])
    assert found == pytest.approx(expected, abs=0.1)
    assert all(trial["train_last"] < trial["test_first"] <= trial["test_last"] for trial in trials)


def test_events_tell_every_fit(classic):
    fits = [(event["model"], event["fold"]) for event in classic[1] if event["event"] == "fit_end"]
    assert fits == [(model, fold) for model in ("ridge", "lightgbm") for fold in (0, 1, 2, -1)]
    assert classic[1][-1]["event"] == "done"


def test_the_run_record_says_what_was_asked_and_what_came_of_it(classic):
    asked, _ = classic
    record = json.loads((asked.folder / job.RUN_FILE).read_bytes())
    assert record["asked"] | {"features": None} == {
        "model_id": asked.model_id,
        "run_id": "run",
        "recipe": "classic",
        "seed": 0,
        "data_version": "version",
        "git_revision": None,
        "forced": [],
        "skip_preflight": False,
        "as_of": asked.as_of.isoformat(),
        "features": None,
    }
    assert [row["fold"] for row in record["preflight"]] == [0, 1, 2, -1]
    assert record["preflight"][0]["gap_sessions"]["every"] == [1 + 20 + 1, 5 + 20 + 1, 20 + 20 + 1, 60 + 20 + 1]
    assert record["preflight"][-1]["gap_sessions"]["every"] == [2, 6, 21, 61]
    assert set(record["preflight"][0]["drift"]) == set(FEATURES)
    assert [len(row["class_balance"]) for row in record["preflight"]] == [4] * 4
    assert {(row["model"], row["fold"]) for row in record["settings"]} == {(m, f) for m in ("ridge", "lightgbm") for f in (0, 1, 2, -1)}
    assert next(row for row in record["settings"] if row["model"] == "lightgbm")["config"]["leaves"] == 15
    assert {(row["model"], row["fold"], tuple(row["drop_list"][-1:]) != ("signal",)) for row in record["importance"]} == {
        ("ridge", 2, True),
        ("lightgbm", 2, True),
    }
    assert all("newest fold alone" in row["drop_list_clean"] for row in record["importance"])
    assert all("balanced accuracy" in row["says"] for row in record["diagnosis"])
    assert len(record["diagnosis"]) == 2 * 3
    trials = pq.read_table(asked.folder / job.TRIALS_FILE).to_pylist()
    assert [share for row in record["diagnosis"] for share in row["balanced_accuracy"]] == [trial["balanced_accuracy"] for trial in trials]
    assert 0.5 < np.mean([trial["balanced_accuracy"] for trial in trials if trial["horizon_sessions"] == 1]) < 0.65
    assert (record["incidents"], record["curves"], record["rate_range"]) == ([], [], [])


def test_what_may_go_is_a_table(classic):
    rows = pq.read_table(classic[0].folder / job.IMPORTANCE_FILE)
    assert rows.schema.equals(IMPORTANCE.arrow_schema)
    stays = {(row["model"], row["name"]) for row in rows.to_pylist() if not row["may_go"]}
    assert stays == {("ridge", "signal"), ("lightgbm", "signal")}


def test_the_same_request_gives_the_same_bytes(classic, tmp_path):
    asked = request(tmp_path / "again", planted(), recipe="classic")
    job.run(asked, lambda _: None)
    names = {path.relative_to(asked.folder) for path in asked.folder.rglob("*") if path.is_file() and path.name != job.LOCK}
    assert len(names) == 1 + 7 + 2 + 9  # manifest; tables, facts, novelty, drift, importance; ridge; boosters
    differ = {str(name) for name in names if (asked.folder / name).read_bytes() != (classic[0].folder / name).read_bytes()}
    assert differ == {job.RUN_FILE, "manifest.json"}  # the times of the run


def test_loaded_members_agree_with_what_the_run_said_of_training_rows(classic):
    members = load_members(classic[0].folder)
    assert [member.name for member in members] == ["lightgbm", "ridge"]
    data = planted()
    for member in members:
        assert member.features == FEATURES
        score = member.predict(data.x_NTF, data.grid, SECTORS).score_TNH[:, :, 0].T
        known = np.isfinite(score)
        assert np.corrcoef(score[known], data.x_NTF[:, :, 0][known])[0, 1] > 0.8


def test_novelty_is_the_percentile_among_training_rows(classic):
    data, novelty = planted(), load_novelty(classic[0].folder)
    shares = novelty.percentile(data.x_NTF)
    assert np.nanmedian(shares) == pytest.approx(0.5, abs=0.02)
    assert np.isnan(shares[0, :100]).all()
    assert novelty.percentile(np.array([9.0, -9.0, 9.0, np.nan], np.float32)) == 1.0


def test_a_changed_file_is_named(tmp_path):
    asked = request(tmp_path / "model", planted(), recipe="ridge")
    job.run(asked, lambda _: None)
    assert len(verify(asked.folder)) == 64
    weights = asked.folder / "members/ridge/ridge.safetensors"
    weights.write_bytes(weights.read_bytes()[:-8] + b"12345678")
    with pytest.raises(CorruptPartError, match=r"ridge.safetensors does not match its hash .*train again"):
        load_members(asked.folder)


def test_a_changed_input_is_refused(tmp_path):
    asked = request(tmp_path / "model", planted(), recipe="ridge")
    with Path(asked.panel_parts[0].path).open("ab") as file:
        file.write(b"x")
    with pytest.raises(CorruptPartError, match="changed since the request was written"):
        job.run(asked, lambda _: None)


def test_too_short_a_history_leaves_no_manifest(tmp_path):
    asked = request(tmp_path / "model", planted(sessions=252))
    with pytest.raises(InsufficientHistoryError, match="needs 997"):
        job.run(asked, lambda _: None)
    assert not (asked.folder / "manifest.json").exists()


def test_an_unknown_recipe_lists_the_known():
    with pytest.raises(
        UsageError, match=r"take one of baselines, classic, classic_rolling, ensemble, gru, .*panel_former_1m, .*three_members"
    ):
        job.recipe_of("magic")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """Three members, trained in a process of their own: the request, and what was told."""
    asked = request(tmp_path_factory.mktemp("undisturbed") / "model", planted(), recipe="three_members")
    child = start(asked)
    out, err = child.communicate(timeout=200)
    assert child.returncode == 0, err
    return asked, out


@pytest.mark.slow
def test_three_members_train_in_a_process_without_the_libraries_of_the_rest(undisturbed):
    asked, out = undisturbed
    events = [json.loads(line) for line in out.splitlines()]
    epochs = [event for event in events if event["event"] == "epoch"]
    assert {event["fold"] for event in epochs} == {-1, 0, 1, 2}
    assert events[-1]["peak_mb"] < 2000
    assert [member.name for member in load_members(asked.folder)] == ["lightgbm", "panel_former", "ridge"]
    curves = pq.read_table(asked.folder / job.CURVES_FILE)
    assert curves.num_rows == len(epochs)
    record = json.loads((asked.folder / job.RUN_FILE).read_bytes())
    sides = {(c["fold"], len(c["train_loss"]), len(c["validation_loss"]), len(c["gap"])) for c in record["curves"]}
    assert sides == {(fold, n, n, n) for fold in (0, 1, 2, -1) for n in (sum(e["fold"] == fold for e in epochs),)}
    assert [row["overfit_ten_left"] < 0.5 for row in record["preflight"] if "overfit_ten_left" in row] == [True]
    assert all(row["peak_host_mb"] > 100 and row["peak_device_mb"] is None for row in record["throughput"])
    assert [row["says"].startswith("validation was best after epoch") for row in record["diagnosis"][-3:]] == [True] * 3


@pytest.mark.slow
def test_an_interrupted_job_exits_and_goes_on_to_the_same_members(undisturbed, tmp_path):
    whole, _ = undisturbed
    asked = request(tmp_path / "model", planted(), recipe="three_members")
    for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 75)):
        child = start(asked)
        for line in child.stdout:
            if json.loads(line)["event"] == "epoch":
                break
        child.send_signal(number)
        _, err = child.communicate(timeout=60)
        assert child.returncode == code, err
        assert not (asked.folder / "manifest.json").exists()
        assert asked.scratch.exists()
    child = start(asked)
    out, err = child.communicate(timeout=200)
    assert child.returncode == 0, err
    fitted = [event["model"] for event in map(json.loads, out.splitlines()) if event["event"] == "fit_start"]
    assert "ridge" not in fitted  # its fits were done
    assert not asked.scratch.exists()
    for a, b in zip(load_members(asked.folder), load_members(whole.folder), strict=True):
        assert a.files() == b.files()
    assert pq.read_table(asked.folder / job.CURVES_FILE)["validation_loss"].equals(
        pq.read_table(whole.folder / job.CURVES_FILE)["validation_loss"]
    )
    incidents = [incident["event"] for incident in json.loads((asked.folder / job.RUN_FILE).read_bytes())["incidents"]]
    assert incidents.count("resumed") >= 2
