"""predictions.daily and decisions.daily -> predictions.explanations of one session."""

import datetime as dt
import logging
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trader_pipeline import panel
from trader_pipeline.ensembles.explain import ENSEMBLE, Explained, rows_of, standardized, weighted_sum
from trader_pipeline.errors import BlockedByDataError
from trader_pipeline.flows.predict import data_version, published_rows
from trader_pipeline.flows.served import Served, served
from trader_pipeline.flows.serving import entered, run_of
from trader_pipeline.inference.forecast import context_of, feature_array
from trader_pipeline.lake import Change, Lake, Snapshot
from trader_pipeline.schema.columns import HORIZONS_SESSIONS
from trader_pipeline.schema.predicted import EXPLANATIONS
from trader_pipeline.settings import Settings

NETWORK_NAMES = 25
"""A network takes seconds a hundred names where thousands are listed: it is explained for so many, those held or nearest to it first."""
_MOST_ERROR = 0.05
"""Completeness error in z that is worth a warning."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainOutcome:
    """`tickers` are those whose ensemble is explained, `listed` all that are predicted; `largest_error` is in z."""

    rows: int
    tickers: int
    listed: int
    largest_error: float
    changed: bool


def explain(lake: Lake, settings: Settings, *, session: dt.date, made_at: dt.datetime, run_id: str) -> ExplainOutcome:
    """Publish why the session's published scores are what they are; leaves the table alone when it speaks of them already.

    Raises `NoModelError` without predictions, `BlockedByDataError` where the data are no longer those that they rest on. Predictions
    whose entry is over are not made anew: where their data are gone, a line says so and the table stays as it is.
    """
    snapshot = lake.snapshot()
    daily = published_rows(snapshot, session)
    first = daily.slice(0, 1).to_pylist()[0]
    keys = {"session": session, "model_id": first["model_id"], "data_version": first["data_version"]}
    query = (
        "select count(*) n from predictions.explanations where session = $session and model_id = $model_id and data_version = $data_version"
    )
    changed = not snapshot.sql(query, keys)["n"][0].as_py()
    moved_on = first["data_version"] != data_version(snapshot)
    if changed and moved_on and entered(session, made_at):
        _log.warning("run %s: the data changed since %s was predicted: its scores cannot be taken apart any more", run_id, session)
        changed = False
    if changed:
        if moved_on:
            raise BlockedByDataError(
                f"the data changed since {session} was predicted, so its scores cannot be taken apart; "
                f"`trader predict --session {session}` makes them anew"
            )
        model = served(snapshot, settings.dataset_home / "models", session, run_of(snapshot, first["model_id"]))
        rows = _rows(model, daily, _network_names(snapshot, session, daily))
        for name, value in (keys | {"made_at": made_at, "run_id": run_id}).items():
            rows = rows.append_column(name, pa.array([value] * rows.num_rows, EXPLANATIONS.arrow_schema.field(name).type))
        lake.publish(Change.upsert(EXPLANATIONS, rows, by=("session",)))
    outcome = _outcome(lake.snapshot(), session, changed=changed)
    say = _log.warning if outcome.largest_error > _MOST_ERROR else _log.info
    say(
        "run %s: %d of %d tickers of %s explained, largest error %.1e z",
        run_id,
        outcome.tickers,
        outcome.listed,
        session,
        outcome.largest_error,
    )
    return outcome


def is_due(snapshot: Snapshot, session: dt.date) -> bool:
    """Say whether the session has predictions, of the data as they are now, that nothing says why of."""
    left = snapshot.sql(
        "select count(*) as n from (select session, model_id, data_version from predictions.daily where session = ? and data_version = ?) "
        "anti join predictions.explanations using (session, model_id, data_version)",
        [session, data_version(snapshot)],
    )
    return bool(left["n"][0].as_py())


def _rows(model: Served, daily: pa.Table, wanted: set[str]) -> pa.Table:
    grid = panel.Grid.of(model.features)
    wanted_N = np.array([ticker in wanted for ticker in grid.tickers])
    features = tuple(dict.fromkeys(name for member in model.members for name in member.features))
    members: dict[str, Explained] = {}
    places = {member.name: [features.index(name) for name in member.features] for member in model.members}
    for member in model.members:
        why = member.explain(*context_of(member, model.features, grid), model.sectors, wanted_N)
        score_NH = _of_horizons(model.forecasts.filter(_is(model.forecasts, "model", member.name)), grid)
        members[member.name] = standardized(score_NH, why)
    value_NF = feature_array(model.features, panel.Grid(grid.tickers, grid.sessions[-1:]), features)[:, 0]
    weights = {name: _of_horizons(model.weights.filter(_is(model.weights, "model", name)), grid, "weight") for name in members}
    ensemble = weighted_sum(members, weights, places, len(features))
    ensemble = Explained(method=ensemble.method, score_NH=_of_horizons(daily, grid), base_NH=ensemble.base_NH, parts_NHF=ensemble.parts_NHF)
    tables = [rows_of(ENSEMBLE, ensemble, grid.tickers, features, value_NF)]
    tables += [
        rows_of(name, why, grid.tickers, [features[f] for f in places[name]], value_NF[:, places[name]]) for name, why in members.items()
    ]
    return pa.concat_tables(tables)


def _of_horizons(rows: pa.Table, grid: panel.Grid, column: str = "score") -> panel.Float:
    """Return a column as [N, H]."""
    one = panel.Grid(grid.tickers, grid.sessions[-1:])
    return np.stack([panel.dense(rows.filter(_is(rows, "horizon_sessions", h)), one, column)[:, 0] for h in HORIZONS_SESSIONS], axis=1)


def _is(rows: pa.Table, column: str, value: object) -> pa.ChunkedArray:
    return pc.equal(rows[column], pa.scalar(value, rows.schema.field(column).type))


def _network_names(snapshot: Snapshot, session: dt.date, daily: pa.Table) -> set[str]:
    """Return the names that are decided upon, the largest positions first, then by rank; any where nothing is decided yet."""
    decided = snapshot.sql("select ticker from decisions.daily where session = ? order by abs(target_weight) desc, rank", [session])
    names = dict.fromkeys([*decided["ticker"].to_pylist(), *daily["ticker"].to_pylist()])
    return set(list(names)[:NETWORK_NAMES])


def _outcome(snapshot: Snapshot, session: dt.date, *, changed: bool) -> ExplainOutcome:
    found = snapshot.sql(
        "select count(*) as rows, count(distinct ticker) filter (model = $ensemble) as tickers, "
        "(select count(distinct ticker) from predictions.daily where session = $session) as listed, "
        "coalesce(max(abs(completeness_error)), 0) as largest_error from predictions.explanations where session = $session",
        {"ensemble": ENSEMBLE, "session": session},
    ).to_pylist()[0]
    return ExplainOutcome(**found, changed=changed)
