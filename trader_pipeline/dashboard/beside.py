"""What the pages ask about predictions beside the numbers: why, what changed, and how earlier ones came out."""

import datetime as dt
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from trader_pipeline.dashboard.queries import Row, ask
from trader_pipeline.lake import Snapshot
from trader_pipeline.schema.predicted import LOST, NEW, NOT_LOGGED, SAME

MOVES_SHOWN = 8
LOGGED_SHOWN = 12
ENSEMBLE = "ensemble"

_SUMMARY = """
select horizon_sessions, count(*) as rows, count(distinct session) as sessions, avg((position * realised_return > 0)::int) as hit_rate,
    avg(position * realised_return) as gross_return, avg(net_return) as net_return, avg(realised_return) as realised_return,
    avg(benchmark_return) as benchmark_return, count(ended) as ended
from predictions.paper_log where in_time group by 1 order by 1
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """One horizon's score taken apart. `parts` from the base value to all others; `members` are the members' own scores."""

    horizon: int
    score: float
    error: float
    parts: list[Row]
    members: list[Row]

    @property
    def widest(self) -> float:
        """The largest contribution by amount: the common scale of the bars."""
        return max(abs(row["contribution"]) for row in self.parts) or 1.0


def why(snapshot: Snapshot, session: dt.date, ticker: str) -> list[Why]:
    """Return the ensemble's score of each horizon taken apart; empty where the ticker is not explained."""
    rows = ask(
        snapshot,
        "select horizon_sessions, model, rank, feature, contribution, value, score, method, completeness_error "
        "from predictions.explanations where session = ? and ticker = ? order by horizon_sessions, model, rank",
        [session, ticker],
    )
    found = []
    for horizon, group in groupby(rows, key=lambda row: row["horizon_sessions"]):
        each = list(group)
        parts = [row for row in each if row["model"] == ENSEMBLE]
        members = [row for row in each if row["model"] != ENSEMBLE and row["rank"] == 0]
        if parts:
            facts = {"score": parts[0]["score"], "error": parts[0]["completeness_error"]}
            found.append(Why(horizon=horizon, parts=parts, members=members, **facts))
    return found


def explained(snapshot: Snapshot, session: dt.date) -> int:
    """Return for how many tickers the session's ensemble is explained."""
    query = "select count(distinct ticker) as n from predictions.explanations where session = ? and model = 'ensemble'"
    return int(ask(snapshot, query, [session])[0]["n"])


def ticker_changes(snapshot: Snapshot, session: dt.date, ticker: str) -> list[Row]:
    """Return what changed in the ticker since the session before that has predictions, one row a horizon."""
    return ask(snapshot, "select * from predictions.changes where session = ? and ticker = ? order by horizon_sessions", [session, ticker])


def changes(snapshot: Snapshot, session: dt.date, horizon: int | None) -> dict[str, Any] | None:
    """Return new and lost names, how many flipped and moved, by cause, and the largest moves; None where nothing was compared."""
    rows = ask(
        snapshot,
        "select * from predictions.changes where session = $session and ($horizon is null or horizon_sessions = $horizon) "
        "order by kind = 'flipped' desc, abs(rank_move) desc nulls last, ticker, horizon_sessions",
        {"session": session, "horizon": horizon},
    )
    if not rows:
        return None
    names = {kind: sorted({row["ticker"] for row in rows if row["kind"] == kind}) for kind in (NEW, LOST)}
    told = [row for row in rows if row["kind"] not in (NEW, LOST, SAME)]
    causes = {cause: sum(row["cause"] == cause for row in told) for cause in ("price", "data", "model")}
    return {
        "since": rows[0]["previous_session"],
        "new": names[NEW],
        "lost": names[LOST],
        "flipped": sum(row["kind"] == "flipped" for row in told),
        "moved": len(told),
        "of": len(rows),
        "causes": {cause: n for cause, n in causes.items() if n},
        "moves": told[:MOVES_SHOWN],
        "model": None if rows[0]["model_id"] == rows[0]["previous_model_id"] else (rows[0]["previous_model_id"], rows[0]["model_id"]),
    }


def logged(snapshot: Snapshot, ticker: str) -> list[Row]:
    """Return the ticker's predictions that ended last."""
    query = f"select * from predictions.paper_log where ticker = ? order by exit_session desc, horizon_sessions limit {LOGGED_SHOWN}"  # noqa: S608 - a constant
    return ask(snapshot, query, [ticker])


def paper(snapshot: Snapshot) -> dict[str, Any]:
    """Return how the predictions that were made in time came out by horizon, and how many are hindsight, wait or have no outcome."""
    counts = ask(snapshot, "select count(*) as hindsight from predictions.paper_log where not in_time")[0]
    last = ask(snapshot, "select max(session) as last from core.accepted_bars")[0]["last"]
    counts |= ask(snapshot, NOT_LOGGED, {"ticker": None, "newest": last})[0]
    return {"horizons": ask(snapshot, _SUMMARY)} | counts
