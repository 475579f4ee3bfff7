"""What is announced: whether an earnings report or an ex-dividend day lies inside a horizon."""

import datetime as dt

from trader_pipeline import calendar
from trader_pipeline.flows.serving import EXCHANGE
from trader_pipeline.lake import Snapshot
from trader_pipeline.schema.columns import HORIZONS_SESSIONS

_REPORTS = """
select ticker, report_date as day from core.earnings
where report_date > $session and known_at <= $as_of and eps_actual is null and revenue_actual is null
"""
_DIVIDENDS = """
select ticker, session as day from core.corporate_actions
where session > $session and known_at <= $as_of and kind = 'dividend' and value > 0
"""

Inside = dict[tuple[str, int], bool]


def earnings_inside(snapshot: Snapshot, session: dt.date, as_of: dt.datetime) -> Inside:
    """Return by ticker and horizon whether a report known at `as_of` lies ahead of the session, up to t + h."""
    return _inside(snapshot, _REPORTS, session, as_of)


def ex_dividend_inside(snapshot: Snapshot, session: dt.date, as_of: dt.datetime) -> Inside:
    """Return by ticker and horizon whether a dividend known at `as_of` goes ex ahead of the session, up to t + h."""
    return _inside(snapshot, _DIVIDENDS, session, as_of)


def _inside(snapshot: Snapshot, query: str, session: dt.date, as_of: dt.datetime) -> Inside:
    """Return an answer only of tickers of which a day ahead is known: of the others nothing is known, which is not no."""
    nearest = f"select ticker, min(day) as day from ({query}) group by ticker"  # noqa: S608 - both are ours
    first = snapshot.sql(nearest, {"session": session, "as_of": as_of}).to_pylist()
    exits = {horizon: calendar.offset(EXCHANGE, session, horizon) for horizon in HORIZONS_SESSIONS}
    return {(row["ticker"], horizon): row["day"] <= last for row in first for horizon, last in exits.items()}
