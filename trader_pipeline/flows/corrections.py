"""Corrections that a run of an earlier session does not see: they are known only later."""

import datetime as dt

from trader_pipeline import calendar
from trader_pipeline.flows.due import EXCHANGE
from trader_pipeline.lake import Snapshot

_AFTER = """
select count(distinct (b.ticker, b.session, b.source)) as bars, max(b.known_at) as newest
from core.daily_bars b join core.daily_bars e on b.ticker = e.ticker and b.session = e.session and b.source = e.source
where b.known_at > $moment and e.known_at <= $moment
"""


def corrections_after(snapshot: Snapshot, moment: dt.datetime) -> tuple[int, dt.date | None]:
    """Return how many bars known at `moment` were corrected later, and the first session whose runs see all of it; None where none was."""
    found = snapshot.sql(_AFTER, {"moment": moment}).to_pylist()[0]
    if not found["bars"]:
        return 0, None
    return found["bars"], calendar.offset(EXCHANGE, calendar.last_closed_session(EXCHANGE, found["newest"]), 1)
