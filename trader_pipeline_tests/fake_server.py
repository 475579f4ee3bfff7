"""An HTTP server on 127.0.0.1 that answers GETs as a subclass says, and cuts or drops a connection when asked to."""

import json
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

JSON, HTML = "application/json", "text/html"
SLOW_SECONDS = 3.0


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


class FakeServer(ABC):
    """Serves from its making to `close`. `rate=(n, seconds)` is what `over_rate` holds requests to, in a sliding window."""

    def __init__(self, *, rate: tuple[int, float] | None = None, port: int = 0) -> None:
        self.rate = rate
        self.lock = threading.Lock()
        self.closing = threading.Event()
        self._recent: deque[float] = deque()
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.fake = self
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def start(self) -> None:
        """Begin to answer; the last thing that a subclass does when it is made."""
        self._thread.start()

    @abstractmethod
    def answer(self, target: str, headers: dict[str, str]) -> Reply | None:
        """Return the reply to one GET, None to close the connection without any. Called from many threads."""

    def over_rate(self) -> bool:
        """Count a request and say whether it is one too many. Call it under `lock`."""
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

    def close(self) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512
    fake: FakeServer


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def log_message(self, *_: object) -> None:
        """Keep the tests' output clean."""

    def do_GET(self) -> None:
        reply = self.server.fake.answer(self.path, dict(self.headers.items()))
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
