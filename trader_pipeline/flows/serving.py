"""A serving model's calibration, and whether the session's features are fit to be served."""

import datetime as dt
from dataclasses import replace
from typing import Any

from trader_pipeline import calendar
from trader_pipeline.checks.completeness import MIN_LISTED_FOR_OUTAGE
from trader_pipeline.errors import BlockedByDataError, NoModelError
from trader_pipeline.features import PANEL
from trader_pipeline.flows.accept import outage_hold
from trader_pipeline.flows.gate import FORCE, Block, held_back
from trader_pipeline.lake import Snapshot
from trader_pipeline.models import conformal
from trader_pipeline.models.calibrate import Calibration
from trader_pipeline.schema.columns import HORIZONS_SESSIONS
from trader_pipeline.settings import CheckSettings

EXCHANGE = "XNYS"
FETCH = "fetch the missing bars with `trader run`"


def entered(session: dt.date, at: dt.datetime) -> bool:
    """Say whether the session's predictions would come too late at `at`: the next session, in which they are entered, has opened."""
    return at > calendar.open_at(EXCHANGE, calendar.offset(EXCHANGE, session, 1))


def in_time(snapshot: Snapshot, model_id: str) -> list[dt.date]:
    """Return the sessions that the model predicted before they were entered; what it said of others is hindsight."""
    rows = snapshot.sql("select distinct session, made_at from predictions.daily where model_id = ? order by all", [model_id]).to_pylist()
    return [row["session"] for row in rows if not entered(row["session"], row["made_at"])]


def run_of(snapshot: Snapshot, model_id: str) -> dict[str, Any]:
    """Return the row of training.runs. Raises `NoModelError` where there is none."""
    runs = snapshot.sql("select * from training.runs where model_id = ?", [model_id]).to_pylist()
    if not runs:
        raise NoModelError(f"training.runs does not know the model {model_id}; restore the lake, or train one: `trader run`")
    run: dict[str, Any] = runs[0]
    return run


def served_calibrations(snapshot: Snapshot, model_id: str, session: dt.date) -> dict[int, Calibration]:
    """Return the ensemble's calibration of each horizon, moved by how forecasts made in time that ended by the session fared."""
    rows = snapshot.sql(
        "select * from training.calibration where model_id = ? and fold = -1 and model = 'ensemble' order by horizon_sessions", [model_id]
    ).to_pylist()
    missed = _missed(snapshot, model_id, session)
    fitted = {row["horizon_sessions"]: Calibration.from_row(row) for row in rows}
    return {h: replace(one, interval_miss=conformal.after(one.interval_miss, missed.get(h, []))) for h, one in fitted.items()}


def usual_spread(snapshot: Snapshot, model_id: str) -> dict[tuple[str, int], float]:
    """Return by member and horizon the standard deviation of its scores across tickers, the median session of the fold that whispers most.

    Of folds the least counts: a penalty chosen anew makes ridge a hundred times louder in one than in the next.
    """
    rows = snapshot.sql(
        "with daily as (select model, horizon_sessions h, fold, session, stddev_pop(score) spread from predictions.out_of_fold "
        "where model_id = ? group by all), folds as (select model, h, median(spread) spread from daily group by model, h, fold) "
        "select model, h, min(spread) spread from folds group by all",
        [model_id],
    ).to_pylist()
    return {(row["model"], row["h"]): row["spread"] for row in rows}


def _missed(snapshot: Snapshot, model_id: str, session: dt.date) -> dict[int, list[float]]:
    """Return by horizon the share of labels outside q05..q95 of the sessions predicted in time whose labels had ended, oldest first."""
    forward = " ".join(f"when {h} then t.forward_return_{h}d" for h in HORIZONS_SESSIONS)
    rows = snapshot.sql(
        f"with known as (select session, row_number() over (order by session desc) - 1 age from "  # noqa: S608 - names are constants
        "(select distinct session from features.targets where session <= $session)), "
        f"told as (select p.*, case p.horizon_sessions {forward} end y from predictions.daily p "
        "join features.targets t using (ticker, session) join known using (session) where model_id = $model and age >= horizon_sessions "
        "and session in (select unnest($in_time))) "
        "select horizon_sessions h, session, avg(case when y between q05 and q95 then 0.0 else 1.0 end) missed from told "
        "where y is not null and q05 is not null group by all order by h, session",
        {"model": model_id, "session": session, "in_time": in_time(snapshot, model_id)},
    ).to_pylist()
    missed: dict[int, list[float]] = {}
    for row in rows:
        missed.setdefault(row["h"], []).append(row["missed"])
    return missed


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
