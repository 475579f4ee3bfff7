"""When each sensor of a home last ticked and what it said: small files that the sensors write and the status pages read.

A daemon that is dead cannot say so. Whoever looks sees how long ago it was alive.
"""

import datetime as dt
import json
from dataclasses import dataclass
from pathlib import Path

from trader_pipeline import durable

ALIVE = "heartbeat"
"""The sensor that does nothing else."""

DEAD_AFTER = dt.timedelta(minutes=10)
"""It ticks every minute; after this long without one it is called dead."""

_SUFFIX = ".json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """A tick: when, and what the sensor decided."""

    sensor: str
    at: dt.datetime
    said: str


def write(folder: Path, beat: Beat) -> None:
    """Keep the sensor's newest tick."""
    durable.write_atomic(folder / f"{beat.sensor}{_SUFFIX}", json.dumps({"at": beat.at.isoformat(), "said": beat.said}).encode())


def read(folder: Path) -> list[Beat]:
    """Return the newest tick of every sensor by name; one that cannot be read never happened."""
    found = []
    for path in sorted(folder.glob(f"*{_SUFFIX}")):
        try:
            kept = json.loads(path.read_bytes())
            at = dt.datetime.fromisoformat(kept["at"])
            said = str(kept["said"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if at.tzinfo is not None:
            found.append(Beat(sensor=path.name.removesuffix(_SUFFIX), at=at, said=said))
    return found


def last_seen(beats: list[Beat]) -> dt.datetime | None:
    """Return when any sensor ticked last; None when none ever did."""
    return max((beat.at for beat in beats), default=None)


def is_alive(seen: dt.datetime | None, now: dt.datetime) -> bool:
    """Say whether the last tick is recent."""
    return seen is not None and now - seen <= DEAD_AFTER


def in_words(seen: dt.datetime | None, now: dt.datetime, *, dataset: str) -> str:
    """Return "last seen 2 minutes ago", and the mend where that is too long for data that grows by the day."""
    ago = "never seen" if seen is None else f"last seen {_ago(max(now - seen, dt.timedelta()))} ago"
    if is_alive(seen, now) or dataset != "live":
        return ago
    return f"{ago}: schedule and sensors do not run; start them with `TRADER_DATASET={dataset} trader dev`"


def _ago(span: dt.timedelta) -> str:
    minutes = int(span.total_seconds() // 60)
    for size, word in ((60 * 24, "day"), (60, "hour")):
        if minutes >= 2 * size:
            return f"{minutes // size} {word}s"
    return f"{minutes} minute" + ("" if minutes == 1 else "s")
