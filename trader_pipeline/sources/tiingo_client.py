"""How Tiingo is reached: the token in a header, its words for a spent allowance."""

from trader_pipeline.errors import UsageError
from trader_pipeline.settings import Settings
from trader_pipeline.sources.asking import Stop
from trader_pipeline.sources.http import ThrottledError
from trader_pipeline.sources.rest import Body, RestClient

URL = "https://api.tiingo.com"
_SPENT = (b"You have run over", b"request allocation")
"""Of an hour's or a day's requests or a month's symbols; comes with 429, and as bare text with 200."""
_WORDS_BYTES = 1000


def tiingo(settings: Settings, stop: Stop) -> RestClient:
    """Return a client of one fetch; raise `UsageError` without a token."""
    if (reason := unready(settings)) or settings.tiingo.api_key is None:
        raise UsageError(reason or "")
    token = settings.tiingo.api_key.get_secret_value()
    headers = {"Authorization": f"Token {token}"}
    return RestClient("tiingo", URL, settings.tiingo, settings.gate_path, stop=stop, headers=headers, secrets=(token,), judge=_judge)


def unready(settings: Settings) -> str | None:
    """Say what is missing before Tiingo can be asked."""
    return None if settings.tiingo.api_key is not None else "tiingo wants a token; set TRADER_TIINGO__API_KEY"


def _judge(body: Body) -> None:
    if any(words in body.content[:_WORDS_BYTES] for words in _SPENT):
        raise ThrottledError(f"{body.path}: the allowance of the plan is spent", None)
