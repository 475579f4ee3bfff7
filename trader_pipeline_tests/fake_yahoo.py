"""A Yahoo on 127.0.0.1 for the real yfinance: charts, options, headlines, cookie and crumb, with faults on demand.

    with FakeYahoo() as yahoo:
        yahoo.plan("AAPL", "500", "429")      # one fault a request about AAPL, then sound answers
        yahoo.beside["/"] = "hang"            # the cookie host
        settings.yahoo.base_url = yahoo.url

Alone: `python -m trader_pipeline_tests.fake_yahoo --port 0` prints its URL and serves until interrupted.
"""

import argparse
import datetime as dt
import json
import threading
import time
from collections import Counter, defaultdict, deque
from typing import Any, ClassVar, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from trader_pipeline_tests import fake_yahoo_bodies
from trader_pipeline_tests.fake_server import HTML, SLOW_SECONDS, FakeServer, Reply
from trader_pipeline_tests.fake_world import NEW_YORK, World

CHART = "/v8/finance/chart/"
OPTIONS = "/v7/finance/options/"
SEARCH = "/v1/finance/search"
COOKIE = "/"
CRUMB = "/v1/test/getcrumb"


def _html(status: int, body: str) -> Reply:
    return Reply(status=status, body=body, content_type=HTML)


def _chart_error(status: int, code: str, description: str) -> Reply:
    return Reply(status=status, body={"chart": {"result": None, "error": {"code": code, "description": description}}})


UNKNOWN = _chart_error(404, "Not Found", "No data found, symbol may be delisted")


_BODIES = {CHART: fake_yahoo_bodies.chart, OPTIONS: fake_yahoo_bodies.options, SEARCH: fake_yahoo_bodies.headlines}


class Answered(NamedTuple):
    """A line of the server's log; `at` is monotonic seconds, status 0 a connection closed without an answer."""

    at: float
    path: str
    status: int


class FakeYahoo(FakeServer):
    """The server. `hits` counts requests by path, `targets` holds them with their query, `log` the answers in their order.

    `rate=(n, seconds)` answers 429 past n requests in a sliding window, with `retry_after` as the header if it is set.
    `beside` maps `COOKIE` and `CRUMB` to a fault: 429, hang, or a name of INSTEAD. Options want the crumb of the day,
    charts none; `renew_crumb` makes the old one stale, for `picky` servers for charts too. `latency_s` holds every answer.
    `canned` maps a path to a body that is served as it is.
    """

    INSTEAD: ClassVar[dict[str, Reply]] = {
        "401": _chart_error(401, "Unauthorized", "Invalid Crumb"),
        "403": _html(403, "<html>Forbidden</html>"),
        "404": UNKNOWN,
        "500": _html(500, "<html>Internal Server Error</html>"),
        "502": _html(502, "<html>Bad Gateway</html>"),
        "503": _html(503, "<html>Service Unavailable</html>"),
        "bad_request": _chart_error(400, "Bad Request", "Data doesn't exist for startDate = 1, endDate = 2"),
        "down": _html(200, "<html>Will be right back...</html>"),
        "html": _html(200, "<html>consent?</html>"),
        "null": Reply(body={"chart": {"result": None, "error": None}}),
        "no_chart": Reply(body={"candles": []}),
    }
    """Faults that replace the answer."""
    CHANGED: ClassVar[frozenset[str]] = frozenset({"empty", "nulls", "short", "malformed", "truncated", "slow"})
    """Faults that change it. Beside both: `429`, `503_later` (with Retry-After), and `reset`: closed without an answer."""

    def __init__(
        self,
        world: World | None = None,
        *,
        rate: tuple[int, float] | None = None,
        retry_after: str | None = None,
        latency_s: float = 0.0,
        port: int = 0,
    ) -> None:
        super().__init__(rate=rate, port=port)
        self.world = world or World()
        self.retry_after = retry_after
        self.latency_s = latency_s
        self.picky = False
        self.crumb = "fakeCrumb1"
        self.beside: dict[str, str] = {}
        self.canned: dict[str, Any] = {}
        self.plans: dict[str, deque[str]] = defaultdict(deque)
        self.forever: dict[str, str] = {}
        self.hits: Counter[str] = Counter()
        self.targets: list[str] = []
        self.log: list[Answered] = []
        self.start()

    def plan(self, symbol: str, *faults: str) -> None:
        """Queue faults for the next requests about a symbol; `forever[symbol]` is one that never ends."""
        self.plans[symbol].extend(faults)

    def requests(self, symbol: str) -> int:
        """Return how often a symbol's chart was asked for."""
        return self.hits[CHART + symbol]

    def renew_crumb(self) -> None:
        """Make the crumb that was handed out stale."""
        self.crumb = f"fakeCrumb{int(self.crumb.removeprefix('fakeCrumb')) + 1}"

    def answer(self, target: str, headers: dict[str, str]) -> Reply | None:  # noqa: ARG002 - Yahoo looks at none
        """Return the reply to one GET, None to close the connection without any."""
        parts = urlsplit(target)
        path, query = parts.path, {name: values[0] for name, values in parse_qs(parts.query).items()}
        with self.lock:
            self.hits[path] += 1
            self.targets.append(target)
            reply = self._too_many() if path != COOKIE and self.over_rate() else None
        if self.latency_s:
            time.sleep(self.latency_s)
        if reply is None:
            reply = Reply(body=self.canned[path]) if path in self.canned else self._route(path, query)
        with self.lock:
            self.log.append(Answered(time.monotonic(), path, reply.status if reply else 0))
        return reply

    def _route(self, path: str, query: dict[str, str]) -> Reply | None:
        if path in self.beside:
            return self._beside(self.beside[path])
        if path == COOKIE:
            return Reply(status=404, headers={"Set-Cookie": "A3=d=fake; Domain=yahoo.com; Path=/; Expires=Wed, 01 Jan 2031 00:00:00 GMT"})
        if path == CRUMB:
            return Reply(body=self.crumb, content_type="text/plain")
        if path == SEARCH:
            return self._data(query["q"], SEARCH, query)
        for start in (CHART, OPTIONS):
            if path.startswith(start):
                return self._data(unquote(path.removeprefix(start)), start, query)
        return Reply(status=404, body={"finance": {"result": None, "error": {"code": "Not Found", "description": path}}})

    def _beside(self, fault: str) -> Reply | None:
        if fault == "hang":
            self.closing.wait()
            return None
        return self._too_many() if fault == "429" else self.INSTEAD[fault]

    def _too_many(self, status: int = 429) -> Reply:
        headers = {"Retry-After": self.retry_after} if self.retry_after else {}
        return Reply(status=status, body="Too Many Requests\r\n", content_type=HTML, headers=headers)

    def _data(self, symbol: str, start: str, query: dict[str, str]) -> Reply | None:
        """Answer a request about a symbol, with its next fault if one is planned."""
        with self.lock:
            fault = self.plans[symbol].popleft() if self.plans[symbol] else self.forever.get(symbol)
        if symbol in self.world.unknown and start == CHART:
            return UNKNOWN
        if (start == OPTIONS or self.picky) and query.get("crumb") != self.crumb:
            return self.INSTEAD["401"]
        if fault in {"429", "503_later"}:
            return self._too_many(int(fault[:3]))
        if fault == "reset":
            return None
        if fault in self.INSTEAD:
            return self.INSTEAD[fault]
        return self._changed(_BODIES[start](self.world, symbol, query, fault), fault)

    def _changed(self, body: dict[str, Any], fault: str | None) -> Reply:
        if fault is not None and fault not in self.CHANGED:
            raise ValueError(f"no fault {fault!r}")
        if fault == "slow":
            self.closing.wait(SLOW_SECONDS)
        if fault == "malformed":
            return Reply(body=json.dumps(body)[:-40])
        return Reply(body=body, cut=0.5 if fault == "truncated" else None)


def main() -> None:
    """Serve until interrupted; the first line of output is the URL."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--today", type=dt.date.fromisoformat, default=dt.datetime.now(NEW_YORK).date(), help="last day with bars")
    parser.add_argument("--first", type=dt.date.fromisoformat, default=dt.date(2015, 1, 2), help="first day with bars")
    parser.add_argument("--unknown", nargs="*", default=[], help="symbols that Yahoo does not know")
    parser.add_argument("--fault", nargs="*", default=[], metavar="SYMBOL=FAULT", help="symbols that never answer soundly")
    parser.add_argument("--latency-s", type=float, default=0.0, help="seconds that every answer takes")
    options = parser.parse_args()
    world = World(first=options.first, today=options.today)
    world.unknown.update(options.unknown)
    with FakeYahoo(world, port=options.port, latency_s=options.latency_s) as yahoo:
        yahoo.forever.update(pair.split("=", 1) for pair in options.fault)
        print(yahoo.url, flush=True)  # noqa: T201 - a command prints
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            return


if __name__ == "__main__":
    main()
