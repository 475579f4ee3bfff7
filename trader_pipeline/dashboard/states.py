"""What the prediction page can say of itself: fresh, stale, historical sample, abstained, or what is missing and the mend."""

import datetime as dt
from dataclasses import dataclass
from typing import Literal

from trader_pipeline import calendar, formats
from trader_pipeline.dashboard import queries
from trader_pipeline.lake import Snapshot
from trader_pipeline.schema.makers import BRINGS
from trader_pipeline.settings import Settings

Kind = Literal["fresh", "stale", "sample", "abstained", "no_model", "insufficient_history", "no_predictions", "no_lake"]

HISTORICAL = dict.fromkeys(("deep", "broad", "us20"), "historical sample") | {"simulated": "simulated market"}
"""Datasets that end where they end: being old is not being stale."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """One line that says where the page stands. `command` mends it, None where nothing needs mending."""

    kind: Kind
    title: str
    detail: str = ""
    command: str | None = None

    @property
    def has_predictions(self) -> bool:
        """Whether there are rows to show."""
        return self.kind in ("fresh", "stale", "sample", "abstained")


def no_lake(settings: Settings) -> State:
    """Return the state of a home without any data."""
    return State(
        kind="no_lake",
        title="No predictions available",
        detail=f"The dataset {settings.dataset!r} has no data yet: {settings.dataset_home} holds no lake.",
        command=BRINGS[settings.dataset],
    )


def missing(snapshot: Snapshot, settings: Settings, session: dt.date | None, *, sessions_needed: int | None) -> State:
    """Return why there are no predictions (of `session`, or at all), and the command that makes them."""
    if session is not None and (newest := queries.sessions(snapshot)):
        return State(
            kind="no_predictions",
            title=f"No predictions for {session}",
            detail=f"The newest session with predictions is {newest[0]}.",
            command=f"trader predict --session {session}",
        )
    if snapshot.rows("training.runs"):
        return State(
            kind="no_predictions",
            title="No predictions available",
            detail="A trained model is there, but it has not been asked for a forecast.",
            command="trader predict",
        )
    return _without_model(snapshot, settings, sessions_needed)


def _without_model(snapshot: Snapshot, settings: Settings, sessions_needed: int | None) -> State:
    have = queries.ask(snapshot, "select count(distinct session) as n from core.accepted_bars")[0]["n"]
    if sessions_needed is not None and have < sessions_needed:
        return State(
            kind="insufficient_history",
            title="No predictions available: not enough history",
            detail=f"The lake holds {formats.plural(have, 'session')}; the recipe {settings.recipe!r} needs {sessions_needed:,}. "
            "Data status shows what was checked.",
            command="trader demo --sample deep" if settings.dataset == "broad" else f"trader run --source {_source(settings)}",
        )
    return State(
        kind="no_model",
        title="No predictions available: no trained model",
        detail=f"The lake holds {formats.plural(have, 'session')} of accepted bars and no training run.",
        command=f"trader run --source {_source(settings)}",
    )


def _source(settings: Settings) -> str:
    return {"live": "yahoo", "own": "own --path DIR", "simulated": "simulated"}.get(settings.dataset, "sample")


def of_session(snapshot: Snapshot, settings: Settings, session: dt.date, now: dt.datetime) -> State:
    """Return how the predictions of `session` stand at `now`."""
    made = queries.made(snapshot, session)
    if not made["rows"]:
        return missing(snapshot, settings, session, sessions_needed=None)
    behind = 0 if settings.dataset in HISTORICAL else calendar.staleness(queries.exchange(snapshot), session, now)
    if behind:
        return State(
            kind="stale",
            title=f"Stale: {formats.plural(behind, 'session')} behind",
            detail=f"The exchange closed {formats.plural(behind, 'session')} after {session}.",
            command=f"trader run --source {_source(settings)}",
        )
    if made["abstained"] == made["rows"]:
        return State(
            kind="abstained",
            title="Every forecast abstains",
            detail=f"No forecast of {session} is confident enough (at least {settings.decisions.abstain_confidence:g}) on inputs that are "
            "familiar enough. Ranks and numbers stay, in grey.",
        )
    if settings.dataset in HISTORICAL:
        return State(kind="sample", title=f"{HISTORICAL[settings.dataset].capitalize()} to {session}", detail="Not today's market.")
    return State(kind="fresh", title="Fresh", detail=f"{session} is the last closed session.")
