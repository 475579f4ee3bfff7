"""The newest failed run, for the doctor, which knows no Dagster."""

import os

import dagster as dg

from trader_pipeline.defs.environment import prepare_environment
from trader_pipeline.settings import Settings


def last_failure(settings: Settings) -> dict[str, str] | None:
    """Return job, run id, time and the error of the newest failed run; never creates an instance.

    None where nothing failed, or where a later run of the same job succeeded.
    """
    if not (settings.dagster_home / "dagster.yaml").exists():
        return None
    prepare_environment(settings)
    with dg.DagsterInstance.from_config(os.environ["DAGSTER_HOME"]) as instance:
        records = instance.get_run_records(dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE]), limit=1)
        if not records:
            return None
        run = records[0].dagster_run
        succeeded = dg.RunsFilter(job_name=run.job_name, statuses=[dg.DagsterRunStatus.SUCCESS], created_after=records[0].create_timestamp)
        if instance.get_run_records(succeeded, limit=1):
            return None
        failures = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
        errors = [entry.dagster_event.step_failure_data.error for entry in failures if entry.dagster_event]
        text = errors[-1].to_string() if errors and errors[-1] else "no step failed; the run was lost or cancelled"
        return {"job": run.job_name, "run_id": run.run_id, "at": records[0].create_timestamp.isoformat(), "error": text}
