"""What the vendors' gates hold, for people: looked up without asking for a permit and without making the file."""

import datetime as dt
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from trader_pipeline.sources.gate import TABLE

_QUERY = f"select source, paused_until, open_until, granted, throttled, failed from {TABLE} order by source"  # noqa: S608 - constant


@dataclass(frozen=True, slots=True, kw_only=True)
class GateState:
    """One vendor's gate. `paused_until`: the vendor said "too many requests"; `open_until`: its circuit is open. None: not now."""

    source: str
    paused_until: dt.datetime | None
    open_until: dt.datetime | None
    granted: int
    throttled: int
    failed: int


def gate_states(path: Path, *, now: dt.datetime) -> list[GateState]:
    """Return the state of every gate in the file; nothing where there is no file or it is no gate's."""
    if not path.exists():
        return []
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5)) as connection:
            rows = connection.execute(_QUERY).fetchall()
    except sqlite3.Error:
        return []
    return [
        GateState(
            source=source,
            paused_until=_ahead(paused, now),
            open_until=_ahead(opened, now),
            granted=granted,
            throttled=throttled,
            failed=failed,
        )
        for source, paused, opened, granted, throttled, failed in rows
    ]


def _ahead(moment: float, now: dt.datetime) -> dt.datetime | None:
    return dt.datetime.fromtimestamp(moment, dt.UTC) if moment > now.timestamp() else None
