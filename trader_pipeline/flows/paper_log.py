"""predictions.daily and what came of it -> predictions.paper_log: rows are added when their horizon has ended, and never changed."""

import datetime as dt
import logging
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from trader_pipeline import calendar
from trader_pipeline.decisions.backtest import Costs
from trader_pipeline.entry import CLOSE, entry_of
from trader_pipeline.flows.paper_ended import outcomes
from trader_pipeline.flows.predict import data_version
from trader_pipeline.flows.serving import EXCHANGE, entered
from trader_pipeline.lake import Change, Lake, Snapshot
from trader_pipeline.schema.columns import HORIZONS_SESSIONS
from trader_pipeline.schema.predicted import NOT_LOGGED, PAPER_LOG
from trader_pipeline.settings import PaperSettings

_OVER = """
with gone as (
    select ticker, valid_to, ended from core.ticker_map where ended in ('delisted', 'presumed')
    qualify row_number() over (partition by ticker order by valid_from desc) = 1
)
select p.session, p.ticker, p.horizon_sessions, p.model_id, p.made_at as predicted_at, p.return_mean, p.p_up, p.base_rate, p.score,
    p.abstained, {forward} as realised_return, {benchmark} as benchmark_return, g.valid_to, g.ended
from predictions.daily p left join features.targets t using (ticker, session) left join gone g using (ticker)
anti join predictions.paper_log l on l.session = p.session and l.ticker = p.ticker and l.horizon_sessions = p.horizon_sessions
where (realised_return is not null or g.ended is not null) and p.p_up is not null and p.session <= $newest
order by p.session, p.ticker, p.horizon_sessions
"""
_PRICES = """
select ticker, session, open, close from core.accepted_bars where session in (select unnest($days))
qualify row_number() over (partition by ticker, session order by known_at desc) = 1
"""

_DEFAULTS = PaperSettings()
_log = logging.getLogger(__name__)

SUMMARY = """
select horizon_sessions, in_time, count(*) as rows, count(distinct session) as sessions, count(ended) as ended,
    avg((position * realised_return > 0)::int) as hit_rate, avg((realised_return > 0)::int) as always_up,
    avg(position * realised_return) as gross_return, avg(cost) as cost, avg(net_return) as net_return,
    avg(net_return) filter (ended is null) as net_return_of_survivors,
    avg(realised_return) as realised_return, avg(benchmark_return) as benchmark_return, corr(score, realised_return) as correlation
from predictions.paper_log where ($ticker is null or ticker = $ticker) group by all order by in_time desc, horizon_sessions
"""
"""Predictions that were made in time apart from hindsight. `ended` counts the delisted, which all but the survivors' mean hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperOutcome:
    """Rows of the log, how many this run added and how many of them were delisted; how many predictions are not in it.

    `waiting`: for the end of their horizon; `without_outcome`: it is over, but a price at entry or exit was never accepted.
    """

    rows: int
    added: int
    ended: int
    waiting: int
    without_outcome: int


def keep_paper_log(
    lake: Lake, *, as_of: dt.datetime, logged_at: dt.datetime, run_id: str, settings: PaperSettings = _DEFAULTS
) -> PaperOutcome:
    """Add the predictions whose horizon ended by `as_of`: label, prices and prediction as they are known now.

    Where the security was delisted before, there is no label: it leaves at its last accepted close, with the return of the settings.

    What stands in the log stays, also where a later correction would say otherwise. A prediction that was made anew before its horizon
    ended is logged as it stands, and `in_time` is false of one made after its entry.
    """
    snapshot = lake.snapshot()
    rows = _over(snapshot, as_of, settings)
    stamp = {"logged_at": logged_at, "data_version": data_version(snapshot), "run_id": run_id}
    if rows:
        table = pa.Table.from_pylist([row | stamp for row in rows], schema=PAPER_LOG.arrow_schema)
        lake.publish(Change.append(PAPER_LOG, table))
    snapshot = lake.snapshot()
    (left,) = snapshot.sql(NOT_LOGGED, {"ticker": None, "newest": calendar.last_closed_session(EXCHANGE, as_of)}).to_pylist()
    ended = sum(row["ended"] is not None for row in rows)
    outcome = PaperOutcome(rows=snapshot.rows(PAPER_LOG), added=len(rows), ended=ended, **left)
    _log.info(
        "run %s: %d predictions came to their end (%d delisted), %d are logged, %d wait, %d have no outcome",
        *(run_id, outcome.added, outcome.ended, outcome.rows, outcome.waiting, outcome.without_outcome),
    )
    return outcome


def is_due(snapshot: Snapshot, as_of: dt.datetime) -> bool:
    """Say whether a prediction whose horizon ended by `as_of` is not in the log."""
    return bool(_over(snapshot, as_of, _DEFAULTS))


def _over(snapshot: Snapshot, as_of: dt.datetime, settings: PaperSettings) -> list[dict[str, Any]]:
    forward, benchmark = (
        "case p.horizon_sessions " + " ".join(f"when {h} then t.{stem}_{h}d" for h in HORIZONS_SESSIONS) + " end"
        for stem in ("forward_return", "benchmark_return")
    )
    newest = calendar.last_closed_session(EXCHANGE, as_of)
    rows = snapshot.sql(_OVER.format(forward=forward, benchmark=benchmark), {"newest": newest}).to_pylist()
    entry = entry_of(snapshot)
    spans = {key: _span(*key, entry) for key in {(row["session"], row["horizon_sessions"]) for row in rows}}
    rows = [row | spans[row["session"], row["horizon_sessions"]] for row in rows]
    rows = [row for row in rows if row["exit_session"] <= newest]
    labelled = [row | {"ended": None} for row in rows if row["realised_return"] is not None]
    days = sorted({row[end] for row in labelled for end in ("entry_session", "exit_session")})
    prices = {(p["ticker"], p["session"]): p for p in snapshot.sql(_PRICES, {"days": days}).to_pylist()} if labelled else {}
    for row in labelled:
        row["entry_price"] = prices.get((row["ticker"], row["entry_session"]), {}).get(entry)
        row["exit_price"] = prices.get((row["ticker"], row["exit_session"]), {}).get("close")
    gone = [row for row in rows if row["realised_return"] is None and row["valid_to"] < row["exit_session"]]
    found = labelled + outcomes(snapshot, gone, entry=entry, delisting_return=settings.delisting_return)
    cost = 2 * Costs().per_trade
    for row in found:
        del row["valid_to"]
        position = 1 if row["p_up"] > 1 / 2 else -1
        row |= {
            "in_time": not entered(row["session"], row["predicted_at"]),
            "entry": entry,
            "position": position,
            "cost": cost,
            "net_return": position * row["realised_return"] - cost,
        }
    return found


def _span(session: dt.date, horizon: int, entry: str) -> dict[str, dt.date]:
    """Return the sessions of entry and exit."""
    first = session if entry == CLOSE else calendar.offset(EXCHANGE, session, 1)
    return {"entry_session": first, "exit_session": calendar.offset(EXCHANGE, session, horizon)}
