"""What `trader train` says of the run record that it leaves."""

import json
from pathlib import Path
from typing import Any

from trader_pipeline.training.job import RUN_FILE


def told(folder: Path) -> dict[str, Any]:
    """Return the record's path, one sentence a fold, what to be warned of, and by member the features that could go."""
    record = json.loads((folder / RUN_FILE).read_bytes())
    return {
        "record": str(folder / RUN_FILE),
        "diagnosis": [f"{one['model']} fold {one['fold']}: {one['says']}" for one in record["diagnosis"]],
        "warnings": _warnings(record),
        "drop_lists": {one["model"]: one["drop_list"] for one in record["importance"]},
    }


def _warnings(record: dict[str, Any]) -> list[str]:
    """Return checks that were overridden, gaps, epochs that take days, and GPUs that waited; each once."""
    said = [f"went on in spite of {one['said']}" for one in record["incidents"] if one["event"] == "preflight_overridden"]
    for one in record["incidents"]:
        where = f"{one.get('model')} fold {one.get('fold')}"
        if one["event"] == "gap":
            said.append(f"{where}: from epoch {one['epoch']} on training gained {one['gap']:.3g} that validation did not: {one['mend']}")
        if one["event"] == "slow":
            said.append(f"{where}: an epoch takes {one['days_per_epoch']} days: {one['mend']}")
    said += [one["warning"] for one in record["throughput"] if one["warning"]]
    return list(dict.fromkeys(said))
