"""When each alert was last sent, and how often it came again since: one small file that all processes of a home share."""

import datetime as dt
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from trader_pipeline import durable
from trader_pipeline.errors import TraderError

_KEPT = 500
"""Alerts remembered, newest first."""

Said = dict[str, dict[str, Any]]


class Memory:
    """Remembers alerts for `window`. Where the file cannot be read or written nothing is remembered, and every alert is sent."""

    def __init__(self, path: Path, window: dt.timedelta) -> None:
        self.path = path
        self.window = window

    def claim(self, key: str, now: dt.datetime) -> int | None:
        """Return how often the alert was counted since it was sent last; None where that is not yet `window` ago: it is counted."""
        with suppress(OSError, TraderError), durable.locked(self._lock):
            said = self._read()
            last = said.get(key)
            fresh = last is not None and now - self.window < dt.datetime.fromisoformat(last["sent_at"]) <= now
            if last is not None and fresh:
                self._write(said | {key: last | {"suppressed": last["suppressed"] + 1}})
                return None
            self._write(said | {key: {"sent_at": now.isoformat(), "suppressed": 0}})
            return int(last["suppressed"]) if last else 0
        return 0

    def give_back(self, key: str, suppressed: int) -> None:
        """Forget that the alert was sent: nobody got it. The next one is told of this one too."""
        with suppress(OSError, TraderError), durable.locked(self._lock):
            said = self._read()
            before = said.get(key, {"suppressed": 0})["suppressed"]
            self._write(
                said | {key: {"sent_at": dt.datetime.min.replace(tzinfo=dt.UTC).isoformat(), "suppressed": before + suppressed + 1}}
            )

    @property
    def _lock(self) -> Path:
        return self.path.with_name(f".{self.path.name}.lock")

    def _read(self) -> Said:
        """Return what is remembered; nothing where the file is not there or is not ours."""
        try:
            said = json.loads(self.path.read_bytes())
            return {
                key: {"sent_at": dt.datetime.fromisoformat(entry["sent_at"]).isoformat(), "suppressed": int(entry["suppressed"])}
                for key, entry in said.items()
            }
        except FileNotFoundError:
            return {}
        except (ValueError, KeyError, TypeError, AttributeError):
            return {}

    def _write(self, said: Said) -> None:
        newest = sorted(said.items(), key=lambda item: item[1]["sent_at"], reverse=True)[:_KEPT]
        durable.write_atomic(self.path, json.dumps(dict(newest), indent=1).encode())
