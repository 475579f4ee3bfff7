"""A Yahoo on loopback for the benchmarks, in a process of its own: charts, cookie, crumb, and a rate limit that counts.

    with serving(first, last, per_second=12) as yahoo:
        settings.yahoo.base_url = yahoo.url

The answers are rendered beforehand, so that what is measured is the client.
"""

import argparse
import asyncio
import datetime as dt
import json
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http import HTTPStatus
from http.client import HTTPConnection
from typing import Any
from urllib.parse import parse_qs, urlsplit

from trader_pipeline.bench.market import Market

CHART = "/v8/finance/chart/"
_COOKIE = "Set-Cookie: A3=d=bench; Path=/; Expires=Wed, 01 Jan 2031 00:00:00 GMT\r\n"
_WINDOW_SECONDS = 1.0


class Counting:
    """Answers a request and counts it; one past `per_second` in a sliding second gets 429, as Yahoo does: without Retry-After."""

    def __init__(self, market: Market, per_second: int | None) -> None:
        self.market = market
        self.per_second = per_second
        self.targets: list[str] = []
        self.throttled = 0
        self._recent: deque[float] = deque()

    def answer(self, target: str) -> bytes:
        """Return the whole HTTP answer. `/bench/…` tells what was counted and is not counted; the cookie host has no limit."""
        path, _, query = target.partition("?")
        if path.startswith("/bench/"):
            return _http(200, json.dumps(self._facts(path.removeprefix("/bench/"))).encode())
        self.targets.append(target)
        if path == "/":
            return _http(404, b"", _COOKIE)
        if self._over():
            self.throttled += 1
            return _http(429, b"Too Many Requests\r\n")
        if path.endswith("/getcrumb"):
            return _http(200, b"benchCrumb")
        if path.startswith(CHART):
            since = parse_qs(query).get("period1", [str(self.market.opened_at[-1])])
            return _http(200, self.market.chart(path.removeprefix(CHART), int(since[0])))
        return _http(404, b'{"finance": {"result": null, "error": {"code": "Not Found", "description": "no such path"}}}')

    def _facts(self, name: str) -> object:
        return self.targets if name == "targets" else {"requests": len(self.targets), "throttled": self.throttled}

    def _over(self) -> bool:
        if self.per_second is None:
            return False
        now = time.monotonic()
        while self._recent and self._recent[0] <= now - _WINDOW_SECONDS:
            self._recent.popleft()
        if len(self._recent) >= self.per_second:
            return True
        self._recent.append(now)
        return False


def _http(status: int, body: bytes, headers: str = "") -> bytes:
    head = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
    )
    return head.encode() + body


class _Connection(asyncio.Protocol):
    """One kept-alive connection that sends GET requests without bodies."""

    def __init__(self, counting: Counting, latency_seconds: float) -> None:
        self._counting = counting
        self._latency_seconds = latency_seconds
        self._unread = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def data_received(self, data: bytes) -> None:
        *requests, self._unread = (self._unread + data).split(b"\r\n\r\n")
        for request in requests:
            answer = self._counting.answer(request.split(b" ", 2)[1].decode())
            asyncio.get_running_loop().call_later(self._latency_seconds, self._transport.write, answer)


class Served:
    """The server as its user sees it."""

    def __init__(self, url: str) -> None:
        self.url = url

    def counts(self) -> dict[str, int]:
        """Return how many requests came, cookie and crumb included, and how many of them were answered with 429."""
        counted: dict[str, int] = self._ask("counts")
        return counted

    def targets(self) -> list[str]:
        """Return path and query of every request, in order."""
        targets: list[str] = self._ask("targets")
        return targets

    def _ask(self, what: str) -> Any:
        connection = HTTPConnection(urlsplit(self.url).netloc, timeout=60)
        with closing(connection):
            connection.request("GET", f"/bench/{what}")
            return json.load(connection.getresponse())


@contextmanager
def serving(first: dt.date, last: dt.date, *, per_second: int | None = None, latency_seconds: float = 0.0) -> Iterator[Served]:
    """Run the server in a process of its own; it ends with the block, or with this process."""
    limit = [] if per_second is None else ["--per-second", str(per_second)]
    command = [sys.executable, "-m", __name__, "--first", str(first), "--last", str(last), "--latency", str(latency_seconds), *limit]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own module
        try:
            url = process.stdout.readline().strip() if process.stdout else ""
            if not url:
                raise RuntimeError(f"the server of the benchmark did not start; run `{' '.join(command)}` to see why")
            yield Served(url)
        finally:
            process.terminate()


async def _serve(counting: Counting, latency_seconds: float) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(counting, latency_seconds), "127.0.0.1", 0, backlog=512)
    sys.stdout.write(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await loop.run_in_executor(None, sys.stdin.read)


def main() -> None:
    """Serve until standard input ends; the first line of output is the URL."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--first", type=dt.date.fromisoformat, required=True, help="first day with bars")
    parser.add_argument("--last", type=dt.date.fromisoformat, required=True, help="last day with bars")
    parser.add_argument("--per-second", type=int, help="requests that are answered in a sliding second")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds until an answer comes")
    options = parser.parse_args()
    asyncio.run(_serve(Counting(Market(options.first, options.last), options.per_second), options.latency))


if __name__ == "__main__":
    main()
