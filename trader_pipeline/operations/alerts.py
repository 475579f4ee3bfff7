"""Tells somebody: a line in the log, and a JSON post to the webhook of the settings. The address is never written anywhere."""

import logging

import requests
import structlog
import tenacity

from trader_pipeline.operations.disk import ALERT_RATIO, fullness
from trader_pipeline.settings import Settings

_TIMEOUT_SECONDS = 5
_ATTEMPTS = 3
_REDIRECT, _SERVER_ERROR = 300, 500
_log = structlog.get_logger("trader_pipeline.alerts")
# urllib3 writes the path of every request at DEBUG, and a webhook's path is its password
logging.getLogger("urllib3.connectionpool").setLevel(logging.INFO)


class _RefusedError(Exception):
    """The webhook answered 5xx."""


def alert(settings: Settings, *, event: str, text: str) -> bool:
    """Log the event and post {"event", "text", "dataset"} to `settings.webhook_url`; say whether it was delivered.

    Without a webhook it is only logged. An alert that cannot be delivered is logged and raises nothing: it must not
    break what it speaks of.
    """
    _log.warning(event, text=text, dataset=settings.dataset)
    if settings.webhook_url is None:
        return False
    body = {"event": event, "text": text, "dataset": settings.dataset}
    try:
        status = _post(settings.webhook_url.get_secret_value(), body)
    except (requests.RequestException, _RefusedError, ValueError) as error:
        # only the kind of error: its text holds the address
        _log.error("alert_not_delivered", event_name=event, error=type(error).__name__, attempts=_ATTEMPTS)
        return False
    if status >= _REDIRECT:
        _log.error("alert_not_delivered", event_name=event, status=status)
        return False
    return True


def alert_full_disk(settings: Settings) -> bool:
    """Alert when the home's disk is over `ALERT_RATIO` used; say whether it is."""
    used, free = fullness(settings.home)
    if used <= ALERT_RATIO:
        return False
    mend = "free disk space, `trader clean`, or move TRADER_HOME; a write that wants more than a third of what is free is refused"
    alert(settings, event="disk_full", text=f"{settings.home}: {used:.0%} of the disk used, {free / 1e9:.1f} GB free; {mend}")
    return True


@tenacity.retry(
    retry=tenacity.retry_if_exception_type((requests.ConnectionError, requests.Timeout, _RefusedError)),
    wait=tenacity.wait_random_exponential(multiplier=0.2, max=2),
    stop=tenacity.stop_after_attempt(_ATTEMPTS),
    reraise=True,
)
def _post(url: str, body: dict[str, str]) -> int:
    with requests.post(url, json=body, timeout=_TIMEOUT_SECONDS, allow_redirects=False) as reply:
        if reply.status_code >= _SERVER_ERROR:
            raise _RefusedError
        return int(reply.status_code)
