"""The real yfinance on a governed session: every request, cookie and crumb included, passes the gate and is judged here.

The session sits below yfinance, so a bad answer is classified before yfinance can cache or mislabel it.
"""

import datetime as dt
import hashlib
import json
import logging
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import pandas as pd
import yfinance
from curl_cffi.requests import Response, Session
from curl_cffi.requests.exceptions import RequestException
from yfinance import cache
from yfinance.data import YfData
from yfinance.exceptions import YFException, YFPricesMissingError

from trader_pipeline.settings import YahooSettings
from trader_pipeline.sources.gate import Gate
from trader_pipeline.sources.http import (
    NoDataError,
    RefusedError,
    RetryPolicy,
    SchemaChangeError,
    ThrottledError,
    UnknownSymbolError,
    UpstreamError,
    json_body,
    raise_if_throttled,
    retrying,
)

_CHART = "/v8/finance/chart/"
_CRUMB = "/v1/test/getcrumb"
_COOKIE_HOST = "fc.yahoo.com"


@dataclass(slots=True)
class Tally:
    """What one ticker has cost so far."""

    deadline: float
    requests: int = 0
    retries: int = 0
    attempts: int = 0
    body_sha256: str = ""
    trouble: str = ""
    """What went wrong last."""


class GovernedSession(Session[Response]):
    """A curl_cffi session whose requests wait for the gate, go to `settings.base_url` if there is one, and are classified."""

    def __init__(self, gate: Gate, settings: YahooSettings, *, clock: Callable[[], float] = time.time) -> None:
        super().__init__(impersonate="chrome")
        self._gate = gate
        self._settings = settings
        self._clock = clock
        self._of_thread = threading.local()
        self._cookie_answer: Response | None = None

    @contextmanager
    def counting(self) -> Iterator[Tally]:
        """Count this thread's requests for one ticker and hold them to the deadline."""
        tally = self._of_thread.tally = Tally(deadline=self._clock() + self._settings.deadline_seconds)
        try:
            yield tally
        finally:
            del self._of_thread.tally

    def request(self, method: Any, url: str, *args: Any, **kwargs: Any) -> Response:
        """Send one request when its moment has come; raise `http.VendorError` on an answer that is none."""
        target = urlsplit(url)
        if target.netloc == _COOKIE_HOST and self._cookie_answer is not None:
            return self._cookie_answer  # without its disk cache yfinance would ask before every request; the jar has the cookie
        tally: Tally = self._of_thread.tally
        self._gate.acquire(tally.deadline - self._clock())
        tally.requests += 1
        tally.retries += int(tally.attempts > 1)
        if self._settings.base_url:
            query = f"?{target.query}" if target.query else ""
            url = f"{self._settings.base_url.rstrip('/')}{target.path or '/'}{query}"
        kwargs["timeout"] = self._settings.timeout_seconds
        try:
            answer = super().request(method, url, *args, **kwargs)
            self._judge(target.path, answer, tally)
        except (RequestException, UpstreamError) as error:
            if target.path.startswith(_CHART):
                self._gate.failed()
                tally.trouble = str(error)
                raise UpstreamError(str(error)) from error
            raise  # cookie or crumb: yfinance goes on without them
        if target.netloc == _COOKIE_HOST:
            self._cookie_answer = answer
        return answer

    def _judge(self, path: str, answer: Response, tally: Tally) -> None:
        try:
            raise_if_throttled(answer.status_code, answer.headers.get("Retry-After"), self._clock())
        except ThrottledError as error:
            self._gate.throttled(error.retry_after_seconds)
            tally.trouble = str(error)
            raise
        if path == _CRUMB and answer.status_code >= HTTPStatus.BAD_REQUEST:
            raise UpstreamError(f"no crumb: HTTP {answer.status_code}")
        if path.startswith(_CHART):
            _judge_chart(answer.status_code, answer.content)
            self._gate.succeeded()
            tally.body_sha256 = hashlib.sha256(answer.content).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """One ticker's answer. `frame` is indexed by session, with yfinance's columns; all but one are floats."""

    frame: pd.DataFrame
    currency: str
    exchange: str
    name: str | None
    body_sha256: str


def use(session: GovernedSession) -> None:
    """Make `session` the one that yfinance uses in this process, without what it remembers of an earlier one.

    yfinance keeps cookies and time zones in SQLite files of the user's cache folder, one connection a thread. They are
    switched off: a run asks for one cookie, and no cookie is left on disk.
    """
    logging.getLogger("yfinance").setLevel(logging.WARNING)  # its debug lines show the crumb
    warnings.filterwarnings("ignore", category=DeprecationWarning, module="yfinance")  # its use of pandas, which no user can mend
    yfinance.config.debug.hide_exceptions = False
    cache._TzCacheManager._tz_cache = cache._TzCacheDummy()  # noqa: SLF001 - yfinance has no public switch
    cache._CookieCacheManager._Cookie_cache = cache._CookieCacheDummy()  # noqa: SLF001 - the same
    client = YfData(session=session)
    client._crumb = client._cookie = None  # noqa: SLF001 - they belong to the earlier session
    client.cache_get.cache_clear()


def download(
    ticker: str, first: dt.date, *, session: GovernedSession, tally: Tally, policy: RetryPolicy, sleep: Callable[[float], None]
) -> History:
    """Return daily rows from `first` up to now, split-adjusted as of now, null sessions kept.

    Raises `VendorError` when no attempt brings an answer, `gate.CircuitOpenError` when the vendor must not be asked.
    """

    def once() -> History:
        tally.attempts += 1
        return _download_once(ticker, first, session, tally)

    return retrying(policy, sleep)(once)


def _download_once(ticker: str, first: dt.date, session: GovernedSession, tally: Tally) -> History:
    client = yfinance.Ticker(ticker, session=session)
    client._tz = "UTC"  # noqa: SLF001 - saves a request a ticker; it only places `first`, the answer names its own zone
    try:
        frame = client.history(start=first.isoformat(), interval="1d", auto_adjust=False, actions=True, keepna=True)
        facts = client.get_history_metadata()
        return History(
            frame=frame,
            currency=str(facts["currency"]),
            exchange=str(facts["exchangeName"]),
            name=facts.get("longName"),
            body_sha256=tally.body_sha256,
        )
    except YFPricesMissingError as error:
        raise NoDataError(str(error)) from error
    except (YFException, AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise SchemaChangeError(f"yfinance cannot read the answer: {type(error).__name__}: {error}") from error


def _judge_chart(status: int, body: bytes) -> None:
    """Raise what a chart answer means unless it holds a result or Yahoo's own words."""
    if status == HTTPStatus.NOT_FOUND:
        raise UnknownSymbolError(_words(body) or f"HTTP {status}")
    answer = json_body(status, body)
    if status >= HTTPStatus.BAD_REQUEST:
        words = _words(body)
        raise NoDataError(words) if "Data doesn't exist" in words else RefusedError(f"HTTP {status}: {words}")
    if not isinstance(answer, dict) or not isinstance(answer.get("chart"), dict):
        raise SchemaChangeError("the answer has no chart")
    if not answer["chart"].get("result") and not answer["chart"].get("error"):
        raise UpstreamError("neither a result nor an error")


def _words(body: bytes) -> str:
    """Return Yahoo's description of an error, empty where there is none."""
    try:
        return str(json.loads(body)["chart"]["error"]["description"])
    except (ValueError, KeyError, TypeError):
        return ""
