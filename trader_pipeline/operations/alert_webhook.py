"""An alert as JSON at the webhook of the settings: Slack shows `text` and `blocks`, any other receiver reads the fields beside them."""

import logging
from typing import Any

import requests
import tenacity

from trader_pipeline.operations.alert_message import Message
from trader_pipeline.settings import Settings

_TIMEOUT_SECONDS = 5
_ATTEMPTS = 3
_REDIRECT, _SERVER_ERROR = 300, 500
_HEADER, _SECTION, _FIELD = 150, 3000, 2000
"""Characters that Slack takes in a header, a section and a field; one more and it refuses the whole message."""
_FIELDS, _FACTS = 10, 40
"""Fields that Slack takes in a section, and facts that we show."""
# urllib3 writes the path of every request at DEBUG, and a webhook's path is its password
logging.getLogger("urllib3.connectionpool").setLevel(logging.INFO)


class _RefusedError(Exception):
    """The webhook answered 5xx; the message is the status."""


def post(settings: Settings, message: Message) -> str | None:
    """Post the message; return why it was not delivered, without the address, or None."""
    if settings.webhook_url is None:
        return "TRADER_WEBHOOK_URL is not set"
    try:
        status = _post(settings.webhook_url.get_secret_value(), body(message))
    except _RefusedError as error:
        return f"HTTP status {error} after {_ATTEMPTS} attempts"
    except (requests.RequestException, ValueError) as error:
        return f"{type(error).__name__} after {_ATTEMPTS} attempts"  # only the kind of error: its text holds the address
    return f"HTTP status {status}" if status >= _REDIRECT else None


def body(message: Message) -> dict[str, Any]:
    """Return the JSON: text and blocks for Slack; event, subject, summary, facts, mend, dataset, at, suppressed for everybody."""
    return {
        "text": message.text,
        "blocks": list(_blocks(message)),
        "event": message.event,
        "at": message.at.isoformat(),
        **message.plain(),
    }


def _blocks(message: Message) -> list[dict[str, Any]]:
    facts = [_mrkdwn(f"*{_escaped(name)}*\n{_escaped(value)}", _FIELD) for name, value in list(message.facts.items())[:_FACTS]]
    return [
        {"type": "header", "text": {"type": "plain_text", "text": _cut(message.headline, _HEADER)}},
        {"type": "section", "text": _mrkdwn(_escaped(message.summary), _SECTION)},
        *({"type": "section", "fields": facts[first : first + _FIELDS]} for first in range(0, len(facts), _FIELDS)),
        {"type": "section", "text": _mrkdwn(f"*Mend* {_escaped(message.mend)}", _SECTION)},
        {"type": "context", "elements": [_mrkdwn(_escaped(message.counted), _FIELD)]},
    ]


def _mrkdwn(text: str, most: int) -> dict[str, str]:
    return {"type": "mrkdwn", "text": _cut(text, most)}


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


@tenacity.retry(
    retry=tenacity.retry_if_exception_type((requests.ConnectionError, requests.Timeout, _RefusedError)),
    wait=tenacity.wait_random_exponential(multiplier=0.2, max=2),
    stop=tenacity.stop_after_attempt(_ATTEMPTS),
    reraise=True,
)
def _post(url: str, said: dict[str, Any]) -> int:
    with requests.post(url, json=said, timeout=_TIMEOUT_SECONDS, allow_redirects=False) as reply:
        if reply.status_code >= _SERVER_ERROR:
            raise _RefusedError(str(reply.status_code))
        return int(reply.status_code)
