"""One gate a vendor, shared by every thread and process that uses one file: pace, shared pause, circuit breaker.

Pace is GCRA (the generic cell rate algorithm): a caller *reserves* the moment of its request under the file's lock and
sleeps outside it, so nobody polls and no moment is handed out twice. An answer "too many requests" pauses everybody.
Failures in a row, of several subjects, open the circuit: for a while every caller is refused at once, twice as long each time.
"""

import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal, Protocol

from trader_pipeline import durable
from trader_pipeline.errors import SourceUnavailableError
from trader_pipeline.settings import VendorSettings

Cause = Literal["throttled", "failed"]
TABLE = "gate_2"
"""The number rises with the columns: in a file of an older shape the pace starts anew, and the older release keeps its table."""

_HOUR_SECONDS = 3600.0
_LOCK_WAIT_SECONDS = 60.0
_CLOCK_JUMP_SECONDS = 1.0
_MOST_DOUBLINGS = 64


class CircuitOpenError(Exception):
    """The vendor is not asked now: its circuit is open, or the shared pause outlasts the caller's patience."""

    def __init__(self, message: str, cause: Cause) -> None:
        super().__init__(message)
        self.cause = cause


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How a vendor may be asked. Requests after an idle time may go `burst` at once."""

    requests_per_hour: float
    burst: int = 1
    pause_seconds: float = 5.0
    """Shared pause after "too many requests" without Retry-After; doubles with every one in a row."""
    longest_pause_seconds: float = 24 * _HOUR_SECONDS
    """A Retry-After beyond it is asked about again then: a slip of the vendor's must not shut it out for years."""
    trip_failures: int = 5
    trip_subjects: int = 3
    """An outage shows on several subjects (tickers, series, files): the failures in a row that open the circuit are of at
    least so many. "Too many requests" is about the vendor itself and counts as a subject of its own.

    So one ticker that always fails holds up no other, and a feed of fewer subjects (one file, say) opens no circuit: its
    attempts and its deadline bound what it asks."""

    open_seconds: float = 60.0
    longest_open_seconds: float = 3600.0
    patience_seconds: float = 0.0
    """An open circuit that lasts no longer than this is waited out: a short outage costs a long fetch a wait, not its tickers."""

    @property
    def interval_seconds(self) -> float:
        """Seconds between two requests at the sustained pace."""
        return _HOUR_SECONDS / self.requests_per_hour

    @property
    def burst_seconds(self) -> float:
        """How far ahead of the sustained pace a request may go."""
        return self.interval_seconds * (self.burst - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """What a gate has seen since its file was made."""

    granted: int
    throttled: int
    failed: int


class Gate(Protocol):
    """What a governed session needs; instants are seconds since the epoch."""

    def acquire(self, max_wait_seconds: float) -> float:
        """Wait for the caller's moment and return it; raise `CircuitOpenError` when that would take too long."""
        ...

    def succeeded(self) -> None:
        """Report a sound answer: the circuit closes."""
        ...

    def throttled(self, retry_after_seconds: float | None) -> None:
        """Report "too many requests": everybody pauses."""
        ...

    def failed(self, of: str) -> None:
        """Report that no sound answer came about `of`: a ticker, a series or a file."""
        ...

    def counters(self) -> Counters:
        """Return what the gate has seen."""
        ...


@dataclass(slots=True)
class _State:
    """One vendor's row. `next_at` is GCRA's theoretical arrival time.

    Since the last sound answer: `failures` of either cause, `throttles` of them "too many requests", the others about
    `subjects`, a JSON list that ends at the limit. Since the file was made: `granted`, `throttled`, `failed`.
    """

    next_at: float = 0.0
    paused_until: float = 0.0
    open_until: float = 0.0
    failures: int = 0
    throttles: int = 0
    subjects: str = "[]"
    trips: int = 0
    cause: Cause = "failed"
    granted: int = 0
    throttled: int = 0
    failed: int = 0
    seen_at: float = 0.0

    def follow(self, now: float) -> None:
        """Move every instant along when the clock was set back; otherwise nobody could ask until it has caught up."""
        if (back := self.seen_at - now) > _CLOCK_JUMP_SECONDS:
            self.next_at -= back
            self.paused_until -= back
            self.open_until -= back
        self.seen_at = now

    def blame(self, subject: str, most: int) -> None:
        """Remember that a request about `subject` failed; a list of `most` is long enough."""
        failing = set(json.loads(self.subjects)) | {subject}
        self.subjects = json.dumps(sorted(failing)[:most])

    def evidence(self) -> int:
        """Return how many subjects have failed in a row, every "too many requests" taken for one."""
        return self.throttles + len(json.loads(self.subjects))

    def recover(self) -> None:
        """Forget failures in a row, and how often the circuit opened."""
        self.failures = self.throttles = self.trips = 0
        self.subjects = "[]"

    def held_by(self, now: float) -> Cause:
        """Return why a caller waits: what opened the circuit until a sound answer closes it, else, or in a longer pause, the pace."""
        return self.cause if self.trips and self.paused_until <= max(now, self.open_until) else "throttled"


def limits_of(settings: VendorSettings) -> Limits:
    """Return the limits that a vendor's settings set."""
    return Limits(requests_per_hour=settings.requests_per_hour, burst=settings.burst, patience_seconds=settings.outage_patience_seconds)


def _doubled(seconds: float, times: int, longest: float) -> float:
    return min(seconds * 2.0 ** min(times, _MOST_DOUBLINGS), longest)


_COLUMNS = ", ".join(field.name for field in fields(_State))


class SqliteGate:
    """A gate on one SQLite file. A connection lives for one use, so threads and forks share none."""

    def __init__(
        self,
        path: Path,
        source: str,
        limits: Limits,
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.path = path
        self.source = source
        self.limits = limits
        self._clock = clock
        self._sleep = sleep
        durable.make_folder(path.parent)

    def acquire(self, max_wait_seconds: float) -> float:
        """Reserve a moment, sleep until it, return it; a pause that began meanwhile holds this caller too."""
        deadline = self._clock() + max_wait_seconds
        while True:
            send_at = self.reserve(deadline - self._clock())
            wait = send_at - self._clock()
            if wait <= 0:
                return send_at
            self._sleep(wait)
            if self._still_granted():
                return send_at

    def reserve(self, max_wait_seconds: float) -> float:
        """Return the moment at which the caller may send its request, without waiting for it.

        Raises `CircuitOpenError`, and reserves nothing, while the circuit is open for longer than the limits' patience, or
        when the moment is further off than `max_wait_seconds`.
        """
        with self._transaction() as (state, now):
            open_seconds = state.open_until - now
            if open_seconds > min(self.limits.patience_seconds, max_wait_seconds) and open_seconds > 0:
                raise CircuitOpenError(f"{self.source}: circuit open for another {open_seconds:.0f} s", state.cause)
            send_at = max(now, state.paused_until, state.open_until, state.next_at - self.limits.burst_seconds)
            if send_at - now > max_wait_seconds:
                raise CircuitOpenError(f"{self.source}: next request in {send_at - now:.0f} s, past the deadline", state.held_by(now))
            state.next_at = max(state.next_at, send_at) + self.limits.interval_seconds
            state.granted += 1
        return send_at

    def succeeded(self) -> None:
        """Forget failures in a row and how often the circuit opened. Mostly there are none, and nothing is written."""
        if self._looked_up("failures + trips"):
            with self._transaction() as (state, _):
                state.recover()

    def throttled(self, retry_after_seconds: float | None) -> None:
        """Pause everybody for Retry-After, else for a time that doubles; the answer to a request sent before the pause only extends it."""
        with self._transaction() as (state, now):
            state.throttled += 1
            counted = self._count_failure(state, now, None)
            pause = _doubled(self.limits.pause_seconds, state.throttles - 1, self.limits.longest_open_seconds) if counted else 0.0
            if retry_after_seconds is not None:
                pause = min(retry_after_seconds, self.limits.longest_pause_seconds)
            state.paused_until = max(state.paused_until, now + pause)
            # No burst out of a pause: the pace restarts where the pause ends.
            state.next_at = max(state.next_at, state.paused_until + self.limits.burst_seconds)

    def failed(self, of: str) -> None:
        """Count an upstream failure about `of` towards the circuit breaker."""
        with self._transaction() as (state, now):
            state.failed += 1
            self._count_failure(state, now, of)

    def counters(self) -> Counters:
        """Return what every process together has asked and heard."""
        with self._transaction() as (state, _):
            return Counters(granted=state.granted, throttled=state.throttled, failed=state.failed)

    def _still_granted(self) -> bool:
        """Say whether a reserved moment holds; a pause or an open circuit takes it back."""
        if self._looked_up("max(paused_until, open_until)") <= self._clock():
            return True
        with self._transaction() as (state, now):
            held = max(state.paused_until, state.open_until) > now
            state.granted -= int(held)
        return not held

    def _count_failure(self, state: _State, now: float, of: str | None) -> bool:
        """Count a failure, of no subject where the vendor throttles, unless a pause holds already; open the circuit at the limits.

        After an opening one failure is enough.
        """
        if max(state.paused_until, state.open_until) > now:
            return False
        state.failures += 1
        if of is None:
            state.throttles += 1
        else:
            state.blame(of, self.limits.trip_subjects)
        if state.failures >= self.limits.trip_failures and state.evidence() >= self.limits.trip_subjects:
            state.open_until = now + _doubled(self.limits.open_seconds, state.trips, self.limits.longest_open_seconds)
            state.trips += 1
            state.cause = "throttled" if of is None else "failed"
        return True

    def _looked_up(self, column: str) -> float:
        """Return what the vendor's row says, 0 where there is none. A reader waits for no other reader, and nothing is written."""
        with self._file() as connection:
            if not connection.execute("select 1 from sqlite_master where name = ?", (TABLE,)).fetchone():
                return 0.0
            row = connection.execute(f"select {column} from {TABLE} where source = ?", (self.source,)).fetchone()  # noqa: S608 - constant
        return float(row[0]) if row else 0.0

    @contextmanager
    def _transaction(self) -> Iterator[tuple[_State, float]]:
        """Yield the vendor's state and the time under the file's lock; changes are written unless the block raises."""
        with self._file() as connection:
            connection.execute("begin immediate")
            connection.execute(f"create table if not exists {TABLE} (source text primary key, {_COLUMNS})")
            row = connection.execute(f"select {_COLUMNS} from {TABLE} where source = ?", (self.source,)).fetchone()  # noqa: S608 - constant
            state = _State(*row) if row else _State()
            now = self._clock()
            state.follow(now)
            yield state, now
            values = [getattr(state, field.name) for field in fields(_State)]
            connection.execute(
                f"insert or replace into {TABLE} (source, {_COLUMNS}) values (?{', ?' * len(values)})",  # noqa: S608 - constant
                (self.source, *values),
            )
            connection.execute("commit")

    @contextmanager
    def _file(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection to the file, made where it is missing; closing it gives up what was not committed."""
        try:
            with closing(sqlite3.connect(self.path, timeout=_LOCK_WAIT_SECONDS, isolation_level=None)) as connection:
                connection.execute("pragma synchronous = off")  # pacing may be lost with the machine, never with a process
                yield connection
        except sqlite3.Error as error:
            raise SourceUnavailableError(
                f"{self.path}: {error}; delete the file, it holds nothing but the pace of requests to {self.source}"
            ) from error
