"""What can go wrong, each with a code for the runbook and the exit status of the command line.

A message names the fact and the mend: "core.daily_bars: AAPL repeats 2024-01-02 (yahoo, fmp); drop one or
rank the sources in settings.sources".
"""

import difflib
from collections.abc import Iterable
from typing import ClassVar


def near(word: str, known: Iterable[str]) -> str:
    """Return the mend of a misspelt name: "did you mean price_unit?", or all known names where none is like it."""
    names = sorted(known)
    like = difflib.get_close_matches(word, names, n=3)
    return f"did you mean {' or '.join(like)}?" if like else f"it is one of {', '.join(names)}"


class TraderError(Exception):
    """Base of every error that a user can mend; anything else is a bug."""

    code: ClassVar[str] = "E000"
    exit_code: ClassVar[int] = 1


class UsageError(TraderError):
    """The command or its arguments cannot be carried out as given."""

    code = "E100"
    exit_code = 2


class InputError(UsageError):
    """A user's file or folder is empty, malformed, or holds two schemas."""

    code = "E110"


class SchemaError(TraderError):
    """A frame does not have the shape that its table promises."""

    code = "E200"


class CorruptPartError(TraderError):
    """A lake part is missing or its bytes do not match the commit."""

    code = "E210"


class DiskFullError(TraderError):
    """Less free disk than a write needs."""

    code = "E220"


class NotWritableError(TraderError):
    """A folder that the project must write to refuses it."""

    code = "E230"


class BlockedByDataError(TraderError):
    """A check at table scope failed: what follows must not run on this data."""

    code = "E300"
    exit_code = 3


class LeakError(TraderError):
    """A feature depends on what was not known yet, or the proof of it misses a planted leak."""

    code = "E310"


class NoModelError(TraderError):
    """No trained model can serve the session that was asked for."""

    code = "E400"
    exit_code = 4


class NotMadeError(NoModelError):
    """A table that is read was not made yet; the message has the command that makes it."""

    code = "E405"


class InsufficientHistoryError(NoModelError):
    """The lake holds fewer sessions than the recipe needs."""

    code = "E410"

    def __init__(self, message: str, *, needed: int, available: int) -> None:
        super().__init__(message)
        self.needed = needed
        self.available = available


class TrainingError(TraderError):
    """Training ended without a usable model."""

    code = "E420"


class PreflightError(TrainingError):
    """A check that stands before a training failed; `check` is its name, `fact` what it found.

    One that is `final` cannot be overridden: no member could go on.
    """

    code = "E430"

    def __init__(self, check: str, fact: str, *, final: bool = False) -> None:
        way = "" if final else "; `trader train --skip-preflight` goes on all the same, and the run record says so"
        super().__init__(f"preflight {check}: {fact}{way}")
        self.check, self.fact, self.final = check, fact, final


class TrainingStoppedError(TrainingError):
    """Training was asked to stop, and saved where it was."""

    code = "E440"


class SourceUnavailableError(TraderError):
    """A vendor could not be reached, or went on throttling, until the deadline."""

    code = "E500"
    exit_code = 5


class PortInUseError(UsageError):
    """The port that a server was asked to bind is taken."""

    code = "E120"
