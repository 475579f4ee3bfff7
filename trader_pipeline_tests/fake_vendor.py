"""An HTTP vendor on 127.0.0.1 with faults on demand; each fake vendor brings the routes.

with FakeFmp() as fmp:
    fmp.plan("/stable/news/stock", "500", "429")    # one fault a request of that path, then sound answers
    settings.fmp.base_url = fmp.url
"""

import email.utils
import time
from abc import abstractmethod
from collections import Counter, defaultdict, deque
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from trader_pipeline_tests.fake_server import HTML, SLOW_SECONDS, FakeServer, Reply

SOUND = "sound"
CSV, ZIP = "text/csv", "application/zip"

FAULTS = (
    *("429", "429-seconds", "429-date", "500", "502", "503", "503-seconds"),
    *("html", "malformed", "truncated", "reset", "slow", "401", "402", "403", "404", "empty"),
)
"""`slow` answers after SLOW_SECONDS; `truncated` closes the connection half-way through the promised bytes; `malformed` cuts the
body and promises no more than it sends."""


class Asked(NamedTuple):
    """A line of the server's log; status 0 is a connection closed without an answer."""

    at: float
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    status: int


class FakeVendor(FakeServer):
    """The server. `hits` counts requests by path, `log` holds them in their order. A subclass answers in `route`.

    `rate=(n, seconds)` answers 429 past n requests in a sliding window, with `retry_after` as the header if it is set.
    """

    def __init__(self, *, rate: tuple[int, float] | None = None, retry_after: str | None = None, port: int = 0) -> None:
        super().__init__(rate=rate, port=port)
        self.retry_after = retry_after
        self.plans: dict[str, deque[str]] = defaultdict(deque)
        self.forever: dict[str, str] = {}
        self.hits: Counter[str] = Counter()
        self.log: list[Asked] = []
        self.start()

    @abstractmethod
    def route(self, path: str, query: dict[str, str], headers: dict[str, str]) -> Reply:
        """Return the sound answer to one GET."""

    def plan(self, path: str, *faults: str) -> None:
        """Queue faults for the next requests of a path, SOUND for an answer between; `forever[path]` is one that never ends."""
        self.plans[path].extend(faults)

    def answer(self, target: str, headers: dict[str, str]) -> Reply | None:
        """Return the reply to one GET, None to close the connection without any."""
        parts = urlsplit(target)
        query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        with self.lock:
            self.hits[parts.path] += 1
            plan = self.plans[parts.path]
            fault = plan.popleft() if plan else self.forever.get(parts.path)
            over = self.over_rate()
        reply = faulty("429", Reply(), self.retry_after) if over else self.route(parts.path, query, headers)
        if fault and fault != SOUND and not over:
            reply = faulty(fault, reply, self.retry_after)
        with self.lock:
            self.log.append(Asked(time.monotonic(), parts.path, query, headers, reply.status if reply else 0))
        return reply


def faulty(fault: str, sound: Reply, retry_after: str | None = None) -> Reply | None:
    """Return what becomes of a sound reply under a fault of FAULTS; None is a reset."""
    if fault not in FAULTS:
        raise ValueError(f"no fault {fault!r}")
    if fault == "reset":
        return None
    if fault == "slow":
        time.sleep(SLOW_SECONDS)
        return sound
    return _spoilt(fault, sound) or _refused(fault, retry_after)


def _spoilt(fault: str, sound: Reply) -> Reply | None:
    """Return an answer of status 200 whose body is not the sound one, None for a fault of another kind."""
    bodies: dict[str, dict[str, Any]] = {
        "truncated": {"body": sound.bytes, "cut": 0.5},
        "malformed": {"body": sound.bytes[: max(1, len(sound.bytes) * 2 // 3)]},
        "empty": {"body": b""},
        "html": {"body": "<!doctype html><html><body>checking your browser</body></html>", "content_type": HTML},
    }
    return Reply(**({"content_type": sound.content_type} | bodies[fault])) if fault in bodies else None


def _refused(fault: str, retry_after: str | None) -> Reply:
    status, _, after = fault.partition("-")
    header = retry_after
    if after:
        header = "1" if after == "seconds" else email.utils.formatdate(time.time() + 1, usegmt=True)
    headers = {"Retry-After": header} if header and status in {"429", "503"} else {}
    return Reply(status=int(status), body=f"<html>{status}</html>", content_type=HTML, headers=headers)
