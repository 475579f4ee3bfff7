"""The training process: reads Parquet, writes its own folder, reports epochs to Dagster.

Its first act ties its life to the parent's: without it, it outlives a killed worker and holds the GPU.
"""

import json
import sys
from collections.abc import Collection, Mapping
from pathlib import Path

from dagster_pipes import open_dagster_pipes

from trader_pipeline import durable
from trader_pipeline.errors import PreflightError, TraderError
from trader_pipeline.training.launch import die_with_parent, together

ERROR_FILE = "error.json"
"""Left in the request's folder when training ends with an error of ours, so that the parent can say it: `said`, and of a preflight
check its fields."""
_MOST = 10


def describe(event: Mapping[str, object]) -> str:
    """Return one line for people: "panel_former fold 2 epoch: epoch 3, train_loss 0.4712, ..."; the final fit is fold -1."""
    fold = "final fit" if event.get("fold") == -1 else f"fold {event.get('fold')}"
    subject = f"{event['model']} {fold} {str(event['event']).removeprefix('fit_')}" if "model" in event else str(event["event"])
    facts = [(k, _short(v)) for k, v in event.items() if k not in {"event", "model", "fold"}]
    return f"{subject}: " + ", ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in facts)


def _short(value: object) -> object:
    """Return how many there are where a list or a table is too long or too deep for a line; the run record has them."""
    if isinstance(value, str) or not isinstance(value, Collection):
        return value
    inner = value.values() if isinstance(value, Mapping) else value
    is_long = len(value) > _MOST or any(isinstance(one, Collection) and not isinstance(one, str) for one in inner)
    return f"({len(value)} of them)" if is_long else value


def main() -> None:
    """Run the request named on the command line."""
    die_with_parent()
    from trader_pipeline.training import job, stopping  # noqa: PLC0415 - torch takes seconds; the tie comes first
    from trader_pipeline.training.request import TrainingRequest  # noqa: PLC0415 - the same

    with open_dagster_pipes() as pipes:

        def report(event: Mapping[str, object]) -> None:
            pipes.log.info(describe(event))

        request = TrainingRequest.from_json(Path(sys.argv[1]).read_bytes())
        try:
            with stopping.listening(), together():
                job.run(request, report)
        except stopping.Stopped as stopped:
            pipes.log.warning("stopped by %s; launch the same training again to go on", stopped)
            sys.exit(stopped.exit_code)
        except TraderError as error:
            own = {"check": error.check, "fact": error.fact, "final": error.final} if isinstance(error, PreflightError) else {}
            durable.write_atomic(request.folder / ERROR_FILE, json.dumps({"said": str(error)} | own).encode())
            pipes.log.error(str(error))  # noqa: TRY400 - the fact and the mend, not the traceback
            sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
