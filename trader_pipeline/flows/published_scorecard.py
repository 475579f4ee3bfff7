"""What evaluation says of a judged model as one answer: targets, skill, strategy, segments, members, where it fails."""

import datetime as dt
from typing import Any

from trader_pipeline.champion import judged_model
from trader_pipeline.errors import NotMadeError
from trader_pipeline.lake import Snapshot

HINDSIGHT = {
    "deep": "11 names chosen later, because they became large: every figure is flattered by that choice",
    "us20": "20 names of 2022, all of which lived through 33 years: every figure is flattered by that choice; adjusted closes alone",
    "broad": "members of one list of about 2013, one year",
    "simulated": "a simulated market: its signal was planted",
    "live": "today's list of names: those that were delisted before are not in it",
    "own": "the names of your files: those that ended before are not in them unless you put them there",
}
"""What the names of a dataset were chosen by."""

_TABLES = {
    "evaluation.tasks": "position",
    "evaluation.scorecard": "horizon_sessions, model",
    "evaluation.coverage_curve": "horizon_sessions, asked desc",
    "evaluation.strategy": "against desc, cost_multiple",
    "evaluation.segments": "model, horizon_sessions, kind, segment",
    "training.ensemble_weights": "fold, horizon_sessions, regime, model",
    "training.diversity": "horizon_sessions, model, other",
}
"""What is answered under the table's name, and its order."""


def published_scorecard(snapshot: Snapshot, dataset: str, *, as_of: dt.datetime, model_id: str = "") -> dict[str, Any]:
    """Return everything of the judged model that is named, else of the one that serves at `as_of`, and the universe by year.

    Raises `NotMadeError` without one.
    """
    judged = judged_model(snapshot, as_of, model_id)
    if judged is None:
        raise NotMadeError(snapshot.missing("evaluation.tasks"))
    chosen = judged["model_id"]
    rows = {table.partition(".")[2]: _rows(snapshot, table, order, chosen) for table, order in _TABLES.items()}
    failing = [row for row in rows["segments"] if row["model"] == "ensemble" and row["worst"]]
    members = snapshot.sql(
        "select year(session) as year, count(distinct ticker) as tickers from features.targets "
        "where scaled_return_1d is not null group by 1 order by 1"
    )
    return {
        "dataset": dataset,
        "model_id": chosen,
        "state": judged["state"],
        "as_of": judged["known_at"],
        "names": HINDSIGHT[dataset],
        "members_by_year": members.to_pylist(),
        "worst": [row["line"] for row in sorted(failing, key=lambda row: int(row["worst"]))],
        **{name: [_without_keys(row) for row in found] for name, found in rows.items()},
    }


def _rows(snapshot: Snapshot, table: str, order: str, model_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = snapshot.sql(
        f"select * from {table} where model_id = ? order by {order}",  # noqa: S608 - names are constants
        [model_id],
    ).to_pylist()
    return found


def _without_keys(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in {"model_id", "known_at"}}
