"""Which model is approved: the log evaluation.promotions read backwards.

A decision counts from a moment of knowledge on, `counts_from`: what is predicted as of an earlier one never knows of it.
"""

import datetime as dt
from typing import Any

from trader_pipeline import calendar
from trader_pipeline.errors import NoModelError, UsageError
from trader_pipeline.snapshot import Snapshot

EXCHANGE = "XNYS"
PROMOTED, REFUSED, ROLLED_BACK = "promoted", "refused", "rolled back"

_ALARMS = (
    "select model_id, horizon_sessions, model, horizon_sessions || ' sessions' || if(model = 'ensemble', '', ', ' || model) || ': ' "
    "|| leak_alarm as said from evaluation.scorecard where leak_alarm is not null "
    "qualify model = 'ensemble' or not bool_or(model = 'ensemble') over (partition by model_id, horizon_sessions)"
)
"""The ensemble's leak alarms, and where it rings none its members': one that leaks is thinned by the others, not mended."""
_RUNS = (
    f"with alarms as ({_ALARMS}), told as (select model_id, string_agg(said, '; ' order by horizon_sessions, model) alarm "  # noqa: S608 - our own text
    "from alarms group by model_id), "
    "fitted as (select distinct model_id, true calibrated from training.calibration where fold = -1 and model = 'ensemble') "
    "select r.*, coalesce(calibrated, false) calibrated, alarm from training.runs r left join fitted using (model_id) "
    "left join told using (model_id) where as_of <= $as_of and ($session is null or trained_through < $session) "
    "order by coalesce(calibrated, false) desc, alarm is not null, as_of desc, finished_at desc, model_id"
)


def runs_at(snapshot: Snapshot, as_of: dt.datetime, session: dt.date | None = None) -> list[dict[str, Any]]:
    """Return the runs that were trained on what was known at `as_of`, and had seen nothing of `session`, with `calibrated` and `alarm`."""
    runs: list[dict[str, Any]] = snapshot.sql(_RUNS, {"as_of": as_of, "session": session}).to_pylist()
    return runs


def leak_alarms(snapshot: Snapshot, model_id: str) -> list[str]:
    """Return the leak alarms of a judged model, of a member where the ensemble rings none, by horizon."""
    query = f"select said from ({_ALARMS}) where model_id = ? order by horizon_sessions, model"  # noqa: S608 - our own text
    rows = snapshot.sql(query, [model_id])
    return [str(said) for said in rows["said"].to_pylist()]


def decisions_at(snapshot: Snapshot, as_of: dt.datetime) -> list[dict[str, Any]]:
    """Return the rows of evaluation.promotions that count at `as_of`, the newest first."""
    rows: list[dict[str, Any]] = snapshot.sql(
        "select * from evaluation.promotions where counts_from <= ? order by counts_from desc, decided_at desc, model_id", [as_of]
    ).to_pylist()
    return rows


def approved(snapshot: Snapshot, as_of: dt.datetime, session: dt.date | None = None) -> list[dict[str, Any]]:
    """Return the runs that may serve, the champion first: whatever decisions made serve, but for what was rolled back since.

    A home of before there were decisions has every calibrated run without a leak alarm, the newest first.
    """
    runs = [run for run in runs_at(snapshot, as_of, session) if run["calibrated"]]
    decisions = decisions_at(snapshot, as_of)
    if not decisions:
        return [run for run in runs if not run["alarm"]]
    by_id = {run["model_id"]: run for run in runs}
    withdrawn = {row["model_id"] for row in _last_of_each(decisions) if row["action"] == ROLLED_BACK}
    names = dict.fromkeys(row["serves"] for row in decisions if row["serves"])
    return [by_id[name] for name in names if name in by_id and name not in withdrawn]


def _last_of_each(decisions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    last: dict[str, dict[str, Any]] = {}
    for row in decisions:
        last.setdefault(row["model_id"], row)
    return list(last.values())


def serving(snapshot: Snapshot, as_of: dt.datetime) -> str | None:
    """Return the id of the champion of what was known at `as_of`, None where no model is approved."""
    found = approved(snapshot, as_of)
    return found[0]["model_id"] if found else None


def state_of(model_id: str, decisions: list[dict[str, Any]], serves: str | None) -> str:
    """Return what a judged model is: serving, approved, refused, rolled back or not decided. `decisions` are `decisions_at`'s."""
    if model_id == serves:
        return "serving"
    last = next((row for row in decisions if row["model_id"] == model_id), None)
    if last is None:
        return "not decided"
    return "approved" if last["action"] == PROMOTED else str(last["action"])


def judged_model(snapshot: Snapshot, as_of: dt.datetime, model_id: str = "") -> dict[str, Any] | None:
    """Return model_id, known_at and state at `as_of` of a judged model: the one named, else the one that serves, else the newest.

    None before the first. Raises `UsageError` for a name that no judged model has.
    """
    serves = serving(snapshot, as_of)
    rows = snapshot.sql(
        "select model_id, max(t.known_at) known_at from evaluation.tasks t left join training.runs r using (model_id) group by 1 "
        "order by model_id = $named desc, model_id is not distinct from $serves desc, 2 desc, max(finished_at) desc, 1",
        {"named": model_id, "serves": serves},
    ).to_pylist()
    if not rows:
        return None
    row: dict[str, Any] = rows[0]
    if model_id and row["model_id"] != model_id:
        raise UsageError(f"no judged model is named {model_id!r}; `trader models` lists them")
    return row | {"state": state_of(row["model_id"], decisions_at(snapshot, as_of), serves)}


def serving_run(snapshot: Snapshot, session: dt.date, as_of: dt.datetime) -> dict[str, Any]:
    """Return the champion among the runs that had seen nothing of the session. Raises `NoModelError` that says what is missing.

    Runs and decisions of up to the session's close + 30 minutes count, whatever `as_of` a backfill says.
    """
    as_of = min(as_of, calendar.known_at(EXCHANGE, session))
    if found := approved(snapshot, as_of, session):
        return found[0]
    runs = runs_at(snapshot, as_of, session)
    if not runs:
        raise NoModelError(f"no model was trained on what was known at {as_of:%Y-%m-%d %H:%M} UTC; train one: `trader run`")
    run = runs[0]
    if not run["calibrated"]:
        raise NoModelError(f"model {run['model_id']} is trained but not calibrated, its evaluation did not finish; run `trader run`")
    why = f"it rings the leak alarm ({run['alarm']})" if run["alarm"] else "it was refused or rolled back"
    raise NoModelError(
        f"model {run['model_id']} is not approved: {why}; `trader models` lists all, `trader models promote {run['model_id']}` approves it"
    )
