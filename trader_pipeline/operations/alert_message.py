"""What an alert says: the same words for the log, the webhook and the mail."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trader_pipeline import formats


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """An alert at the moment of sending; `suppressed` times it was counted instead of sent since the last one."""

    event: str
    subject: str
    summary: str
    mend: str
    facts: Mapping[str, str]
    dataset: str
    at: dt.datetime
    suppressed: int

    @property
    def headline(self) -> str:
        """What is wrong, one line."""
        return f"[{self.dataset}] {self.event.replace('_', ' ')}: {' '.join(self.subject.split())}"

    @property
    def text(self) -> str:
        """Everything, in lines."""
        facts = [f"{name}: {value}" for name, value in self.facts.items()]
        return "\n".join([self.headline, self.summary, *facts, f"Mend: {self.mend}", *([self.counted] if self.suppressed else [])])

    @property
    def counted(self) -> str:
        """How often it was not told, and when this one was made."""
        again = f"{formats.plural(self.suppressed, 'time')} more since the last of these; " if self.suppressed else ""
        return f"{again}{formats.new_york(self.at)}"

    def plain(self) -> dict[str, Any]:
        """Return the fields but `event` and `at`, for the log."""
        named = {name: getattr(self, name) for name in ("subject", "summary", "mend", "dataset", "suppressed")}
        return named | {"facts": dict(self.facts)}
