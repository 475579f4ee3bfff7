"""A model at one session: its members, its inputs, and what the ensemble of them says, uncalibrated."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from trader_pipeline.ensembles.combine import combine
from trader_pipeline.ensembles.weights import equal_weights
from trader_pipeline.errors import BlockedByDataError, CorruptPartError
from trader_pipeline.flows.train import sectors_on
from trader_pipeline.inference.forecast import flat_horizons, forecast_last_session
from trader_pipeline.lake import Snapshot
from trader_pipeline.models import checkpoint
from trader_pipeline.models.member import Member


@dataclass(frozen=True, kw_only=True, eq=False)
class Served:
    """`run` is its row of training.runs; `features` are the rows of features.panel that the session's forecast looks at."""

    run: Mapping[str, Any]
    folder: Path
    session: dt.date
    members: list[Member]
    features: pa.Table
    sectors: Mapping[str, str]

    @property
    def weights(self) -> dict[str, float]:
        """How much each member counts."""
        return equal_weights(member.name for member in self.members)

    @cached_property
    def forecasts(self) -> pa.Table:
        """Every member's rows of the session. Raises `BlockedByDataError` where they tell no ticker apart."""
        rows = forecast_last_session(self.members, self.features, self.sectors)
        if flat := flat_horizons(rows):
            raise BlockedByDataError(
                f"model {self.run['model_id']} gives every ticker the same score on {self.session} at {flat} sessions ahead: the features "
                "are constant across tickers, or training collapsed; look at features.panel of that session, then train again with "
                "another seed or recipe"
            )
        return rows

    @cached_property
    def ensemble(self) -> pa.Table:
        """The members' forecasts in one."""
        return combine(self.forecasts, self.weights)


def served(snapshot: Snapshot, models: Path, session: dt.date, run: Mapping[str, Any]) -> Served:
    """Return the model of `run` at the session. Raises `CorruptPartError`, `NoModelError` where its folder is not what was published."""
    folder = models / run["folder"]
    if checkpoint.verify(folder) != run["manifest_sha256"]:
        raise CorruptPartError(f"{folder / checkpoint.MANIFEST} is not the one that training.runs names; restore the folder or train again")
    members = checkpoint.load_members(folder)
    features = snapshot.sql(
        "select * from features.panel where session in "
        "(select distinct session from features.panel where session <= $session order by session desc limit $context) "
        "order by ticker, session",
        {"session": session, "context": max(member.context_sessions for member in members)},
    )
    return Served(run=run, folder=folder, session=session, members=members, features=features, sectors=sectors_on(snapshot, session))
