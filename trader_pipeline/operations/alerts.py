"""Tells somebody: a line in the log, a post to the webhook and a mail, as the settings say; the same thing once in a while.

Whatever goes wrong on the way is logged by its kind alone, because an error's text holds addresses, and raises nothing: an alert
must not break what it speaks of.
"""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import structlog

from trader_pipeline.operations import alert_mail, alert_webhook
from trader_pipeline.operations.alert_memory import Memory
from trader_pipeline.operations.alert_message import Message
from trader_pipeline.operations.disk import ALERT_RATIO, fullness
from trader_pipeline.settings import Settings

__all__ = ["Alert", "Sent", "alert_full_disk", "send"]

SinkName = Literal["webhook", "mail"]
_SINKS: dict[SinkName, Callable[[Settings, Message], str | None]] = {"webhook": alert_webhook.post, "mail": alert_mail.mail}
"""Each returns why it could not deliver, None when it did."""
_log = structlog.get_logger("trader_pipeline.alerts")


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One thing that somebody should know. `event` and `subject` say whether it is the same thing as before; `facts` may differ."""

    event: str
    """Kind, for machines: stale_data, run_failed, drift, disk_full, test."""
    subject: str
    """What it is about: a table, a job and its step, a disk."""
    summary: str
    """The fact, one line."""
    mend: str
    """What to do about it."""
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What became of an alert: the sinks that are set, each with why it failed or None. `repeated`: the same was sent not long ago."""

    sinks: Mapping[SinkName, str | None] = field(default_factory=dict)
    repeated: bool = False

    @property
    def delivered(self) -> bool:
        """Whether it left this machine."""
        return any(why is None for why in self.sinks.values())

    @property
    def told(self) -> bool:
        """Whether nobody needs to try again: it was delivered, now or not long ago, or no sink is set and the log is all there is."""
        return self.repeated or self.delivered or not self.sinks


def send(settings: Settings, alert: Alert, *, now: dt.datetime, repeat: bool = False) -> Sent:
    """Log the alert and hand it to every sink that is set.

    The same event and subject within `alerts.repeat_hours` is only counted, by all processes of the home together, and the next one
    says how many there were; `repeat` sends it all the same. What no sink could deliver does not count as sent.
    """
    memory = Memory(settings.home / "alerts.json", dt.timedelta(hours=settings.alerts.repeat_hours))
    key = f"{settings.dataset} {alert.event} {alert.subject}"
    suppressed = 0 if repeat else memory.claim(key, now)
    if suppressed is None:
        _log.info("alert_repeated", event_name=alert.event, subject=alert.subject, dataset=settings.dataset)
        return Sent(repeated=True)
    message = Message(
        event=alert.event,
        subject=alert.subject,
        summary=alert.summary,
        mend=alert.mend,
        facts=dict(alert.facts),
        dataset=settings.dataset,
        at=now,
        suppressed=suppressed,
    )
    _log.warning(alert.event, **message.plain())
    sinks = {name: deliver(settings, message) for name, deliver in _SINKS.items() if _is_set(settings, name)}
    for name, why in sinks.items():
        if why is not None:
            _log.error("alert_not_delivered", event_name=alert.event, sink=name, why=why)
    sent = Sent(sinks=sinks)
    if sinks and not sent.delivered and not repeat:
        memory.give_back(key, suppressed)
    return sent


def _is_set(settings: Settings, name: SinkName) -> bool:
    return (settings.webhook_url if name == "webhook" else settings.alerts.smtp_host) is not None


def alert_full_disk(settings: Settings, *, now: dt.datetime) -> Sent | None:
    """Alert when the home's disk is over `ALERT_RATIO` used; return what became of it, None where there is room."""
    used, free = fullness(settings.home)
    if used <= ALERT_RATIO:
        return None
    full = Alert(
        event="disk_full",
        subject=str(settings.home),
        summary=f"{used:.0%} of the disk used, {free / 1e9:.1f} GB free",
        mend="free disk space, `trader clean`, or move TRADER_HOME; a write that wants more than a third of what is free is refused",
        facts={"used": f"{used:.0%}", "free": f"{free / 1e9:.1f} GB"},
    )
    return send(settings, full, now=now)
