"""Yahoo through yfinance: its session, cookie, crumb and consent; the answer's JSON is read by us (docs/adr/0003)."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import Self

from yfinance import cache
from yfinance.const import _BASE_URL_
from yfinance.data import YfData

from trader_pipeline.errors import UsageError
from trader_pipeline.settings import Settings, YahooSettings
from trader_pipeline.sources.asking import Found, Stop, Tally, answer_of, ask_each
from trader_pipeline.sources.gate import Gate, SqliteGate, limits_of
from trader_pipeline.sources.http import RetryPolicy, UpstreamError, retrying
from trader_pipeline.sources.source import FetchRequest, FetchResult
from trader_pipeline.sources.yahoo_session import Answer, GovernedSession, StaleCrumbError


class YahooClient:
    """Asks Yahoo. One a fetch, used by all of its threads; closed at its end.

    It holds a YfData of its own, not the one that yfinance shares in a process, so two fetches share no cookie, and
    never asks through yfinance's lru_cache, which keeps bad answers. yfinance's cookie file in the user's cache folder
    (SQLite, a connection a thread) is switched off.
    """

    def __init__(
        self, gate: Gate, settings: YahooSettings, *, sleep: Callable[[float], None], clock: Callable[[], float] = time.time
    ) -> None:
        logging.getLogger("yfinance").setLevel(logging.ERROR)  # its debug lines show the crumb; its warnings are ours, once a ticker
        cache._CookieCacheManager._Cookie_cache = cache._CookieCacheDummy()  # noqa: SLF001 - yfinance has no public switch
        self._settings = settings
        self._sleep = sleep
        self._clock = clock
        self._session = GovernedSession(gate, settings, clock=clock)
        self._yahoo = type.__call__(YfData, session=self._session)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._session.close()

    def now(self) -> float:
        """Return seconds since the epoch."""
        return self._clock()

    def tally(self, ticker: str) -> Tally:
        """Return the count of one ticker, which has the vendor's deadline from now on."""
        return Tally(ticker=ticker, deadline=self._clock() + self._settings.deadline_seconds)

    def get(self, path: str, params: Mapping[str, object], *, tally: Tally) -> Answer:
        """Return a sound answer to one GET, asked again while that may help.

        Raises `VendorError` when no attempt brings one, `gate.CircuitOpenError` when Yahoo must not be asked.
        """
        policy = RetryPolicy(
            attempts=self._settings.attempts,
            deadline_seconds=max(0.0, tally.deadline - self._clock()),
            backoff_seconds=self._settings.backoff_seconds,
        )
        tries, renewed = 0, False

        def once() -> Answer:
            nonlocal tries, renewed
            tries += 1
            try:
                return self._once(path, params, tally, tries, renewed=renewed)
            except StaleCrumbError as error:
                renewed = True
                self._renew(error.crumb)
                raise

        return retrying(policy, self._sleep)(once)

    def _once(self, path: str, params: Mapping[str, object], tally: Tally, tries: int, *, renewed: bool) -> Answer:
        with self._session.asking(tally, tries, renewed=renewed) as asking:
            self._yahoo.get(f"{_BASE_URL_}{path}", params=dict(params))
            if asking.answer is None:
                raise UpstreamError("yfinance returned without an answer")
            return asking.answer

    def _renew(self, refused: str) -> None:
        """Ask for cookie and crumb anew, unless another thread did since `refused` was sent."""
        client = self._yahoo
        with client._cookie_lock:  # noqa: SLF001 - yfinance renews a crumb only after answers that never reach it here
            if client._crumb == refused:  # noqa: SLF001
                client._crumb = client._cookie = None  # noqa: SLF001
                self._session.forget()


def fetch_each(request: FetchRequest, settings: Settings, ask: Callable[[YahooClient, str, Tally], Found]) -> Iterator[FetchResult]:
    """Yield what `ask` finds for every ticker of the request, behind the gate that all processes with its file share."""
    if request.tickers is None:
        raise UsageError("yahoo cannot list what it has; name tickers or a universe")
    stop = Stop()
    gate = SqliteGate(settings.gate_path, "yahoo", limits_of(settings.yahoo), sleep=stop.sleep)
    with YahooClient(gate, settings.yahoo, sleep=stop.sleep) as client:

        def one(ticker: str) -> FetchResult:
            tally = client.tally(ticker)
            return answer_of(request, tally, lambda: ask(client, ticker, tally))

        yield from ask_each(request.tickers, one, workers=settings.yahoo.workers, stop=stop, name="yahoo")
