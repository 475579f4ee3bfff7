"""From the features in the lake to a published run: request, folder, tables."""

import datetime as dt
import json
from dataclasses import replace

import numpy as np
import pytest

from trader_pipeline import calendar, durable, panel
from trader_pipeline.errors import CorruptPartError, InsufficientHistoryError, NoModelError, TrainingError, TrainingStoppedError, UsageError
from trader_pipeline.features import PANEL
from trader_pipeline.flows import train
from trader_pipeline.lake import Change, Lake
from trader_pipeline.models.checkpoint import load_members
from trader_pipeline.schema.columns import HORIZONS_SESSIONS
from trader_pipeline.schema.core import SECTORS
from trader_pipeline.schema.features import TARGETS
from trader_pipeline.training import job
from trader_pipeline.training.recipes import RECIPES
from trader_pipeline.training.request import TrainingRequest
from trader_pipeline_tests.training.planted import planted
from trader_pipeline_tests.training.planted import request as asked

NOW = dt.datetime(2026, 1, 5, 12, tzinfo=dt.UTC)


def published(root, data):
    listed = np.isfinite(data.x_NTF).any(axis=2)
    lake = Lake(root, "own")
    features = {"return_1d": data.x_NTF[:, :, 0], "return_5d": data.x_NTF[:, :, 1]}
    targets = {f"residual_rank_{h}d": data.labels.score_NTH[:, :, k].astype(float) for k, h in enumerate(HORIZONS_SESSIONS)}
    targets |= {f"scaled_return_{h}d": data.labels.scaled_NTH[:, :, k].astype(float) for k, h in enumerate(HORIZONS_SESSIONS)}
    sectors = [
        {"ticker": "T0", "valid_from": dt.date(2000, 1, 1), "valid_to": dt.date(2011, 12, 31), "sector": "old"},
        {"ticker": "T0", "valid_from": dt.date(2012, 1, 1), "valid_to": None, "sector": "new"},
        {"ticker": "T1", "valid_from": dt.date(2040, 1, 1), "valid_to": None, "sector": "later"},
    ]
    lake.publish(
        Change.replace(PANEL, panel.long(data.grid, listed, features)),
        Change.replace(TARGETS, panel.long(data.grid, listed, targets)),
        Change.replace(SECTORS, SECTORS.conform(SECTORS.arrow_schema.empty_table().from_pylist(sectors))),
    )
    return lake


def known_at(data, position=-1):
    return calendar.known_at("XNYS", data.grid.sessions[position].item())


def prepare(lake, models, data, **changes):
    facts = {"recipe": "ridge", "seed": 0, "as_of": known_at(data), "run_id": "run-1"} | changes
    return train.prepare(lake, models_dir=models, **facts)


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    home, data = tmp_path_factory.mktemp("home"), planted()
    lake = published(home / "lake", data)
    request = prepare(lake, home / "models", data)
    job.run(request, lambda _: None)
    return lake, request, data, train.publish(lake, request, finished_at=NOW)


def test_the_request_holds_all_that_the_child_needs(ran):
    _, request, data, _ = ran
    assert TrainingRequest.from_json(request.path.read_bytes()) == request
    assert request.path == request.folder / "request.json"
    assert request.folder.name == request.model_id
    assert request.last_session == data.grid.sessions[-1].item()
    assert request.features == ("return_1d", "return_5d")  # the others are null throughout
    assert request.sectors == {"T0": "new"}


def test_a_published_run_is_in_every_table(ran):
    lake, request, data, outcome = ran
    snapshot = lake.snapshot()
    (run,) = snapshot.sql("select * from training.runs").to_pylist()
    assert (run["model_id"], run["members"], run["seed"], run["tickers"]) == (request.model_id, "ridge", 0, 6)
    assert run["trained_through"] == outcome.trained_through == data.grid.sessions[-2].item()
    assert run["data_version"] == snapshot.data_version([PANEL, TARGETS, SECTORS])
    assert snapshot.rows("predictions.out_of_fold") == outcome.out_of_fold_rows == (1000 - 817) * 6 * 4
    assert snapshot.rows("training.trials") == 3 * 4
    trials = snapshot.sql("select balanced_accuracy b from training.trials where horizon_sessions = 1")["b"].to_pylist()
    assert all(0.45 < accuracy < 0.75 for accuracy in trials)
    worth = snapshot.sql("select name, features, may_go from training.importance where model = 'ridge' order by increase desc").to_pylist()
    assert worth == [
        {"name": "return_1d", "features": "return_1d", "may_go": False},
        {"name": "return_5d", "features": "return_5d", "may_go": True},
    ]


def test_publishing_again_changes_nothing(ran):
    lake, request, _, _ = ran
    before = lake.snapshot().commit.id
    train.publish(lake, request, finished_at=NOW)
    assert lake.snapshot().commit.id == before


def test_the_published_folder_can_be_asked(ran):
    _, request, _, _ = ran
    (member,) = load_members(request.folder)
    assert member.features == request.features


def test_another_run_seed_or_recipe_is_another_model(ran, tmp_path):
    lake, request, data, _ = ran
    changes = ({"run_id": "run-2"}, {"seed": 1}, {"recipe": "classic"})
    ids = {prepare(lake, tmp_path / str(i), data, **change).model_id for i, change in enumerate(changes)}
    assert len(ids | {request.model_id}) == 4
    assert prepare(lake, tmp_path, data).model_id == request.model_id


def test_labels_decided_after_as_of_are_not_learnt(ran, tmp_path):
    lake, _, data, _ = ran
    request = prepare(lake, tmp_path, data, as_of=known_at(data, -3))
    job.run(request, lambda _: None)
    facts = json.loads((request.folder / job.RUN_FILE).read_text())
    assert facts["trained_through"] == str(data.grid.sessions[-4])


def test_features_that_a_recipe_excludes_are_left_out_of_the_model(ran, tmp_path, monkeypatch):
    lake, _, data, _ = ran
    without = replace(RECIPES["ridge"](), exclude_features=("return_5d",))
    monkeypatch.setitem(RECIPES, "ridge", lambda: without)
    request = prepare(lake, tmp_path, data, run_id="run-6")
    assert request.features == ("return_1d",)
    job.run(request, lambda _: None)
    (member,) = load_members(request.folder)
    assert member.features == ("return_1d",)
    monkeypatch.setitem(RECIPES, "ridge", lambda: replace(without, exclude_features=("return_5",)))
    with pytest.raises(UsageError, match=r"names 'return_5', which is no feature; did you mean .*return_5d"):
        prepare(lake, tmp_path, data, run_id="run-7")


def test_every_run_is_an_attempt_whatever_became_of_it(tmp_path):
    data = planted(sessions=300)
    lake = published(tmp_path / "lake", data)
    clock = iter(NOW + dt.timedelta(minutes=k) for k in range(20)).__next__
    first = asked(tmp_path / "model", data)

    def run(run_id, error=None):
        with train.attempt(lake, replace(first, run_id=run_id), clock=clock):
            if error:
                raise error

    run("well")
    for run_id, error in (
        ("badly", TrainingError("too few labels")),
        ("reclaimed", TrainingStoppedError("saved where it was")),
        ("interrupted", KeyboardInterrupt()),
    ):
        with pytest.raises(type(error)):
            run(run_id, error)
    query = "select run_id, outcome, said, started_at < ended_at as ended from training.attempts"
    with train.attempt(lake, replace(first, run_id="killed"), clock=clock):  # what kill -9 leaves is what stands here
        rows = lake.snapshot().sql(query).to_pylist()
    assert {(row["run_id"], row["outcome"], row["said"], row["ended"]) for row in rows} == {
        ("well", "published", None, True),
        ("badly", "failed", "too few labels", True),
        ("reclaimed", "stopped", "saved where it was", True),
        ("interrupted", "stopped", "KeyboardInterrupt", True),
        ("killed", "started", None, None),
    }


def test_too_short_a_history_names_what_is_needed(tmp_path):
    data = planted(sessions=252)
    with pytest.raises(InsufficientHistoryError, match=r"252 sessions .* needs 997 .*bring a longer history"):
        prepare(published(tmp_path / "lake", data), tmp_path / "models", data)
    assert not (tmp_path / "models").exists()


def test_an_unfinished_or_changed_run_is_not_published(ran, tmp_path):
    lake, _, data, _ = ran
    before = lake.snapshot().commit.id
    request = prepare(lake, tmp_path, data, run_id="run-3")
    with pytest.raises(NoModelError, match="did not finish"):
        train.publish(lake, request, finished_at=NOW)
    job.run(request, lambda _: None)
    path = request.folder / job.OUT_OF_FOLD_FILE
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(CorruptPartError, match="out_of_fold"):
        train.publish(lake, request, finished_at=NOW)
    assert lake.snapshot().commit.id == before


def test_a_training_that_was_cut_short_is_taken_up_again_and_a_published_one_is_not(tmp_path):
    data = planted()
    lake, models = published(tmp_path / "lake", data), tmp_path / "models"
    first = prepare(lake, models, data)
    again = prepare(lake, models, data, run_id="run-2", skip_preflight=True, git_revision="abc")
    assert (again.model_id, again.folder, again.run_id, again.skip_preflight) == (first.model_id, first.folder, "run-2", True)
    assert TrainingRequest.from_json(again.path.read_bytes()) == again
    assert prepare(lake, models, data, run_id="run-3", seed=1).model_id != first.model_id
    with durable.locked(first.folder / job.LOCK):  # somebody trains there
        assert prepare(lake, models, data, run_id="run-4").model_id != first.model_id
    job.run(again, lambda _: None)
    finished = json.loads((again.folder / job.RUN_FILE).read_bytes())
    job.run(again, lambda _: None)  # complete: nothing is done twice
    assert json.loads((again.folder / job.RUN_FILE).read_bytes()) == finished
    train.publish(lake, again, finished_at=NOW)
    assert prepare(lake, models, data, run_id="run-5").model_id != first.model_id


def test_a_run_to_go_on_with_is_named_by_its_model(tmp_path):
    data = planted()
    lake, models = published(tmp_path / "lake", data), tmp_path / "models"
    first = prepare(lake, models, data)
    resumed = train.resume(lake, models_dir=models, model_id=first.model_id, run_id="run-2", skip_preflight=True)
    assert (resumed.model_id, resumed.run_id, resumed.recipe, resumed.skip_preflight) == (first.model_id, "run-2", "ridge", True)
    with pytest.raises(
        UsageError, match=f"nothing is not the id of a training that was begun here; trainings that were cut short: {first.model_id}"
    ):
        train.resume(lake, models_dir=models, model_id="nothing", run_id="run-2")


def test_two_processes_do_not_train_in_one_folder(tmp_path):
    data = planted()
    request = prepare(published(tmp_path / "lake", data), tmp_path / "models", data)
    with durable.locked(request.folder / job.LOCK), pytest.raises(TrainingError, match="trained by another process"):
        job.run(request, lambda _: None)
