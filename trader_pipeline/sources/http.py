"""What a vendor's HTTP answer means, and when to ask again."""

import datetime as dt
import email.utils
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, stop_before_delay, wait_random_exponential

_YAHOO_BLOCKED = 999
_THROTTLED = frozenset({HTTPStatus.TOO_MANY_REQUESTS, _YAHOO_BLOCKED})
_REFUSED = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.PAYMENT_REQUIRED, HTTPStatus.FORBIDDEN})


class VendorError(OSError):
    """A request without a usable answer. An OSError, as with requests, because clients in between treat those as network trouble."""


class TransientError(VendorError):
    """Asking again may help."""

    retry_after_seconds: float | None = None


class ThrottledError(TransientError):
    """The vendor says: too many requests."""

    def __init__(self, message: str, retry_after_seconds: float | None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class UpstreamError(TransientError):
    """5xx, timeout, reset, or a body that is truncated or no JSON."""


class UnknownSymbolError(VendorError):
    """The vendor does not know the symbol."""


class NoDataError(VendorError):
    """The vendor knows the symbol and has nothing for the span."""


class RefusedError(VendorError):
    """The vendor refuses the request as such; asking again does not help."""


class SchemaChangeError(VendorError):
    """The answer is sound but does not have the shape that we know."""


def retry_after_seconds(value: str | None, now: float) -> float | None:
    """Return the seconds that a Retry-After header asks for, None without a readable one.

    `value` is seconds or an HTTP date; `now` is seconds since the epoch. A moment already past gives 0.
    """
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            date = email.utils.parsedate_to_datetime(value)
        except (ValueError, OverflowError):
            return None
        seconds = (date if date.tzinfo else date.replace(tzinfo=dt.UTC)).timestamp() - now
    return max(0.0, seconds) if math.isfinite(seconds) else None


def raise_if_throttled(status: int, retry_after: str | None, now: float) -> None:
    """Raise `ThrottledError` on 429, 999, and a 503 that names when to come back; `retry_after` is the header."""
    pause = retry_after_seconds(retry_after, now)
    if status in _THROTTLED or (status == HTTPStatus.SERVICE_UNAVAILABLE and pause is not None):
        raise ThrottledError(f"HTTP {status}", pause)


def json_body(status: int, body: bytes) -> Any:
    """Return the parsed body, or raise what the answer means.

    Raises `UpstreamError` (5xx, no JSON), `RefusedError` (401, 402, 403), and for any other 4xx the caller gets the body
    of JSON to judge.
    """
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise UpstreamError(f"HTTP {status}")
    if status in _REFUSED:
        raise RefusedError(f"HTTP {status}: the vendor refuses the request (key, plan, cookie or region)")
    return json_of(body, f"HTTP {status}")


def json_of(content: bytes, where: str) -> Any:
    """Return the parsed content; `UpstreamError` for what is no JSON (a page of a proxy, a cut answer).

    Half of a surrogate pair, where a vendor cut a headline within an emoji, becomes "?": no text of a table may hold it.
    """
    try:
        found = json.loads(content)
        if b"\\ud" in content.lower():
            found = json.loads(json.dumps(found, ensure_ascii=False).encode("utf-8", "replace"))
    except (ValueError, RecursionError) as error:
        raise UpstreamError(f"{where}: {len(content)} bytes that are no JSON") from error
    return found


def path_segment(symbol: str) -> str:
    """Return a symbol as one segment of a URL's path: `A#B` or `../x` must not bring what belongs to another one."""
    if not symbol.strip("."):
        raise UnknownSymbolError(f"{symbol!r} is no symbol")
    return quote(symbol, safe="=")


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How long to insist. The n-th wait is drawn from [0, backoff x 2^n], at most `longest_backoff_seconds`."""

    attempts: int
    deadline_seconds: float
    backoff_seconds: float
    longest_backoff_seconds: float = 30.0


def retrying(policy: RetryPolicy, sleep: Callable[[float], None] = time.sleep) -> Retrying:
    """Return a tenacity policy: transient errors only, exponential with full jitter, Retry-After wins, last error re-raised."""
    jitter = wait_random_exponential(multiplier=policy.backoff_seconds, max=policy.longest_backoff_seconds)

    def wait(state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = getattr(error, "retry_after_seconds", None)
        return float(jitter(state) if asked is None else asked)

    return Retrying(
        retry=retry_if_exception_type(TransientError),
        wait=wait,
        stop=stop_after_attempt(policy.attempts) | stop_before_delay(policy.deadline_seconds),
        sleep=sleep,
        reraise=True,
    )
