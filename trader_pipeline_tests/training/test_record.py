import json
import subprocess
import sys

from trader_pipeline.training.record import Record
from trader_pipeline_tests.training.planted import planted, request


def test_kinds_are_kept_and_the_rest_is_not(tmp_path):
    record = Record()
    record.note({"event": "rate_range", "model": "gru", "fold": 0, "rates": [1e-5, 1e-4], "losses": [4.0, 3.9], "pick": 1e-5})
    for epoch, (train, validation, gap) in enumerate([(4.0, 4.2, 0.0), (3.8, 4.1, 0.1)]):
        record.note(
            {"event": "epoch", "model": "gru", "fold": 0, "train_loss": train, "validation_loss": validation, "gap": gap, "epoch": epoch}
        )
    record.note({"event": "epoch", "model": "gru", "fold": -1, "train_loss": 3.9, "validation_loss": None, "gap": None, "epoch": 0})
    record.note({"event": "fit_end", "model": "gru", "fold": 0, "seconds": 1.0})
    facts = json.loads(json.dumps(record.facts(request(tmp_path / "model", planted(sessions=300)))))
    assert facts["rate_range"] == [{"model": "gru", "fold": 0, "rates": [1e-5, 1e-4], "losses": [4.0, 3.9], "pick": 1e-5}]
    assert facts["curves"] == [
        {"model": "gru", "fold": 0, "train_loss": [4.0, 3.8], "validation_loss": [4.2, 4.1], "gap": [0.0, 0.1]},
        {"model": "gru", "fold": -1, "train_loss": [3.9], "validation_loss": [None], "gap": [None]},
    ]
    assert "fit_end" not in facts
    assert "epoch" not in facts


HELD = """
from trader_pipeline.training.record import peak_resident_mb
held = bytearray(300_000_000)
held[::4096] = b"x" * len(held[::4096])
del held
print(peak_resident_mb())
"""


def test_the_peak_is_this_programs_own_and_outlives_what_was_held():
    peak_mb = float(subprocess.run([sys.executable, "-c", HELD], capture_output=True, check=True).stdout)
    assert 300 < peak_mb < 500
