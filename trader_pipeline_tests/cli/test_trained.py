"""What `trader train` prints of a run record."""

import json

from trader_pipeline.cli.trained import told
from trader_pipeline.training.throughput import warning


def test_the_outcome_and_every_warning_are_said_once(tmp_path):
    overridden = {
        "event": "preflight_overridden",
        "model": "gru",
        "fold": 0,
        "check": "overfit_ten",
        "said": "preflight overfit_ten: too small",
    }
    record = {
        "diagnosis": [{"model": "gru", "fold": 2, "says": "plateau at once"}],
        "incidents": [
            overridden,
            overridden,
            {"event": "resumed", "step": 7},
            {"event": "gap", "model": "gru", "fold": 1, "epoch": 3, "gap": 0.41234, "mend": "more dropout"},
            {"event": "slow", "model": "gru", "fold": 1, "days_per_epoch": 1.7, "mend": "take a GPU"},
        ],
        "throughput": [{"warning": warning({"gpu_utilisation": 0.3})}, {"warning": warning({"gpu_utilisation": 0.9})}],
        "importance": [{"model": "gru", "drop_list": ["vix"]}],
    }
    (tmp_path / "run.json").write_text(json.dumps(record))
    assert told(tmp_path) == {
        "record": str(tmp_path / "run.json"),
        "diagnosis": ["gru fold 2: plateau at once"],
        "warnings": [
            "went on in spite of preflight overfit_ten: too small",
            "gru fold 1: from epoch 3 on training gained 0.412 that validation did not: more dropout",
            "gru fold 1: an epoch takes 1.7 days: take a GPU",
            "the GPU was busy 30% of the time, less than 50%: raise rows_per_step, or see --profile",
        ],
        "drop_lists": {"gru": ["vix"]},
    }
