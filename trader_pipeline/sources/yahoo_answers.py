"""What an answer of Yahoo means, by its status and by what it says."""

from http import HTTPStatus
from typing import Any

from trader_pipeline.sources.http import NoDataError, RefusedError, SchemaChangeError, UnknownSymbolError, UpstreamError, json_body

CHART = "/v8/finance/chart/"
OPTIONS = "/v7/finance/options/"
SEARCH = "/v1/finance/search"
DATA = (CHART, OPTIONS, SEARCH)
"""Paths that serve data; all others are about cookies and crumbs."""

_ROOTS = {CHART: "chart", OPTIONS: "optionChain"}


def judged(path: str, status: int, content: bytes) -> Any:
    """Return the parsed body of a sound answer, or raise the `http.VendorError` that it means.

    Yahoo wraps a result or its own words: {"chart": {"result": ..., "error": {"code": ..., "description": ...}}}.
    """
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        raise UpstreamError(f"HTTP {status}: a redirect")
    root = next((root for start, root in _ROOTS.items() if path.startswith(start)), None)
    if status == HTTPStatus.NOT_FOUND and root is not None:
        raise UnknownSymbolError(_words(content) or f"HTTP {status}")
    body = json_body(status, content)
    if status >= HTTPStatus.BAD_REQUEST:
        words = _words(content)
        raise NoDataError(words) if "Data doesn't exist" in words else RefusedError(f"HTTP {status}: {words}")
    return body if root is None else _wrapped(root, body)


def _wrapped(root: str, body: Any) -> Any:
    """Return the first result under `root`."""
    inner = body.get(root) if isinstance(body, dict) else None
    if not isinstance(inner, dict):
        raise SchemaChangeError(f"the answer has no {root}")
    if inner.get("error"):
        raise NoDataError(str(inner["error"].get("description") if isinstance(inner["error"], dict) else inner["error"]))
    result = inner.get("result")
    if result is None:
        raise UpstreamError("neither a result nor an error")
    if not isinstance(result, list):
        raise SchemaChangeError(f"{root}.result is no list")
    if not result:
        raise NoDataError("an empty result")
    return result[0]


def _words(content: bytes) -> str:
    """Return Yahoo's description of an error, empty where there is none."""
    try:
        body = json_body(HTTPStatus.OK, content)
        return str(next(iter(body.values()))["error"]["description"])
    except (UpstreamError, AttributeError, StopIteration, KeyError, TypeError):
        return ""
