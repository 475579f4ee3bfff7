"""A Yahoo on 127.0.0.1 for the real yfinance: charts, cookie and crumb, with faults on demand.

    with FakeYahoo() as yahoo:
        yahoo.plan("AAPL", "500", "429")      # one fault a chart request, then sound answers
        settings.yahoo.base_url = yahoo.url

Alone: `python -m trader_pipeline_tests.fake_yahoo --port 0` prints its URL and serves until interrupted.
"""

import argparse
import datetime as dt
import json
import threading
import time
from collections import Counter, defaultdict, deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, ClassVar, NamedTuple, Self
from urllib.parse import parse_qs, urlsplit

from trader_pipeline_tests.fake_world import NEW_YORK, World, moment

CHART = "/v8/finance/chart/"
SLOW_SECONDS = 3.0


@dataclass(frozen=True, kw_only=True)
class Reply:
    """One HTTP answer; `cut` closes the connection after that share of the body."""

    status: int = 200
    body: Any = ""
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    cut: float | None = None

    @property
    def bytes(self) -> bytes:
        return self.body.encode() if isinstance(self.body, str) else json.dumps(self.body).encode()


def _html(status: int, body: str) -> Reply:
    return Reply(status=status, body=body, content_type="text/html")


def _chart_error(status: int, code: str, description: str) -> Reply:
    return Reply(status=status, body={"chart": {"result": None, "error": {"code": code, "description": description}}})


UNKNOWN = _chart_error(404, "Not Found", "No data found, symbol may be delisted")


class Answered(NamedTuple):
    """A line of the server's log; `at` is monotonic seconds, status 0 a connection closed without an answer."""

    at: float
    path: str
    status: int


class FakeYahoo:
    """The server. `hits` counts requests by path, `log` holds the answers in their order.

    `rate=(n, seconds)` answers 429 past n requests in a sliding window, with `retry_after` as the header if it is set.
    """

    INSTEAD: ClassVar[dict[str, Reply]] = {
        "401": _chart_error(401, "Unauthorized", "Invalid Crumb"),
        "403": _html(403, "<html>Forbidden</html>"),
        "404": UNKNOWN,
        "500": _html(500, "<html>Internal Server Error</html>"),
        "502": _html(502, "<html>Bad Gateway</html>"),
        "bad_request": _chart_error(400, "Bad Request", "Data doesn't exist for startDate = 1, endDate = 2"),
        "down": _html(200, "<html>Will be right back...</html>"),
        "html": _html(200, "<html>consent?</html>"),
        "null": Reply(body={"chart": {"result": None, "error": None}}),
        "no_chart": Reply(body={"candles": []}),
    }
    """Faults that replace the answer."""
    CHANGED: ClassVar[frozenset[str]] = frozenset({"empty", "nulls", "short", "malformed", "truncated", "slow"})
    """Faults that change it. Beside both: `429`, and `reset`, which closes the connection without an answer."""

    def __init__(
        self, world: World | None = None, *, rate: tuple[int, float] | None = None, retry_after: str | None = None, port: int = 0
    ) -> None:
        self.world = world or World()
        self.rate = rate
        self.retry_after = retry_after
        self.plans: dict[str, deque[str]] = defaultdict(deque)
        self.forever: dict[str, str] = {}
        self.hits: Counter[str] = Counter()
        self.log: list[Answered] = []
        self._recent: deque[float] = deque()
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.yahoo = self
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    def plan(self, symbol: str, *faults: str) -> None:
        """Queue faults for the next chart requests of a symbol; `forever[symbol]` is one that never ends."""
        self.plans[symbol].extend(faults)

    def requests(self, symbol: str) -> int:
        """Return how often a symbol's chart was asked for."""
        return self.hits[CHART + symbol]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def answer(self, target: str) -> Reply | None:
        """Return the reply to one GET, None to close the connection without any."""
        parts = urlsplit(target)
        path, query = parts.path, {name: values[0] for name, values in parse_qs(parts.query).items()}
        with self._lock:
            self.hits[path] += 1
            reply = self._too_many() if path != "/" and self._over_rate() else None
        if reply is None:
            reply = self._route(path, query)
        with self._lock:
            self.log.append(Answered(time.monotonic(), path, reply.status if reply else 0))
        return reply

    def _route(self, path: str, query: dict[str, str]) -> Reply | None:
        if path == "/":
            return Reply(status=404, headers={"Set-Cookie": "A3=d=fake; Domain=yahoo.com; Path=/; Expires=Wed, 01 Jan 2031 00:00:00 GMT"})
        if path.endswith("/getcrumb"):
            return Reply(body="fakeCrumb", content_type="text/plain")
        if path.startswith(CHART):
            return self._chart(path.removeprefix(CHART), query)
        return Reply(status=404, body={"finance": {"result": None, "error": {"code": "Not Found", "description": path}}})

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

    def _too_many(self) -> Reply:
        headers = {"Retry-After": self.retry_after} if self.retry_after else {}
        return Reply(status=429, body="Too Many Requests\r\n", content_type="text/html", headers=headers)

    def _chart(self, symbol: str, query: dict[str, str]) -> Reply | None:
        with self._lock:
            fault = self.plans[symbol].popleft() if self.plans[symbol] else self.forever.get(symbol)
        if symbol in self.world.unknown:
            return UNKNOWN
        if fault == "429":
            return self._too_many()
        if fault == "reset":
            return None
        if fault in self.INSTEAD:
            return self.INSTEAD[fault]
        if fault is not None and fault not in self.CHANGED:
            raise ValueError(f"no fault {fault!r}")
        if fault == "slow":
            time.sleep(SLOW_SECONDS)
        body = {"chart": {"result": [self._result(symbol, query, fault)], "error": None}}
        if fault == "malformed":
            return Reply(body=json.dumps(body)[:-40])
        return Reply(body=body, cut=0.5 if fault == "truncated" else None)

    def _result(self, symbol: str, query: dict[str, str], fault: str | None) -> dict[str, Any]:
        first = dt.datetime.fromtimestamp(int(query["period1"]), NEW_YORK).date()
        first += dt.timedelta(days=int(moment(first) < int(query["period1"])))
        before = dt.datetime.fromtimestamp(int(query["period2"]), NEW_YORK).date() + dt.timedelta(days=1)
        days, columns, events = self.world.view(symbol, first, before)
        if fault == "empty" or not len(days):
            return {"meta": self._meta(symbol), "indicators": {"quote": [{}], "adjclose": [{}]}}
        lists = {name: values.tolist() for name, values in columns.items()}
        if fault == "nulls":
            for values in lists.values():
                values[len(values) // 2] = None
        if fault == "short":
            lists["close"].pop()
        adjusted = lists.pop("adjclose")
        result = {
            "meta": self._meta(symbol),
            "timestamp": [moment(day) for day in days.tolist()],
            "indicators": {"quote": [lists], "adjclose": [{"adjclose": adjusted}]},
        }
        return result | ({"events": events} if events else {})

    def _meta(self, symbol: str) -> dict[str, Any]:
        today = self.world.today
        period = {"timezone": "EDT", "start": moment(today), "end": moment(today, 16, 0), "gmtoffset": -14400}
        return {
            "currency": "USD",
            "symbol": symbol,
            "exchangeName": "PCX" if symbol == "SPY" else "NMS",
            "instrumentType": "ETF" if symbol == "SPY" else "EQUITY",
            "longName": f"{symbol} Incorporated",
            "firstTradeDate": moment(self.world.first),
            "regularMarketTime": moment(today, 16, 0),
            "hasPrePostMarketData": True,
            "gmtoffset": -14400,
            "timezone": "EDT",
            "exchangeTimezoneName": "America/New_York",
            "priceHint": 2,
            "dataGranularity": "1d",
            "range": "",
            "validRanges": ["1d", "5d", "1mo", "3mo", "6mo", "1y", "2y", "5y", "10y", "ytd", "max"],
            "currentTradingPeriod": {"pre": period, "regular": period, "post": period},
            **self.world.meta[symbol],
        }


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512
    yahoo: FakeYahoo


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def log_message(self, *_: object) -> None:
        """Keep the tests' output clean."""

    def do_GET(self) -> None:
        reply = self.server.yahoo.answer(self.path)
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


def main() -> None:
    """Serve until interrupted; the first line of output is the URL."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--today", type=dt.date.fromisoformat, default=dt.datetime.now(NEW_YORK).date(), help="last day with bars")
    parser.add_argument("--first", type=dt.date.fromisoformat, default=dt.date(2015, 1, 2), help="first day with bars")
    parser.add_argument("--unknown", nargs="*", default=[], help="symbols that Yahoo does not know")
    parser.add_argument("--fault", nargs="*", default=[], metavar="SYMBOL=FAULT", help="symbols that never answer soundly")
    options = parser.parse_args()
    world = World(first=options.first, today=options.today)
    world.unknown.update(options.unknown)
    with FakeYahoo(world, port=options.port) as yahoo:
        yahoo.forever.update(pair.split("=", 1) for pair in options.fault)
        print(yahoo.url, flush=True)  # noqa: T201 - a command prints
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            return


if __name__ == "__main__":
    main()
