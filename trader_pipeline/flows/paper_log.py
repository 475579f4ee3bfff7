"""predictions.daily and what came of it -> predictions.paper_log: rows are added when their horizon has ended, and never changed."""

import datetime as dt
import logging
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from trader_pipeline import calendar
from trader_pipeline.decisions.backtest import Costs
from trader_pipeline.flows.predict import data_version
from trader_pipeline.flows.serving import EXCHANGE, entered
from trader_pipeline.lake import Change, Lake, Snapshot
from trader_pipeline.schema.columns import HORIZONS_SESSIONS
from trader_pipeline.schema.predicted import PAPER_LOG

_ENDED = """
select p.session, p.ticker, p.horizon_sessions, p.model_id, p.made_at as predicted_at, p.return_mean, p.p_up, p.base_rate, p.score,
    p.abstained, {forward} as realised_return, {benchmark} as benchmark_return
from predictions.daily p join features.targets t using (ticker, session)
anti join predictions.paper_log l on l.session = p.session and l.ticker = p.ticker and l.horizon_sessions = p.horizon_sessions
where realised_return is not null and p.p_up is not null and p.session <= $newest order by p.session, p.ticker, p.horizon_sessions
"""
_PRICES = "select ticker, session, open, close from core.accepted_bars where session in (select unnest($days))"

SUMMARY = """
select horizon_sessions, in_time, count(*) as rows, count(distinct session) as sessions,
    avg((position * realised_return > 0)::int) as hit_rate, avg((realised_return > 0)::int) as always_up,
    avg(position * realised_return) as gross_return, avg(cost) as cost, avg(net_return) as net_return,
    avg(realised_return) as realised_return, avg(benchmark_return) as benchmark_return, corr(score, realised_return) as correlation
from predictions.paper_log where ($ticker is null or ticker = $ticker) group by all order by in_time desc, horizon_sessions
"""
"""Predictions that were made in time apart from hindsight."""

WAITING = """
select count(*) from predictions.daily anti join predictions.paper_log using (session, ticker, horizon_sessions)
where $ticker is null or ticker = $ticker
"""
"""How many have no row in the log: one that was logged counts once, also where its prediction is gone or made anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperOutcome:
    """Rows of the log, how many this run added, and how many predictions still wait for the end of their horizon."""

    rows: int
    added: int
    waiting: int


_log = logging.getLogger(__name__)


def keep_paper_log(lake: Lake, *, as_of: dt.datetime, logged_at: dt.datetime, run_id: str) -> PaperOutcome:
    """Add the predictions whose horizon ended by `as_of`: label, prices and prediction as they are known now.

    What stands in the log stays, also where a later correction would say otherwise. A prediction that was made anew before its horizon
    ended is logged as it stands, and `in_time` is false of one made after its entry.
    """
    snapshot = lake.snapshot()
    rows = _ended(snapshot, as_of)
    stamp = {"logged_at": logged_at, "data_version": data_version(snapshot), "run_id": run_id}
    if rows:
        table = pa.Table.from_pylist([row | stamp for row in rows], schema=PAPER_LOG.arrow_schema)
        lake.publish(Change.append(PAPER_LOG, table))
    snapshot = lake.snapshot()
    waiting = snapshot.sql(WAITING, {"ticker": None}).column(0)[0].as_py()
    outcome = PaperOutcome(rows=snapshot.rows(PAPER_LOG), added=len(rows), waiting=waiting)
    _log.info("run %s: %d predictions came to their end, %d are logged, %d wait", run_id, outcome.added, outcome.rows, outcome.waiting)
    return outcome


def is_due(snapshot: Snapshot, as_of: dt.datetime) -> bool:
    """Say whether a prediction whose horizon ended by `as_of` is not in the log."""
    return bool(_ended(snapshot, as_of))


def _ended(snapshot: Snapshot, as_of: dt.datetime) -> list[dict[str, Any]]:
    forward, benchmark = (
        "case p.horizon_sessions " + " ".join(f"when {h} then t.{stem}_{h}d" for h in HORIZONS_SESSIONS) + " end"
        for stem in ("forward_return", "benchmark_return")
    )
    newest = calendar.last_closed_session(EXCHANGE, as_of)
    rows = snapshot.sql(_ENDED.format(forward=forward, benchmark=benchmark), {"newest": newest}).to_pylist()
    spans = {key: _span(*key) for key in {(row["session"], row["horizon_sessions"]) for row in rows}}
    rows = [row for row in rows if spans[row["session"], row["horizon_sessions"]][1] <= newest]
    days = sorted({day for span in spans.values() for day in span})
    prices = {(p["ticker"], p["session"]): p for p in snapshot.sql(_PRICES, {"days": days}).to_pylist()} if rows else {}
    cost = 2 * Costs().per_trade
    for row in rows:
        entry, leave = spans[row["session"], row["horizon_sessions"]]
        position = 1 if row["p_up"] > 1 / 2 else -1
        row |= {
            "in_time": not entered(row["session"], row["predicted_at"]),
            "entry_session": entry,
            "entry_price": prices.get((row["ticker"], entry), {}).get("open"),
            "exit_session": leave,
            "exit_price": prices.get((row["ticker"], leave), {}).get("close"),
            "position": position,
            "cost": cost,
            "net_return": position * row["realised_return"] - cost,
        }
    return rows


def _span(session: dt.date, horizon: int) -> tuple[dt.date, dt.date]:
    return calendar.offset(EXCHANGE, session, 1), calendar.offset(EXCHANGE, session, horizon)
