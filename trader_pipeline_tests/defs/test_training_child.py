"""A trainer never outlives the process that started it."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from trader_pipeline.defs.training import ended

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
    [(-9, r"signal 9, most often for memory: .* 1,234 MB together"), (75, "launch it again to go on"), (1, "without a word: .* code 1;")],
)
def test_an_end_without_a_word_is_named_by_its_status(status, said):
    assert re.search(said, ended(f"External execution process failed with code {status}", 1234.4))


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
