"""What a table's `known_at` cannot be: truncation believes the stamps, so a row that is stamped too early gets past it."""

from dataclasses import fields

import numpy as np

from trader_pipeline.features.assemble import CoreTables, Instants
from trader_pipeline.features.truncation import Flags, moments
from trader_pipeline.panel import Days

_NOT_BEFORE = ("observed_on", "period_end", "filed_on", "accepted_at", "published_at")
"""Days and instants before which a row that has them cannot have been known; a day counts from its start, UTC."""


def too_early(tables: CoreTables, sessions: Days, known_at: Instants) -> dict[str, int]:
    """Return by table how many rows are stamped before what they tell: a bar before its close + 30 min, a filing before its acceptance.

    `sessions` and `known_at` are both [T]. Tables without such rows are left out.
    """
    found = {}
    for field in fields(tables):
        table = getattr(tables, field.name)
        if "known_at" not in table.column_names:
            continue
        stamped = moments(table, "known_at")
        early: Flags = np.zeros(table.num_rows, np.bool_)
        for name in _NOT_BEFORE:
            if name in table.column_names:
                early |= stamped < moments(table, name)
        if field.name == "accepted_bars":
            early |= stamped < known_at[np.searchsorted(sessions, moments(table, "session"))]
        found[field.name] = int(early.sum())
    return {name: rows for name, rows in found.items() if rows}
