"""A model at one session: its members, its inputs, and what the ensemble of them says, uncalibrated."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from trader_pipeline.errors import BlockedByDataError, CorruptPartError
from trader_pipeline.flows.pooled import pooled_of_session, row_weights_of_session
from trader_pipeline.flows.serving import usual_spread
from trader_pipeline.flows.train import sectors_on
from trader_pipeline.inference.dispersion import flat_cause, flat_horizons
from trader_pipeline.inference.forecast import forecast_last_session
from trader_pipeline.lake import Snapshot
from trader_pipeline.models import checkpoint
from trader_pipeline.models.member import Member


@dataclass(frozen=True, kw_only=True, eq=False)
class Served:
    """`run` is its row of training.runs; `features` are the rows of features.panel that the session's forecast looks at."""

    snapshot: Snapshot
    run: Mapping[str, Any]
    folder: Path
    session: dt.date
    members: list[Member]
    features: pa.Table
    sectors: Mapping[str, str]

    @cached_property
    def forecasts(self) -> pa.Table:
        """Every member's rows of the session. Raises `BlockedByDataError` where they tell no ticker apart."""
        rows = forecast_last_session(self.members, self.features, self.sectors)
        usual = usual_spread(self.snapshot, self.run["model_id"])
        if flat := flat_horizons(rows, usual):
            today = self.features.filter(pc.equal(self.features["session"], self.session))
            raise BlockedByDataError(
                f"model {self.run['model_id']} gives every ticker the same score on {self.session}, or nearly, at {flat} sessions ahead: "
                f"{flat_cause(flat, usual, self.members, today)}"
            )
        return rows

    @cached_property
    def ensemble(self) -> pa.Table:
        """The members' forecasts in one."""
        return pooled_of_session(self.snapshot, self.forecasts, self.session, self.run["model_id"])

    @cached_property
    def weights(self) -> pa.Table:
        """What each member counts in it: ticker, session, horizon_sessions, model, weight."""
        return row_weights_of_session(self.snapshot, self.forecasts, self.session, self.run["model_id"])


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
    sectors = sectors_on(snapshot, session)
    return Served(snapshot=snapshot, run=run, folder=folder, session=session, members=members, features=features, sectors=sectors)
