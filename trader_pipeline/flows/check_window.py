"""What changed since the last checks, and so what must be judged again."""

import datetime as dt
from collections.abc import Sequence

import duckdb
import pyarrow as pa

from trader_pipeline import calendar, parts
from trader_pipeline.checks.prepared import DEFAULT_EXCHANGE
from trader_pipeline.checks.report import CheckReport
from trader_pipeline.checks.window import Window
from trader_pipeline.lake import Part, Snapshot
from trader_pipeline.schema.core import DAILY_BARS
from trader_pipeline.schema.quality import JUDGED_ACTIONS, JUDGED_PARTS

NEAR_SESSIONS = 60
"""Rows this new change every day: late corrections, and what an overlap brings again. Older changes have their ticker judged whole."""

SEEN_SESSIONS = 252
"""So many sessions before those are seen with them: neighbours, and what is a ticker's habit."""

WHOLE_AFTER = dt.timedelta(days=7)
"""Everything is judged again so often: a habit is then that of a ticker's whole history."""

MOST_WHOLE = 0.5
"""With more tickers than this share to be judged whole, everything is."""

ACTIONS_KNOWN = """
with newest as (
  select * from core.corporate_actions where known_at <= $as_of
  qualify row_number() over (partition by ticker, session, kind, source order by known_at desc) = 1
)
select ticker, md5(string_agg(concat_ws(' ', session, kind, source, value), ',' order by session, kind, source)) as digest
from newest group by ticker
"""
_LATER = "select ticker, min(session) as first from core.daily_bars where known_at > $before and known_at <= $as_of group by ticker"
_SPOKEN_OF = """
select distinct ticker from quality.findings where run_id = $run_id and list_contains($rules, rule)
union select ticker from quality.quarantine where list_contains($rules, rule)
union select ticker from quality.repairs where list_contains($rules, rule)
"""


def window_of(snapshot: Snapshot, *, as_of: dt.datetime, run_id: str, rules: Sequence[str]) -> Window | None:
    """Return what must be judged again at `as_of`, None where it is everything.

    The last checks were those of `run_id`; `rules` are those that need no whole history to judge a row. They see the newest 60
    sessions and 252 before; whole are the tickers with an older row that is new, with other actions than then, and all of which
    such a rule said anything.
    """
    judged = snapshot.read(JUDGED_PARTS).to_pylist()
    if not judged or as_of < judged[0]["known_at"] or as_of.date() - judged[0]["whole_at"].date() >= WHOLE_AFTER:
        return None
    newest = calendar.last_closed_session(DEFAULT_EXCHANGE, as_of)
    near_from = calendar.offset(DEFAULT_EXCHANGE, newest, -NEAR_SESSIONS)
    seen = {row["part"] for row in judged}
    later = snapshot.sql(_LATER, {"before": judged[0]["known_at"], "as_of": as_of}).to_pylist()
    new = later + _new_rows(snapshot, [part for part in snapshot.parts(DAILY_BARS) if part.path not in seen])
    changed = {row["ticker"] for row in new if row["first"] < near_from} | _with_other_actions(snapshot, as_of)
    whole = changed | set(snapshot.sql(_SPOKEN_OF, {"run_id": run_id, "rules": list(rules)})["ticker"].to_pylist())
    if len(whole) > MOST_WHOLE * snapshot.sql("select count(distinct ticker) as n from core.daily_bars")["n"][0].as_py():
        return None
    seen_from = calendar.offset(DEFAULT_EXCHANGE, near_from, -SEEN_SESSIONS)
    return Window(seen_from=seen_from, whole=frozenset(whole), old_changed=bool(changed))


def spoken_of(report: CheckReport) -> frozenset[str]:
    """Return the tickers of which a report says anything."""
    tables = (*(result.findings for result in report.results), report.quarantine, report.repairs)
    return frozenset(ticker for table in tables for ticker in table["ticker"].to_pylist())


def _with_other_actions(snapshot: Snapshot, as_of: dt.datetime) -> set[str]:
    then, now = (
        {(row["ticker"], row["digest"]) for row in table.to_pylist()}
        for table in (snapshot.read(JUDGED_ACTIONS, ["ticker", "digest"]), snapshot.sql(ACTIONS_KNOWN, {"as_of": as_of}))
    )
    return {ticker for ticker, _ in then ^ now}


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
