"""One vendor's HTTP interface through requests: every request passes the gate, is judged, retried and counted.

What is raised or logged names the path, never the query: some vendors want their key in it. `secrets` are the keys that
are sent, in a header or the query: they are cut out of every body, and no redirect is followed with them.
"""

import hashlib
import logging
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeVar

import requests
import urllib3

from trader_pipeline.errors import UsageError
from trader_pipeline.settings import VendorSettings
from trader_pipeline.sources.asking import Found, Stop, Tally, answer_of, ask_each
from trader_pipeline.sources.gate import Gate, SqliteGate, limits_of
from trader_pipeline.sources.http import (
    RefusedError,
    RetryPolicy,
    SchemaChangeError,
    ThrottledError,
    TransientError,
    UnknownSymbolError,
    UpstreamError,
    VendorError,
    json_of,
    raise_if_throttled,
    retrying,
)
from trader_pipeline.sources.source import FetchRequest, FetchResult

MOST_BYTES = 256 * 2**20
"""Unpacked. EDGAR's largest company has some 60 MB; what sends more is no vendor of ours."""

_REFUSED = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.PAYMENT_REQUIRED, HTTPStatus.FORBIDDEN})
_LATER = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY})
_CHUNK_BYTES = 2**16


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """A sound answer."""

    status: int
    content: bytes
    content_type: str
    path: str

    @property
    def sha256(self) -> str:
        """Hash of the bytes."""
        return hashlib.sha256(self.content).hexdigest()

    def json(self) -> Any:
        """Return the parsed body; `UpstreamError` for one that is no JSON."""
        return json_of(self.content, self.path)

    def text(self) -> str:
        """Return the body as text; `UpstreamError` for a page of HTML, which no table is served as."""
        if "html" in self.content_type or self.content.lstrip()[:1] == b"<":
            raise UpstreamError(f"{self.path}: a page of HTML in place of the data")
        try:
            return self.content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise UpstreamError(f"{self.path}: {len(self.content)} bytes that are no text") from error


def _type_of(answer: requests.Response) -> str:
    return answer.headers.get("Content-Type", "").lower()


T = TypeVar("T")
Judge = Callable[[Body], None]
"""Raises what the vendor's own words mean: called on every answer before its status is judged."""


def _unchanged(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _silent(_: Body) -> None:
    return


class RestClient:
    """Asks one vendor. One client a fetch, used by all of its threads, each with a connection of its own."""

    def __init__(
        self,
        source: str,
        url: str,
        settings: VendorSettings,
        gate_file: Path,
        *,
        stop: Stop,
        headers: Mapping[str, str] | None = None,
        secrets: Collection[str] = (),
        judge: Judge = _silent,
        gate: Gate | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        logging.getLogger("urllib3").setLevel(logging.ERROR)  # its debug lines show the query, and so does a warning of odd headers
        if any(not (secret.isascii() and secret.isprintable()) for secret in secrets):
            raise UsageError(f"{source}: the key holds characters that no key has; set TRADER_{source.upper()}__API_KEY anew")
        self._gate = gate or SqliteGate(gate_file, source, limits_of(settings), sleep=stop.sleep)
        self._source = source
        self._url = (settings.base_url or url).rstrip("/")
        self._settings = settings
        self._headers = dict(headers or {})
        self._secrets = tuple(secret.encode() for secret in secrets if secret)
        self._judge = judge
        self._stop = stop
        self._clock = clock
        self._of_thread = threading.local()

    def tally(self, ticker: str) -> Tally:
        """Return the count of one ticker, series or file, which has the vendor's deadline from now on."""
        return Tally(ticker=ticker, deadline=self._clock() + self._settings.deadline_seconds)

    def ask_each(self, names: Sequence[str], request: FetchRequest, find: Callable[[str, Tally], Found]) -> Iterator[FetchResult]:
        """Yield what `find` brings of every name as each is answered; an error that a vendor may cause is that name's outcome."""

        def one(name: str) -> FetchResult:
            tally = self.tally(name)
            return answer_of(request, tally, lambda: find(name, tally))

        return ask_each(names, one, workers=self._settings.workers, stop=self._stop, name=self._source)

    def get(self, path: str, params: Mapping[str, str | int] | None = None, *, tally: Tally, read: Callable[[Body], T]) -> T:
        """Return what `read` makes of the answer to one GET, asked again while that may help.

        `read` is `Body.json`, `Body.text` or a function that raises `UpstreamError` for an answer that is not whole and
        `SchemaChangeError` for one that is whole and has another shape. Raises `VendorError`, `gate.CircuitOpenError`.
        """
        policy = RetryPolicy(
            attempts=self._settings.attempts,
            deadline_seconds=max(0.0, tally.deadline - self._clock()),
            backoff_seconds=self._settings.backoff_seconds,
        )
        tries = 0

        def once() -> T:
            nonlocal tries
            tries += 1
            self._gate.acquire(tally.deadline - self._clock())
            tally.requests += 1
            tally.retries += int(tries > 1)
            try:
                body = self._send(path, params, tally.deadline)
                found = read(body)
            except ThrottledError as error:
                tally.throttled += 1
                tally.trouble = str(error)
                self._gate.throttled(error.retry_after_seconds)
                raise
            except TransientError as error:
                tally.trouble = str(error)
                self._gate.failed(tally.ticker)
                raise
            except VendorError:
                self._gate.succeeded()  # a refusal is an answer: the vendor is there
                raise
            self._gate.succeeded()
            tally.body_sha256 = body.sha256
            return found

        return retrying(policy, self._stop.sleep)(once)

    def _send(self, path: str, params: Mapping[str, str | int] | None, deadline: float) -> Body:
        answer, content, trouble = self._answer(path, params, deadline)
        if answer is None:
            raise UpstreamError(trouble)
        body = Body(status=answer.status_code, content=self._redacted(content), content_type=_type_of(answer), path=path)
        raise_if_throttled(answer.status_code, answer.headers.get("Retry-After"), self._clock())
        self._judge(body)
        if body.status >= HTTPStatus.INTERNAL_SERVER_ERROR or body.status in _LATER:
            raise UpstreamError(f"{path}: HTTP {body.status}")
        if body.status in _REFUSED:
            raise RefusedError(f"{path}: HTTP {body.status}: the vendor refuses the request (key, plan or region)")
        if body.status == HTTPStatus.NOT_FOUND:
            raise UnknownSymbolError(f"{path}: HTTP 404")
        if body.status != HTTPStatus.OK:
            raise SchemaChangeError(f"{path}: HTTP {body.status}")
        return body

    def _answer(self, path: str, params: Mapping[str, str | int] | None, deadline: float) -> tuple[requests.Response | None, bytes, str]:
        """Return the answer and its body, or none and why: an error chained to the library's own would carry the query with it."""
        follow = not self._secrets  # a redirect would take the key in a header to another host
        url, timeout = f"{self._url}{path}", self._settings.timeout_seconds
        try:
            with self._session().get(url, params=params, timeout=timeout, allow_redirects=follow, stream=True) as answer:
                return answer, self._content(answer, path, deadline), ""
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            return None, b"", f"{path}: {type(error).__name__}"

    def _content(self, answer: requests.Response, path: str, deadline: float) -> bytes:
        """Return the body, read as it comes: the library's timeout counts silence only, so a trickle would never end."""
        content = bytearray()
        while chunk := answer.raw.read1(_CHUNK_BYTES, decode_content=True):
            content += chunk
            if len(content) > MOST_BYTES:
                raise SchemaChangeError(f"{path}: more than {MOST_BYTES} bytes")
            if self._clock() > deadline:
                raise UpstreamError(f"{path}: still coming at the deadline, {len(content)} bytes so far")
            self._stop.check()
        return bytes(content)

    def _redacted(self, content: bytes) -> bytes:
        """Return a body without our keys: some hosts repeat the request in their refusals."""
        for secret in self._secrets:
            content = content.replace(secret, b"***")
        return content

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._of_thread, "session", None)
        if session is None:
            session = self._of_thread.session = requests.Session()
            session.headers.update(self._headers)
            session.auth = _unchanged  # else requests puts what ~/.netrc says in the place of our own header
        return session
