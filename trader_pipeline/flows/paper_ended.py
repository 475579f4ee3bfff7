"""Predictions on securities that were delisted before the horizon ended: no label knows them, the paper log does."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from trader_pipeline.flows.benchmark import total_returns
from trader_pipeline.lake import Snapshot

_BARS = """
select session, open, close from core.accepted_bars where ticker = $ticker and session between $first and $last
qualify row_number() over (partition by session order by known_at desc) = 1 order by session
"""


def outcomes(snapshot: Snapshot, rows: Sequence[dict[str, Any]], *, entry: str, delisting_return: float) -> list[dict[str, Any]]:
    """Return those of `rows` that were entered, with where they left: at the last accepted close, and the delisting's return from there.

    Rows are of predictions.paper_log with `entry_session`, and `exit_session` the end of the horizon, which the security did not
    reach. One without an accepted price at its entry was never entered and is left out.
    """
    found = []
    for ticker in sorted({row["ticker"] for row in rows}):
        mine = [row for row in rows if row["ticker"] == ticker]
        first, last = min(row["entry_session"] for row in mine), max(row["exit_session"] for row in mine)
        bars = snapshot.sql(_BARS, {"ticker": ticker, "first": first, "last": last})
        if bars.num_rows:
            growth_T = 1 + total_returns(bars, snapshot.actions(ticker=ticker))
            found += [row | left for row in mine if (left := _left(row, bars.to_pylist(), growth_T, entry, delisting_return))]
    for row in found:
        row["benchmark_return"] = _benchmark(snapshot, row["session"], row["horizon_sessions"])
    return found


def _left(row: Mapping[str, Any], bars: list[dict[str, Any]], growth_T: Any, entry: str, delisting_return: float) -> dict[str, Any] | None:
    days = [bar["session"] for bar in bars if bar["session"] <= row["exit_session"]]
    if row["entry_session"] not in days:
        return None
    first, last = days.index(row["entry_session"]), len(days) - 1
    paid = bars[first][entry]
    if paid is None:
        return None
    earned = bars[first]["close"] / paid * float(np.prod(growth_T[first + 1 : last + 1]))
    facts = {"entry_price": paid, "exit_session": days[last], "exit_price": bars[last]["close"]}
    return facts | {"realised_return": earned * (1 + delisting_return) - 1}


def _benchmark(snapshot: Snapshot, session: dt.date, horizon: int) -> float | None:
    """Return the benchmark's return over the whole horizon, as the session's labels have it."""
    query = f"select any_value(benchmark_return_{horizon}d) as it from features.targets where session = ?"  # noqa: S608 - a number
    known: float | None = snapshot.sql(query, [session])["it"][0].as_py()
    return known
