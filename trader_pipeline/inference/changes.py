"""Two sessions' predictions held against each other, and what each change is put down to.

    score - previous_score = data_effect + model_effect + price_effect

The steps between: the earlier session by its own model on today's data, then by today's model, then the later session.
"""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from trader_pipeline.schema.columns import HORIZONS_SESSIONS
from trader_pipeline.schema.predicted import DATA, FLIPPED, LOST, MODEL_CAUSE, MOVED, NEW, PRICE, SAME

Scores = Mapping[tuple[str, int], float]
"""Ensemble's score by ticker and horizon."""

Row = dict[str, Any]


def changes(now: pa.Table, before: pa.Table, own_again: Scores, by_now: Scores) -> list[Row]:
    """Return one row a ticker and horizon of either session: columns of predictions.changes without the stamps.

    `now` and `before` are rows of predictions.daily; `own_again` is what the earlier session's own model says of it on today's data,
    `by_now` what today's model says of it.
    """
    rows, old = _by_key(now), _by_key(before)
    rank, old_rank = _ranks(rows), _ranks(old)
    found = []
    for key in sorted({*rows, *old}):
        one, other = rows.get(key), old.get(key)
        row: Row = {"ticker": key[0], "horizon_sessions": key[1], "rank": rank.get(key), "previous_rank": old_rank.get(key)}
        row |= {"rank_move": old_rank[key] - rank[key] if one and other else None}
        for name in ("score", "p_up"):
            row |= {name: one[name] if one else None, f"previous_{name}": other[name] if other else None}
        row |= _effects(row, own_again.get(key), by_now.get(key))
        found.append(row | {"kind": _kind(row), "cause": _cause(row)})
    return found


def _effects(row: Row, own_again: float | None, by_now: float | None) -> Row:
    steps = (row["previous_score"], own_again, by_now, row["score"])
    pairs = zip(("data_effect", "model_effect", "price_effect"), steps, steps[1:], strict=False)
    return {name: None if a is None or b is None else b - a for name, a, b in pairs}


def _kind(row: Row) -> str:
    if row["previous_rank"] is None:
        return NEW
    if row["rank"] is None:
        return LOST
    if None not in (row["p_up"], row["previous_p_up"]) and (row["p_up"] > 1 / 2) != (row["previous_p_up"] > 1 / 2):
        return FLIPPED
    return MOVED if row["rank_move"] else SAME


def _cause(row: Row) -> str | None:
    """Return the largest effect by name: a name that comes or goes does so with its rows."""
    if row["rank"] is None or row["previous_rank"] is None:
        return DATA
    effects = {DATA: row["data_effect"], MODEL_CAUSE: row["model_effect"], PRICE: row["price_effect"]}
    known = {name: abs(value) for name, value in effects.items() if value}
    return max(known, key=lambda name: known[name]) if known else None


def _ranks(rows: Mapping[tuple[str, int], Row]) -> dict[tuple[str, int], int]:
    """Return the rank by score within each horizon, ties by ticker, as the dashboard has it; a row without a score comes last."""
    found: dict[tuple[str, int], int] = {}
    for horizon in HORIZONS_SESSIONS:
        keys = [key for key in rows if key[1] == horizon]
        keys.sort(key=lambda key: (rows[key]["score"] is None, -(rows[key]["score"] or 0.0), key))
        found |= {key: place for place, key in enumerate(keys, start=1)}
    return found


def _by_key(rows: pa.Table) -> dict[tuple[str, int], Row]:
    return {
        (row["ticker"], row["horizon_sessions"]): row for row in rows.select(["ticker", "horizon_sessions", "score", "p_up"]).to_pylist()
    }
