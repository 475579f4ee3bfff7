"""Every question that the prediction pages ask of the lake. Values are bound, identifiers come from here."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from trader_pipeline.dashboard.remembered import once_a_snapshot
from trader_pipeline.lake import Snapshot
from trader_pipeline.schema.contracts import DECISIONS, PREDICTIONS
from trader_pipeline.schema.evaluation import IC_WINDOWS
from trader_pipeline.schema.quality import FORCED_SESSION

Row = dict[str, Any]

SESSIONS_LISTED = 120
"""How many past sessions the page offers to go back to."""

SORTABLE = {
    "rank": "rank",
    "ticker": "ticker",
    "sector": "sector",
    "return": "return_mean",
    "range": "q95 - q05",
    "up": "p_up",
    "edge": "p_up - base_rate",
    "outperform": "p_outperform",
    "confidence": "confidence",
    "disagreement": "disagreement",
    "score": "score",
    "weight": "target_weight",
}
"""Sort keys of the page and what each orders by."""

DESCENDING_FIRST = frozenset(SORTABLE) - {"rank", "ticker", "sector"}
"""Columns whose first click puts the largest value on top."""

_ROWS = f"""
with named as (
    select ticker, name from core.ticker_map where valid_from <= $session and (valid_to is null or valid_to >= $session)
    qualify row_number() over (partition by ticker order by valid_from desc) = 1
), sectors as (
    select ticker, sector from core.sectors where valid_from <= $session and (valid_to is null or valid_to >= $session)
    qualify row_number() over (partition by ticker order by valid_from desc) = 1
), ranked as (
    select {PREDICTIONS.select("p")},
           rank() over (partition by p.horizon_sessions order by p.score desc nulls last) as rank, n.name, s.sector,
           d.action, d.target_weight, d.uncut_weight, d.score as decision_score, d.rank as decision_rank
    from predictions.daily p
    left join named n using (ticker) left join sectors s using (ticker)
    left join decisions.daily d on d.session = p.session and d.ticker = p.ticker
    where p.session = $session
)
select * from ranked
where ($horizon is null or horizon_sessions = $horizon)
  and ($ticker is null or ticker = $ticker)
  and ($sector is null or sector = $sector)
  and ($text is null or contains(lower(ticker), lower($text)) or contains(lower(coalesce(name, '')), lower($text)))
"""  # noqa: S608 - names of the contract


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What the page shows of one session's predictions. None is no filter; `horizon` None is every horizon."""

    session: dt.date
    horizon: int | None = None
    text: str | None = None
    sector: str | None = None
    ticker: str | None = None
    sort: str = "rank"
    descending: bool = False


def ask(snapshot: Snapshot, query: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> list[Row]:
    """Return the rows of one SELECT as dictionaries."""
    rows: list[Row] = snapshot.sql(query, values).to_pylist()
    return rows


def predictions(snapshot: Snapshot, selection: Selection) -> list[Row]:
    """Return the selected rows: predictions.daily with name, sector, decision, and the rank in the whole horizon by score."""
    direction = "desc" if selection.descending else "asc"
    query = f"{_ROWS} order by {SORTABLE[selection.sort]} {direction} nulls last, rank, ticker, horizon_sessions"
    values = {"session": selection.session, "horizon": selection.horizon, "text": selection.text}
    return ask(snapshot, query, values | {"sector": selection.sector, "ticker": selection.ticker})


def of_ticker(snapshot: Snapshot, session: dt.date, ticker: str) -> list[Row]:
    """Return one ticker's rows of the session by horizon, as the contract has them: what a program asks for most, and nothing joined."""
    rows, places = _session_rows(snapshot, session)
    first, count = places.get(ticker, (0, 0))
    found: list[Row] = rows.slice(first, count).to_pylist()
    return found


@once_a_snapshot
def _session_rows(snapshot: Snapshot, session: dt.date) -> tuple[pa.Table, dict[str, tuple[int, int]]]:
    """Return the session's rows, and where each ticker's stand among them."""
    query = f"select {PREDICTIONS.select('p')} from predictions.daily p where session = ? order by ticker, horizon_sessions"  # noqa: S608 - names of the contract
    rows = snapshot.sql(query, [session]).combine_chunks()
    places: dict[str, tuple[int, int]] = {}
    for place, name in enumerate(rows["ticker"].to_pylist()):
        first, count = places.get(name, (place, 0))
        places[name] = (first, count + 1)
    return rows, places


@once_a_snapshot
def sessions(snapshot: Snapshot) -> list[dt.date]:
    """Return the newest sessions that have predictions, newest first."""
    query = "select distinct session from predictions.daily order by session desc limit ?"
    return [row["session"] for row in ask(snapshot, query, [SESSIONS_LISTED])]


def sectors(snapshot: Snapshot, session: dt.date) -> list[str]:
    """Return the sectors of the tickers that were predicted, in alphabetical order."""
    query = """select distinct s.sector from core.sectors s semi join predictions.daily p on p.ticker = s.ticker and p.session = $session
               where s.valid_from <= $session and (s.valid_to is null or s.valid_to >= $session) order by 1"""
    return [row["sector"] for row in ask(snapshot, query, {"session": session})]


@once_a_snapshot
def made(snapshot: Snapshot, session: dt.date) -> Row:
    """Return when and by which model the session's rows were made, how many there are and how many abstain."""
    query = """select max(made_at) as made_at, max(model_id) as model_id, max(data_version) as data_version, count(*) as rows,
                      count(distinct ticker) as tickers, count(*) filter (abstained) as abstained
               from predictions.daily where session = ?"""
    return ask(snapshot, query, [session])[0]


def forced(snapshot: Snapshot, session: dt.date) -> str | None:
    """Return what the gate said and was overridden when the session's predictions were made, None where it let them through."""
    rows = ask(snapshot, FORCED_SESSION, [session])
    return str(rows[0]["message"]) if rows else None


def scorecard(snapshot: Snapshot, model_id: str) -> list[Row]:
    """Return the ensemble's scorecard of the model, one row a horizon.

    `windows` are the accuracy's; `ic_windows` the rank IC's, which speaks of the sessions of all folds.
    """
    query = f"""
        select s.*, c.ic_windows from evaluation.scorecard s left join ({IC_WINDOWS}) c using (horizon_sessions)
        where model_id = $model_id and model = 'ensemble' order by horizon_sessions"""  # noqa: S608 - a constant
    return ask(snapshot, query, {"model_id": model_id})


@once_a_snapshot
def attainable(snapshot: Snapshot, model_id: str) -> dict[int, float]:
    """Return by horizon the edge |p_up - base_rate| that confidence 1 stands for; a horizon without any is left out."""
    query = """select horizon_sessions, attainable from training.calibration
               where model_id = ? and model = 'ensemble' and fold = -1 and attainable > 0 order by 1"""
    return {row["horizon_sessions"]: row["attainable"] for row in ask(snapshot, query, [model_id])}


def decision(snapshot: Snapshot, session: dt.date, ticker: str) -> Row | None:
    """Return the ticker's row of decisions.daily with the number of names ranked beside it."""
    ranked = f"select {DECISIONS.select('d')}, count(*) over () as names from decisions.daily d where session = ?"  # noqa: S608 - names of the contract
    rows = ask(snapshot, f"select * from ({ranked}) where ticker = ?", [session, ticker])  # noqa: S608 - the same
    return rows[0] if rows else None


def identity(snapshot: Snapshot, ticker: str) -> Row | None:
    """Return what the lake knows of a ticker: name, exchange, issuer, role, sector, bars; None when it knows nothing."""
    query = """
        select b.ticker, b.first_session, b.last_session, b.bars, m.name, m.exchange, m.issuer_id, m.role, s.sector
        from (select ? as ticker, min(session) as first_session, max(session) as last_session, count(distinct session) as bars
              from core.accepted_bars where ticker = ?) b
        left join (select * from core.ticker_map where ticker = ? order by valid_from desc limit 1) m using (ticker)
        left join (select * from core.sectors where ticker = ? order by valid_from desc limit 1) s using (ticker)"""
    row = ask(snapshot, query, [ticker] * 4)[0]
    return row if row["bars"] or row["exchange"] else None


def peers(snapshot: Snapshot, session: dt.date) -> list[str]:
    """Return the predicted tickers of a session in alphabetical order."""
    query = "select distinct ticker from predictions.daily where session = ? order by 1"
    return [row["ticker"] for row in ask(snapshot, query, [session])]


def ticker_findings(snapshot: Snapshot, ticker: str, limit: int = 20) -> list[Row]:
    """Return what the last checks objected to in the ticker, newest session first."""
    query = """select rule, severity, first_session, last_session, sessions, message from quality.findings
               where ticker = ? and run_id = (select run_id from quality.metrics order by known_at desc, run_id desc limit 1)
               order by last_session desc, rule limit ?"""
    return ask(snapshot, query, [ticker, limit])


@once_a_snapshot
def exchange(snapshot: Snapshot) -> str:
    """Return the exchange that most stocks are listed on; XNYS while the map is empty."""
    rows = snapshot.sql(
        "select exchange, count(*) n from core.ticker_map where role = 'stock' group by 1 order by 2 desc, 1 limit 1"
    ).to_pylist()
    return rows[0]["exchange"] if rows else "XNYS"
