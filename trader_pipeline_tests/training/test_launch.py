"""Ranks as processes: two are one, all decide together, a dead one comes back, and a chosen end is final."""

import json
import signal
import subprocess
import sys
import time

import pytest
import torch

from trader_pipeline.models.checkpoint import verify
from trader_pipeline.training.launch import CRASHED, Launch, command
from trader_pipeline.training.ranks import ALONE
from trader_pipeline_tests.processes import is_running
from trader_pipeline_tests.training import rank_ends, rank_steps
from trader_pipeline_tests.training.planted import planted, request
from trader_pipeline_tests.training.small_module import weights


def run(job, *arguments, restarts=1):
    line = command(job.__name__, [*map(str, arguments)], Launch(devices=2, restarts=restarts))
    ended = subprocess.run(line, capture_output=True, text=True, check=False, timeout=120)
    return ended.returncode, ended.stderr


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ranks")
    code, said = run(rank_steps, folder)
    assert code == 0, said
    return [torch.load(folder / f"{rank}.pt") for rank in (0, 1)]


def test_one_device_is_one_plain_process():
    assert command("a.b", ["x"], Launch()) == [sys.executable, "-u", "-m", "a.b", "x"]


@pytest.mark.slow
def test_two_ranks_take_the_steps_of_one(together):
    alone, first, second = rank_steps.trained(ALONE), together[0]["trained"], together[1]["trained"]
    assert (alone - weights(rank_steps.in_double(ALONE))).abs().max() > 1e-4
    assert torch.equal(first, second)
    assert (alone - first).abs().max() <= 1e-6


@pytest.mark.slow
def test_all_ranks_halve_when_one_runs_out_of_memory(together):
    (_, alone), (first_micro, first), (second_micro, second) = rank_steps.short_of_memory(ALONE), *(t["short_of_memory"] for t in together)
    assert first_micro == second_micro == 1
    assert alone.abs().max() > 1e-2
    assert torch.equal(first, second)
    assert (alone - first).abs().max() <= 1e-6


@pytest.mark.slow
def test_all_ranks_skip_what_is_not_finite_on_one(together):
    assert [t["poisoned"] for t in together] == [(1, False)] * 2


@pytest.mark.slow
def test_the_largest_recipe_splits_its_weights_where_there_are_ranks_and_nowhere_else(together):
    split, alone = rank_steps.of_the_largest_recipe(ALONE)
    assert split == {False}
    for split, fitted in (t["of_the_largest_recipe"] for t in together):
        assert split == {True}
        assert (fitted - alone).abs().max() <= 1e-3  # float32: the first steps of AdamW are signs
        assert torch.equal(fitted, together[0]["of_the_largest_recipe"][1])


@pytest.mark.slow
def test_a_network_split_over_ranks_takes_the_same_steps(together):
    for whole, split, held in (t["sharded"] for t in together):
        assert held < 0.6 * len(whole)
        assert (whole - weights(rank_steps.in_double(ALONE))).abs().max() > 1e-4
        assert (whole - split).abs().max() <= 1e-5


@pytest.mark.slow
def test_a_network_split_over_ranks_goes_on_where_it_was_saved(together):
    for went_on, taken_up in (t["goes_on_split"] for t in together):
        assert (went_on - weights(rank_steps.in_double(ALONE))).abs().max() > 1e-4
        assert torch.equal(went_on, taken_up)


@pytest.mark.slow
def test_after_a_killed_rank_training_goes_on_from_the_last_checkpoint(tmp_path):
    for name in ("die", "live"):
        (tmp_path / name).mkdir()
    rank_ends.resumes(tmp_path / "live")
    code, said = run(rank_ends, "resumes", tmp_path / "die")
    assert code == 0, said
    assert "a rank died" in said
    assert (tmp_path / "die" / rank_ends.DEATH).exists()
    (resumed_after, died), (fresh, lived) = (torch.load(tmp_path / name / "end.pt") for name in ("die", "live"))
    assert fresh == -1
    assert resumed_after in {0, 1}  # the first rank may not have written epoch 1 when the last one died
    assert (died - lived).abs().max() <= 1e-6


@pytest.mark.slow
def test_of_two_ranks_one_tells_and_writes_the_run(tmp_path):
    asked = request(tmp_path / "model", planted())
    asked.folder.mkdir()
    asked.path.write_bytes(asked.to_json())
    line = command("trader_pipeline.training.job", [str(asked.path)], Launch(devices=2, restarts=0))
    ended = subprocess.run(line, capture_output=True, text=True, check=False, timeout=120)
    assert ended.returncode == 0, ended.stderr
    verify(asked.folder)
    assert [json.loads(told)["event"] for told in ended.stdout.splitlines()].count("done") == 1


@pytest.mark.slow
def test_a_chosen_exit_is_passed_on_and_not_tried_again(tmp_path):
    code, said = run(rank_ends, "chooses", tmp_path)
    assert code == 4, said
    assert (tmp_path / "starts.txt").read_text() == "start\n"


@pytest.mark.slow
def test_a_crash_is_tried_again_as_often_as_asked(tmp_path):
    code, said = run(rank_ends, "crashes", tmp_path)
    assert code == CRASHED
    assert "ValueError: a bug" in said
    assert (tmp_path / "starts.txt").read_text() == "start\n" * 2


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_cancelled_or_killed_launcher_leaves_no_rank_behind(tmp_path, number):
    agent = subprocess.Popen(
        command(rank_ends.__name__, ["waits", str(tmp_path)], Launch(devices=2, restarts=0)), stderr=subprocess.DEVNULL
    )
    until = time.monotonic() + 60
    while len(ranks := [int(path.read_text() or 0) for path in tmp_path.glob("*.pid")]) < 2 or 0 in ranks:
        assert time.monotonic() < until, "the ranks did not start"
        time.sleep(0.1)
    agent.send_signal(number)
    code, ended = agent.wait(20), time.monotonic()
    assert code == (130 if number == signal.SIGINT else -signal.SIGKILL)
    while any(is_running(rank) for rank in ranks):
        assert time.monotonic() < ended + 20, "a rank outlived its launcher"
        time.sleep(0.1)
