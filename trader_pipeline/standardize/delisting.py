"""Which securities nobody quotes any more, from the outcomes of asking for their bars."""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

CONFIRMING_DAYS, CONFIRMING_SOURCES = 3, 2
"""Delisted: so many sources call it unknown on so many separate days each."""

PRESUMED_DAYS = 5
"""With one source configured: presumed, after so many days on which that one calls it unknown."""

Ended = Literal["delisted", "presumed"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a source said of a security on a day: ok, unknown_symbol; other outcomes say nothing."""

    ticker: str
    source: str
    day: dt.date
    outcome: str


def ended(answers: Iterable[Answer], *, configured: int) -> Mapping[str, Ended]:
    """Return the securities that ended, by ticker; `configured` is the number of sources of bars. An `ok` since opens it again."""
    last_ok: dict[str, dt.date] = {}
    unknown: dict[str, dict[str, set[dt.date]]] = {}
    ordered = sorted((a for a in answers if a.outcome in {"ok", "unknown_symbol"}), key=lambda a: (a.day, a.outcome != "ok"))
    for answer in ordered:
        if answer.outcome == "ok":
            last_ok[answer.ticker] = answer.day
            unknown.pop(answer.ticker, None)
        elif answer.ticker in last_ok:
            unknown.setdefault(answer.ticker, {}).setdefault(answer.source, set()).add(answer.day)
    verdicts = {ticker: _verdict(days, configured) for ticker, days in unknown.items()}
    return {ticker: verdict for ticker, verdict in verdicts.items() if verdict is not None}


def _verdict(days: Mapping[str, set[dt.date]], configured: int) -> Ended | None:
    if sum(len(of_source) >= CONFIRMING_DAYS for of_source in days.values()) >= CONFIRMING_SOURCES:
        return "delisted"
    if configured == 1 and any(len(of_source) >= PRESUMED_DAYS for of_source in days.values()):
        return "presumed"
    return None
