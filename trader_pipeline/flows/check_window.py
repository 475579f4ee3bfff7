"""What changed since the last checks, and so what must be judged again."""

import datetime as dt
from collections.abc import Collection

import duckdb
import pyarrow as pa

from trader_pipeline import calendar, parts
from trader_pipeline.checks.context import DEFAULT_EXCHANGE
from trader_pipeline.checks.window import Window
from trader_pipeline.lake import Part, Snapshot
from trader_pipeline.schema.core import DAILY_BARS

NEAR_SESSIONS = 60
"""Rows this new change every day: late corrections, and what an overlap brings again. Older changes have their ticker judged whole."""

REACH_SESSIONS = 20
"""How far before a changed row a verdict may change with it."""

WHOLE_AFTER = dt.timedelta(days=35)
"""Everything is judged again so often: what a rule takes for a ticker's habit is then that of its whole history."""

MOST_WHOLE = 0.1
"""With more tickers than this share to be judged whole, everything is."""

_LATER = "select ticker, min(session) as first from core.daily_bars where known_at > $before and known_at <= $as_of group by ticker"
_ACTIONS = "select distinct ticker from core.corporate_actions where known_at > $before and known_at <= $as_of"
_STRADDLING = """
select distinct ticker from quality.findings
where run_id = $run_id and list_contains($rules, rule) and first_session < $seen_from and last_session >= $judged_from
"""


def window_of(
    snapshot: Snapshot,
    *,
    seen: Collection[str],
    before: dt.datetime,
    whole_at: dt.datetime,
    as_of: dt.datetime,
    run_id: str,
    rules: Collection[str],
) -> Window | None:
    """Return what must be judged again at `as_of`, None where it is everything.

    The last checks were those of `run_id`, at the instant `before`, and saw the parts `seen` of core.daily_bars; those at `whole_at`
    judged everything. `rules` are those that judge rows near a change alone. Judged are the years that reach into the newest 60
    sessions, seen is one year more; whole are tickers with an older row or an action that is new, and those of which a rule said
    something that reaches from before what is seen into what is judged.
    """
    if as_of < before or as_of - whole_at > WHOLE_AFTER:
        return None
    newest = calendar.last_closed_session(DEFAULT_EXCHANGE, as_of)
    near_from = calendar.offset(DEFAULT_EXCHANGE, newest, -NEAR_SESSIONS)
    judged_from = calendar.offset(DEFAULT_EXCHANGE, near_from, -REACH_SESSIONS).replace(month=1, day=1)
    seen_from = judged_from.replace(year=judged_from.year - 1)
    span = {"before": before, "as_of": as_of}
    firsts = snapshot.sql(_LATER, span).to_pylist() + _new_rows(snapshot, [p for p in snapshot.parts(DAILY_BARS) if p.path not in seen])
    whole = {row["ticker"] for row in firsts if row["first"] < near_from}
    whole |= set(snapshot.sql(_ACTIONS, span)["ticker"].to_pylist())
    asked = {"run_id": run_id, "rules": list(rules), "seen_from": seen_from, "judged_from": judged_from}
    whole |= set(snapshot.sql(_STRADDLING, asked)["ticker"].to_pylist())
    tickers = snapshot.sql("select count(distinct ticker) as n from core.daily_bars")["n"][0].as_py()
    if len(whole) > MOST_WHOLE * tickers:
        return None
    return Window(seen_from=seen_from, judged_from=judged_from, whole=frozenset(whole))


def _new_rows(snapshot: Snapshot, new: list[Part]) -> list[dict[str, dt.date]]:
    """Return the first session of each ticker in parts that are new. A merge of old parts is new as well: it costs a look, no verdict."""
    if not new:
        return []
    rows = pa.concat_tables([parts.read(snapshot.root, DAILY_BARS, part, ["ticker", "session"]) for part in new])
    with duckdb.connect(config={"threads": 2}) as connection:
        connection.register("new_rows", rows)
        found: list[dict[str, dt.date]] = (
            connection.sql("select ticker, min(session) as first from new_rows group by ticker").to_arrow_table().to_pylist()
        )
    return found
