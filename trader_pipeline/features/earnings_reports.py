"""core.earnings as the newest report known at every session: what was expected, and what came first.

A report counts from the first version on that has both an estimate and a figure; what a vendor makes of either later is no
surprise any more. A report of an older day never replaces that of a newer one.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trader_pipeline.features import known, statement_loops
from trader_pipeline.features.known import Instants, Known, Records
from trader_pipeline.panel import Grid

MAXIMUM_AGE_DAYS = 130
"""A quarter, and the weeks by which a report may come later than the last."""


def read_reports(facts: pa.Table, grid: Grid, known_at: Instants, split_S: Records) -> Known:
    """Return the reports: `eps_actual`, `eps_estimate` in shares of the day of the report, and `report_day`.

    `facts` has every version of core.earnings; `known_at` [T] is when each session's bar is known, UTC without zone.
    """
    facts = facts.filter(pc.and_(pc.is_valid(facts["eps_actual"]), pc.is_valid(facts["eps_estimate"]))).sort_by("source")
    row_R, moment_R, report_R = grid.ticker_index(facts["ticker"]), known.instants(facts["known_at"]), known.days(facts["report_date"])
    column_R = np.searchsorted(known_at, moment_R, side="left")
    order_R = np.lexsort((report_R, moment_R, row_R))
    order_R = order_R[(row_R[order_R] >= 0) & (column_R[order_R] < len(grid.sessions))]
    age_R = row_R[order_R] * np.int64(2**32) + report_R[order_R]  # ascends with the ticker, then with the day of the report
    newer_R = np.diff(np.maximum.accumulate(age_R), prepend=-1) > 0
    event_E = order_R[newer_R]
    row_E, column_E = row_R[event_E], column_R[event_E]
    last_E = np.append((np.diff(row_E) != 0) | (np.diff(column_E) != 0), True)[: len(event_E)]  # of one session the newest
    event_E = event_E[last_E]
    event_NT = np.full(grid.shape, -1)
    day_E = report_R[event_E]
    day_T = known.days(grid.sessions)
    statement_loops.newest_event((row_R[event_E], column_R[event_E]), day_E, day_T, MAXIMUM_AGE_DAYS, event_NT)
    figures = {name: facts[name].to_numpy()[event_E] for name in ("eps_actual", "eps_estimate")}
    figures["report_day"] = day_E.astype(np.float64)
    return Known(event_NT=event_NT, day_T=day_T, day_E=day_E, split_S=split_S, figures=figures)
