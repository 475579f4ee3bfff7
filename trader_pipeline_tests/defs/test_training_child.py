"""A trainer never outlives the process that started it."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest

from trader_pipeline.defs.training import ended, left
from trader_pipeline.errors import PreflightError, TrainingStoppedError
from trader_pipeline.operations.memory import PeakMemory
from trader_pipeline_tests.processes import is_running

CHILD = """
import time
from trader_pipeline.defs.training_child import die_with_parent
die_with_parent()
print("up", flush=True)
time.sleep(60)
"""
PARENT = f"import subprocess, sys, time; c = subprocess.Popen([sys.executable, '-c', {CHILD!r}]); print(c.pid, flush=True); time.sleep(60)"


def test_it_ends_when_its_parent_is_killed():
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    child = int(parent.stdout.readline())
    assert parent.stdout.readline() == "up\n"
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    for _ in range(100):
        if not is_running(child):
            return
        time.sleep(0.1)
    os.kill(child, signal.SIGKILL)
    raise AssertionError("the child outlived its parent by 10 s")


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (-9, r"signal 9, most often for memory: .* 1,234 MB together"),
        (70, r"a rank died again and again .* most often for memory: .* 1,234 MB together"),
        (75, "launch it again to go on"),
        (1, "without a word: .* code 1;"),
    ],
)
def test_an_end_without_a_word_is_named_by_its_status(status, said):
    error = ended(f"External execution process failed with code {status}", 1234.4)
    assert re.search(said, str(error))
    assert isinstance(error, TrainingStoppedError) == (status == 75)


HOG = "import os, signal; held = bytearray(300_000_000); held[::4096] = b'x' * len(held[::4096]); {}; os.kill(os.getpid(), signal.SIGKILL)"


def test_a_kill_for_memory_names_what_was_held():
    with PeakMemory() as memory:
        killed = subprocess.run([sys.executable, "-c", HOG.format("import time; time.sleep(0.5)")], check=False)
    assert killed.returncode == -signal.SIGKILL
    said = str(ended(f"External execution process failed with code {killed.returncode}", memory.peak_mb))
    held_mb = float(re.search(r"held ([\d,]+) MB", said)[1].replace(",", ""))
    assert 300 < held_mb < 5000


def test_what_the_trainer_wrote_down_is_said_with_its_own_code(tmp_path):
    said = tmp_path / "error.json"
    said.write_text(json.dumps({"said": "too few labels"}))
    assert (left(said).code, str(left(said))) == ("E420", "too few labels")
    for check in (PreflightError("overfit_ten", "the network is too small"), PreflightError("finite", "nothing is", final=True)):
        said.write_text(json.dumps({"said": str(check), "check": check.check, "fact": check.fact, "final": check.final}))
        assert (left(said).code, str(left(said))) == ("E430", str(check))
