"""The survival matrix, with fewer kills, and that a cell can fail."""

import pytest

from trader_pipeline.bench import training_faults
from trader_pipeline.training.guard import Guard

FAULTS = [
    "NaN input",
    "NaN gradient",
    "loss spike",
    "OOM in forward",
    "OOM in backward",
    "OOM in step",
    "kill -9 at 3 random moments",
    "kill -9 before the first checkpoint",
    "SIGINT",
    "SIGTERM",
    "SIGHUP",
    "truncated checkpoint",
    "bit-flipped checkpoint",
    "every checkpoint damaged",
    "full disk",
    "dead rank",
]


@pytest.mark.slow
def test_every_fault_is_survived(tmp_path):
    figures = training_faults.measure(tmp_path, kills=3)
    assert [cell["fault"] for cell in figures["cells"]] == FAULTS
    assert not [cell for cell in figures["cells"] if not cell["survived"]]


def test_without_the_guard_the_first_cells_say_so(tmp_path, monkeypatch):
    judge = Guard.judge
    monkeypatch.setattr(Guard, "judge", lambda self, loss, norm: (judge(self, loss, norm)[0] & False, judge(self, loss, norm)[1]))
    cells = {cell.fault: cell.survived for cell in training_faults._inside(tmp_path)}
    assert not cells["NaN gradient"]
    assert not cells["loss spike"]
