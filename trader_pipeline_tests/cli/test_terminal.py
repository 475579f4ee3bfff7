"""Progress as a person sees it: on a terminal, which a pipe is not."""

import os
import pty
import re
import subprocess
import sys

SHOWN = """
import time
from trader_pipeline.cli.output import progress
with progress(quiet=False) as show:
    show.plan(2)
    show.step("trained")
    for epoch in range(3):
        show.say(f"panel_former fold 0 epoch: epoch {epoch}, train_loss 4.1")
        time.sleep(0.3)
print("left", flush=True)
"""


def seen(script):
    """What a terminal of 120 columns shows, control sequences and all."""
    master, slave = pty.openpty()
    environment = os.environ | {"TERM": "xterm-256color", "COLUMNS": "120", "LINES": "24"}
    with subprocess.Popen([sys.executable, "-c", script], stdin=slave, stdout=slave, stderr=slave, env=environment) as process:
        os.close(slave)
        shown = b""
        while True:
            try:
                piece = os.read(master, 4096)
            except OSError:  # the last holder of the other end is gone
                break
            if not piece:
                break
            shown += piece
        assert process.wait(30) == 0
    os.close(master)
    return shown.decode()


def test_a_terminal_shows_a_bar_with_the_epoch_and_leaves_nothing_behind():
    shown = seen(SHOWN)
    assert "\x1b[" in shown
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)
    assert re.search(r"trained .*1/2.*0:00:0\d.*panel_former fold 0 epoch: epoch 2", plain)
    assert plain.count("\n") < 12  # one line that is drawn again, not a log
    assert "\x1b[2K" in shown  # the bar is wiped
    assert plain.rstrip().endswith("left")
