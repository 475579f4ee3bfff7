"""predictions.daily and features.panel -> decisions.daily, one session at a time."""

import datetime as dt
import logging
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trader_pipeline.decisions import scores
from trader_pipeline.decisions.engine import Candidates
from trader_pipeline.errors import NoModelError
from trader_pipeline.flows.contracts import require_kept
from trader_pipeline.flows.paper_portfolio import engine_of, issuers_of
from trader_pipeline.flows.serving import entered
from trader_pipeline.lake import Change, Lake, Snapshot
from trader_pipeline.schema import contracts
from trader_pipeline.schema.columns import HORIZONS_SESSIONS
from trader_pipeline.schema.outputs import DECISIONS
from trader_pipeline.settings import Settings

_STAMPS = ("made_at", "run_id")
_RESTS_ON = ("model_id", "data_version")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class DecideOutcome:
    """What decisions.daily holds of the session. `horizon_weights` are the weights of the ML score by horizon.

    `kept` says that its entry is over, so that what was decided stands, whatever the settings are now.
    """

    rows: int
    buys: int
    gross: float
    momentum_share: float
    ml_share: float
    horizon_weights: dict[int, float]
    changed: bool
    kept: bool = False


def decide(lake: Lake, settings: Settings, *, session: dt.date, made_at: dt.datetime, run_id: str, force: bool = False) -> DecideOutcome:
    """Blend, size and limit the session's names and publish; leaves the table alone when the decisions are what it holds.

    What was decided on these predictions stays once their entry is over at `made_at`: made again it would be hindsight. `force` makes it
    anew.

    Raises `NoModelError` when the session has no predictions, `BlockedByDataError` when the rows break what consumers were promised.
    """
    snapshot = lake.snapshot()
    predictions = snapshot.sql("select * from predictions.daily where session = ? order by ticker, horizon_sessions", [session])
    if not predictions.num_rows:
        raise NoModelError(
            f"predictions.daily has no row of {session}, so there is nothing to decide on; run `trader predict --session {session}`"
        )
    weights = _horizon_weights(snapshot, predictions["model_id"][0].as_py())
    old = DECISIONS.conform(snapshot.sql("select * from decisions.daily where session = ? order by ticker", [session]))
    kept = entered(session, made_at) and not force and old.num_rows > 0 and all(old[k][0] == predictions[k][0] for k in _RESTS_ON)
    if kept:
        rows, changed = old, False
        _log.info("run %s: the entry of %s is over: what was decided stays; --force makes it anew, in hindsight", run_id, session)
    else:
        decided = engine_of(settings.decisions).decide(_candidates(snapshot, session, predictions, weights))
        rows = _stamped(decided, predictions, session, made_at, run_id)
        changed = not rows.drop_columns(list(_STAMPS)).equals(old.drop_columns(list(_STAMPS)))
    if changed:
        require_kept(contracts.DECISIONS, session, rows)
        lake.publish(Change.upsert(DECISIONS, rows, by=("session",)))
        _log.info("run %s decided on %d names of %s", run_id, rows.num_rows, session)
    return DecideOutcome(
        rows=rows.num_rows,
        buys=pc.sum(pc.equal(rows["action"], "buy")).as_py(),
        gross=float(np.abs(rows["target_weight"].to_numpy()).sum()),
        momentum_share=rows["momentum_share"][0].as_py() or 0.0,
        ml_share=rows["ml_share"][0].as_py() or 0.0,
        horizon_weights=dict(zip(HORIZONS_SESSIONS, weights.tolist(), strict=True)),
        changed=changed,
        kept=kept,
    )


def _horizon_weights(snapshot: Snapshot, model_id: str) -> scores.Floats:
    rows = snapshot.sql(
        "select horizon_sessions, rank_ic from evaluation.scorecard where model_id = ? and model = 'ensemble'", [model_id]
    ).to_pylist()
    ic = {row["horizon_sessions"]: row["rank_ic"] for row in rows}
    return scores.horizon_weights([np.nan if ic.get(horizon) is None else ic[horizon] for horizon in HORIZONS_SESSIONS])


def _candidates(snapshot: Snapshot, session: dt.date, predictions: pa.Table, weights: scores.Floats) -> Candidates:
    tickers = sorted(set(predictions["ticker"].to_pylist()))
    columns = ", ".join(f"p.{name}" for name in scores.MOMENTUM_FEATURES)
    known = snapshot.sql(
        f"select ticker, {columns}, t.volatility_daily "  # noqa: S608 - names are constants
        "from features.panel p join features.targets t using (ticker, session) where session = ?",
        [session],
    ).to_pylist()
    facts = {row["ticker"]: row for row in known}
    forecast = {(row["ticker"], row["horizon_sessions"]): row for row in predictions.to_pylist()}

    def column(name: str) -> scores.Floats:
        return np.array([_number(facts.get(ticker, {}).get(name)) for ticker in tickers])[:, None]

    score_HNT = np.array([[[_number(forecast.get((t, h), {}).get("score"))] for t in tickers] for h in HORIZONS_SESSIONS])
    return Candidates(
        tickers=tickers,
        issuers=issuers_of(snapshot, tuple(tickers)),
        momentum_score=scores.momentum_score({name: column(name) for name in scores.MOMENTUM_FEATURES})[:, 0],
        ml_score=scores.ml_score(score_HNT, weights)[:, 0],
        volatility_daily=column("volatility_daily")[:, 0],
        abstained=[sum(bool(forecast.get((t, h), {}).get("abstained", True)) for h in HORIZONS_SESSIONS) for t in tickers],
        horizons=len(HORIZONS_SESSIONS),
    )


def _number(value: float | None) -> float:
    return np.nan if value is None else float(value)


def _stamped(decided: pa.Table, predictions: pa.Table, session: dt.date, made_at: dt.datetime, run_id: str) -> pa.Table:
    """Add the keys; model and data version are those of the predictions that the decisions rest on."""
    fixed = {
        "session": session,
        "model_id": predictions["model_id"][0].as_py(),
        "data_version": predictions["data_version"][0].as_py(),
        "made_at": made_at,
        "run_id": run_id,
    }
    for name, value in fixed.items():
        decided = decided.append_column(name, pa.array([value] * decided.num_rows, DECISIONS.arrow_schema.field(name).type))
    return DECISIONS.sorted(DECISIONS.conform(decided))
