"""Which model serves a session, its calibration, and whether the session's features are fit to be served."""

import datetime as dt
from typing import Any

from trader_pipeline import calendar
from trader_pipeline.checks.completeness import MIN_LISTED_FOR_OUTAGE
from trader_pipeline.errors import BlockedByDataError, NoModelError
from trader_pipeline.features import PANEL
from trader_pipeline.flows.accept import outage_hold
from trader_pipeline.flows.gate import FORCE, Block, held_back
from trader_pipeline.lake import Snapshot
from trader_pipeline.models.calibrate import Calibration
from trader_pipeline.settings import CheckSettings

EXCHANGE = "XNYS"
FETCH = "fetch the missing bars with `trader run`"


def serving_run(snapshot: Snapshot, session: dt.date, as_of: dt.datetime) -> dict[str, Any]:
    """Return the newest run that had seen nothing after the session; a model under a leak alarm serves only where no other can.

    What a run was trained on was known at its `as_of`: labels that ended later were not there, so one of up to the session's close + 30
    minutes has seen no return after it, whatever `as_of` a backfill says.
    """
    as_of = min(as_of, calendar.known_at(EXCHANGE, session))
    runs = snapshot.sql(
        "select r.*, exists (select 1 from training.calibration c where c.model_id = r.model_id and c.fold = -1) calibrated, "
        "exists (select 1 from evaluation.scorecard s where s.model_id = r.model_id and s.model = 'ensemble' and s.leak_alarm is not null) "
        "alarmed "
        "from training.runs r where as_of <= $as_of and trained_through < $session "
        "order by calibrated desc, alarmed, as_of desc, finished_at desc, model_id limit 1",
        {"as_of": as_of, "session": session},
    ).to_pylist()
    if not runs:
        raise NoModelError(f"no model was trained on what was known at {as_of:%Y-%m-%d %H:%M} UTC; train one: `trader run`")
    run: dict[str, Any] = runs[0]
    if not run["calibrated"]:
        raise NoModelError(f"model {run['model_id']} is trained but not calibrated, its evaluation did not finish; run `trader run`")
    return run


def run_of(snapshot: Snapshot, model_id: str) -> dict[str, Any]:
    """Return the row of training.runs. Raises `NoModelError` where there is none."""
    runs = snapshot.sql("select * from training.runs where model_id = ?", [model_id]).to_pylist()
    if not runs:
        raise NoModelError(f"training.runs does not know the model {model_id}; restore the lake, or train one: `trader run`")
    run: dict[str, Any] = runs[0]
    return run


def calibrations_of(snapshot: Snapshot, model_id: str) -> dict[int, Calibration]:
    """Return the serving calibration of each horizon."""
    rows = snapshot.sql(
        "select * from training.calibration where model_id = ? and fold = -1 order by horizon_sessions", [model_id]
    ).to_pylist()
    return {row["horizon_sessions"]: Calibration(**{name: row[name] for name in Calibration.__dataclass_fields__}) for row in rows}


def require_fresh(snapshot: Snapshot, session: dt.date, checks: CheckSettings, *, force: bool = False) -> tuple[Block, ...]:
    """Raise `BlockedByDataError` unless the panel speaks of the session, for nearly every ticker that it spoke of just before.

    Where very few tickers are listed, one that ended is no outage: the others are served. With `force` the tickers that are there
    are served too, and what was overridden is returned; a session without any row cannot be forced.
    """
    if not snapshot.rows(PANEL):
        raise BlockedByDataError("features.panel is empty; run `trader run`")
    found = snapshot.sql(
        "with recent as (select distinct session from features.panel where session <= $session order by session desc limit $recent) "
        "select (select max(session) from recent) newest, "
        "(select count(distinct ticker) from features.panel semi join recent using (session)) listed, "
        "(select count(*) from features.panel where session = $session) here",
        {"session": session, "recent": checks.stale_error + 1},
    ).to_pylist()[0]
    if not found["here"]:
        if hold := outage_hold(snapshot):
            raise BlockedByDataError(
                f"features.panel has no row of {session}: an outage of the source holds everything from {hold} on back; `trader run` "
                f"asks for the missing tickers again, --as-of {calendar.offset(EXCHANGE, hold, -1)} speaks of the session before"
            )
        newest = found["newest"]
        behind = f"its newest session is {newest}, {_sessions_between(newest, session)} sessions behind" if newest else "it starts later"
        since = newest + dt.timedelta(days=1) if newest else session
        raise BlockedByDataError(f"features.panel has no row of {session}: {behind}; {held_back(snapshot, since, session) or FETCH}")
    missing = 1 - found["here"] / found["listed"]
    if missing > checks.outage_ratio and found["listed"] >= MIN_LISTED_FOR_OUTAGE:
        fact = (
            f"features.panel has {found['here']} of {found['listed']} tickers on {session}: {missing:.0%} are missing, "
            f"{checks.outage_ratio:.0%} are allowed (checks.outage_ratio)"
        )
        if not force:
            raise BlockedByDataError(f"{fact}; {held_back(snapshot, session, session) or FETCH}; {FORCE}")
        return (Block(table=PANEL.full_name, rule="outage", fact=fact),)
    return ()


def _sessions_between(first: dt.date, last: dt.date) -> int:
    """Return how many sessions lie after `first` up to `last`."""
    return max(len(calendar.sessions(EXCHANGE, first, last)) - 1, 0)
