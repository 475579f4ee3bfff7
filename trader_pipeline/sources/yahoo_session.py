"""The HTTP session under yfinance: every request, cookie and crumb included, passes the gate, is counted, judged and bounded.

It sits below yfinance, so a bad answer is classified before yfinance can remember or mislabel it.
"""

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import structlog
from curl_cffi import CurlOpt
from curl_cffi.requests import Response, Session
from curl_cffi.requests.exceptions import RequestException

from trader_pipeline.settings import YahooSettings
from trader_pipeline.sources.asking import Tally
from trader_pipeline.sources.gate import Gate
from trader_pipeline.sources.http import ThrottledError, TransientError, UpstreamError, VendorError, raise_if_throttled
from trader_pipeline.sources.yahoo_answers import DATA, judged

COOKIE_PAUSE_SECONDS = 60.0
"""A cookie or crumb host that failed is left alone for so long: one that hangs would cost a timeout a ticker."""

_CRUMB = "/v1/test/getcrumb"
_LONGEST_CRUMB = 64
_log = structlog.get_logger(__name__)


class StaleCrumbError(TransientError):
    """Yahoo refuses the crumb: cookie and crumb are old. `crumb` is the refused one."""

    def __init__(self, message: str, crumb: str) -> None:
        super().__init__(message)
        self.crumb = crumb


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A sound answer: the parsed JSON, and the hash of the bytes it was read from."""

    body: Any
    sha256: str


@dataclass(slots=True)
class _Asking:
    """What this thread is asking for."""

    tally: Tally
    tries: int
    renewed: bool
    """This request has had its crumb renewed once already."""
    answer: Answer | None = None


@dataclass(frozen=True, slots=True)
class _Remembered:
    """What a cookie or crumb host said, and until when that stands."""

    answer: Response | VendorError
    until: float


class GovernedSession(Session[Response]):
    """A curl_cffi session whose requests wait for the gate, go to `settings.base_url` if there is one, and are classified.

    A connection serves one request: on a kept one that the server has closed libcurl would send the request again by
    itself, past the gate. Charts, options and headlines follow no redirect for the same reason.
    """

    def __init__(self, gate: Gate, settings: YahooSettings, *, clock: Callable[[], float] = time.time) -> None:
        super().__init__(impersonate="chrome", curl_options={CurlOpt.FORBID_REUSE: 1})
        self._gate = gate
        self._settings = settings
        self._clock = clock
        self._of_thread = threading.local()
        self._remembered: dict[str, _Remembered] = {}

    @contextmanager
    def asking(self, tally: Tally, tries: int, *, renewed: bool) -> Iterator[_Asking]:
        """Charge this thread's requests to `tally`; what comes back is in `answer` of the result."""
        asking = self._of_thread.asking = _Asking(tally, tries, renewed)
        try:
            yield asking
        finally:
            del self._of_thread.asking

    def forget(self) -> None:
        """Drop the cookie and all that the hosts of cookie and crumb said."""
        self.cookies.clear()
        self._remembered.clear()

    def request(self, method: Any, url: str, *args: Any, **kwargs: Any) -> Response:
        """Send one request when its moment has come; raise `http.VendorError` on an answer that is none."""
        target = urlsplit(url)
        if not target.path.startswith(DATA):
            return self._beside(target.netloc + target.path, method, url, *args, **kwargs)
        asking: _Asking = self._of_thread.asking
        try:
            answer = self._send(method, url, *args, **(kwargs | {"allow_redirects": False}))
            if answer.status_code == HTTPStatus.UNAUTHORIZED:
                _judge_unauthorized(str((kwargs.get("params") or {}).get("crumb", "")), renewed=asking.renewed)
            body = judged(target.path, answer.status_code, answer.content)
        except ThrottledError:
            raise  # told where it was heard
        except UpstreamError as error:
            self._gate.failed(asking.tally.ticker)
            asking.tally.trouble = str(error)
            raise
        except VendorError:
            self._gate.succeeded()  # a refusal is an answer: the vendor is there
            raise
        self._gate.succeeded()
        asking.answer = Answer(body=body, sha256=hashlib.sha256(answer.content).hexdigest())
        asking.tally.body_sha256 = asking.answer.sha256
        return answer

    def _beside(self, name: str, method: Any, url: str, *args: Any, **kwargs: Any) -> Response:
        """Ask the hosts of cookie and crumb once; what went wrong there stands for a while, and yfinance goes on without them.

        yfinance holds a lock meanwhile, so no two threads ask at once.
        """
        known = self._remembered.get(name)
        if known is None or known.until <= self._clock():
            known = self._remembered[name] = self._asked_beside(name, method, url, *args, **kwargs)
        if isinstance(known.answer, VendorError):
            raise known.answer.with_traceback(None)  # one object, raised often: its traceback would grow each time
        return known.answer

    def _asked_beside(self, name: str, method: Any, url: str, *args: Any, **kwargs: Any) -> _Remembered:
        soon = self._clock() + COOKIE_PAUSE_SECONDS
        try:
            answer = self._send(method, url, *args, **kwargs)
            if name.endswith(_CRUMB):
                _judge_crumb(answer)
        except (ThrottledError, UpstreamError) as error:
            _log.warning("yahoo goes on without cookie or crumb; options need them", host=name, said=str(error))
            return _Remembered(error, soon)
        return _Remembered(answer, soon if answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR else float("inf"))

    def _send(self, method: Any, url: str, *args: Any, **kwargs: Any) -> Response:
        """Wait for the gate, count, send; raise `ThrottledError`, or `UpstreamError` without any answer."""
        asking: _Asking = self._of_thread.asking
        self._gate.acquire(asking.tally.deadline - self._clock())
        asking.tally.requests += 1
        asking.tally.retries += int(asking.tries > 1)
        kwargs["timeout"] = self._settings.timeout_seconds
        try:
            answer = super().request(method, self._redirected(url), *args, **kwargs)
        except RequestException as error:
            raise UpstreamError(type(error).__name__) from error
        try:
            raise_if_throttled(answer.status_code, answer.headers.get("Retry-After"), self._clock())
        except ThrottledError as error:
            asking.tally.throttled += 1
            asking.tally.trouble = str(error)
            self._gate.throttled(error.retry_after_seconds)
            raise
        return answer

    def _redirected(self, url: str) -> str:
        if not self._settings.base_url:
            return url
        target = urlsplit(url)
        return f"{self._settings.base_url.rstrip('/')}{target.path or '/'}{f'?{target.query}' if target.query else ''}"


def _judge_unauthorized(crumb: str, *, renewed: bool) -> None:
    """Raise what a 401 means: no crumb was to be had, or, the first time, that it is old."""
    if not crumb:
        raise UpstreamError("HTTP 401 to a request without a crumb, which was not to be had")
    if not renewed:
        raise StaleCrumbError("HTTP 401: cookie and crumb are asked for again", crumb)


def _judge_crumb(answer: Response) -> None:
    """Raise unless the answer is a crumb: one short word."""
    if answer.status_code >= HTTPStatus.BAD_REQUEST:
        raise UpstreamError(f"no crumb: HTTP {answer.status_code}")
    if not 0 < len(answer.text) <= _LONGEST_CRUMB or "<" in answer.text or " " in answer.text:
        raise UpstreamError(f"no crumb: {len(answer.content)} bytes of something else")
