"""An HTTP vendor on 127.0.0.1 with faults on demand; each fake vendor brings the routes.

with FakeFmp() as fmp:
    fmp.plan("/stable/news/stock", "500", "429")    # one fault a request of that path, then sound answers
    settings.fmp.base_url = fmp.url
"""

import email.utils
import json
import threading
import time
from abc import ABC, abstractmethod
from collections import Counter, defaultdict, deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.parse import parse_qs, urlsplit

SLOW_SECONDS = 3.0
SOUND = "sound"
JSON, HTML, CSV, ZIP = "application/json", "text/html", "text/csv", "application/zip"

FAULTS = (
    *("429", "429-seconds", "429-date", "500", "502", "503", "503-seconds"),
    *("html", "malformed", "truncated", "reset", "slow", "401", "402", "403", "404", "empty"),
)
"""`slow` answers after SLOW_SECONDS; `truncated` closes the connection half-way through the promised bytes; `malformed` cuts the
body and promises no more than it sends."""


@dataclass(frozen=True, kw_only=True)
class Reply:
    """One HTTP answer. A body that is no string or bytes is sent as JSON; `cut` closes the connection after that share."""

    status: int = 200
    body: Any = ""
    content_type: str = JSON
    headers: dict[str, str] = field(default_factory=dict)
    cut: float | None = None

    @property
    def bytes(self) -> bytes:
        if isinstance(self.body, bytes):
            return self.body
        return self.body.encode() if isinstance(self.body, str) else json.dumps(self.body).encode()


class Asked(NamedTuple):
    """A line of the server's log; status 0 is a connection closed without an answer."""

    at: float
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    status: int


class FakeVendor(ABC):
    """The server. `hits` counts requests by path, `log` holds them in their order. A subclass answers in `route`.

    `rate=(n, seconds)` answers 429 past n requests in a sliding window, with `retry_after` as the header if it is set.
    """

    def __init__(self, *, rate: tuple[int, float] | None = None, retry_after: str | None = None, port: int = 0) -> None:
        self.rate = rate
        self.retry_after = retry_after
        self.plans: dict[str, deque[str]] = defaultdict(deque)
        self.forever: dict[str, str] = {}
        self.hits: Counter[str] = Counter()
        self.log: list[Asked] = []
        self._recent: deque[float] = deque()
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.vendor = self
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    @abstractmethod
    def route(self, path: str, query: dict[str, str], headers: dict[str, str]) -> Reply:
        """Return the sound answer to one GET."""

    def plan(self, path: str, *faults: str) -> None:
        """Queue faults for the next requests of a path, SOUND for an answer between; `forever[path]` is one that never ends."""
        self.plans[path].extend(faults)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def answer(self, target: str, headers: dict[str, str]) -> Reply | None:
        """Return the reply to one GET, None to close the connection without any."""
        parts = urlsplit(target)
        query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        with self._lock:
            self.hits[parts.path] += 1
            plan = self.plans[parts.path]
            fault = plan.popleft() if plan else self.forever.get(parts.path)
            over = self._over_rate()
        reply = faulty("429", Reply(), self.retry_after) if over else self.route(parts.path, query, headers)
        if fault and fault != SOUND and not over:
            reply = faulty(fault, reply, self.retry_after)
        with self._lock:
            self.log.append(Asked(time.monotonic(), parts.path, query, headers, reply.status if reply else 0))
        return reply

    def _over_rate(self) -> bool:
        if self.rate is None:
            return False
        most, seconds = self.rate
        now = time.monotonic()
        while self._recent and self._recent[0] < now - seconds:
            self._recent.popleft()
        if len(self._recent) >= most:
            return True
        self._recent.append(now)
        return False


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


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512
    vendor: FakeVendor


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def log_message(self, *_: object) -> None:
        """Keep the tests' output clean."""

    def do_GET(self) -> None:
        reply = self.server.vendor.answer(self.path, dict(self.headers.items()))
        if reply is None:
            self.close_connection = True
            return
        body = reply.bytes
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.content_type)
        self.send_header("Content-Length", str(len(body)))
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.end_headers()
        try:
            self.wfile.write(body if reply.cut is None else body[: int(len(body) * reply.cut)])
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # the client's timeout, which is what a slow answer is for
        if reply.cut is not None:
            self.close_connection = True
