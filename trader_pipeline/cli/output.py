"""What commands print: JSON or lines on stdout, everything else on stderr."""

import datetime as dt
import json
import math
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

from trader_pipeline.errors import TraderError

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress

_BAR_WIDTH = 70


def plain(value: Any) -> Any:
    """Return `value` as JSON has it: ISO dates, null for NaN, lists for tuples, numbers of any make as numbers."""
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, Integral | Real | Decimal):
        return _number(value)
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(v) for v in value]
    return value.isoformat() if isinstance(value, dt.datetime | dt.date) else str(value)


def _number(value: Any) -> int | float | None:
    if not math.isfinite(value):
        return None
    whole = isinstance(value, Integral) or (isinstance(value, Decimal) and value == int(value))
    return int(value) if whole else float(value)


def print_json(kind: str, facts: Mapping[str, Any]) -> None:
    """Print one object on stdout with its schema: trader.<kind>/1."""
    sys.stdout.write(json.dumps({"schema": f"trader.{kind}/1", **plain(facts)}, allow_nan=False) + "\n")


def print_rows(rows: list[dict[str, Any]]) -> None:
    """Print a list of objects on stdout."""
    sys.stdout.write(json.dumps(plain(rows), allow_nan=False) + "\n")


def fail(error: TraderError) -> None:
    """Print the fact, the mend and the runbook's code on stderr."""
    sys.stderr.write(f"error {error.code}: {error}\n(docs/runbook.md has {error.code})\n")


def warn(text: str) -> None:
    """Print one line on stderr."""
    sys.stderr.write(f"warning: {text}\n")


def line(text: str = "") -> None:
    """Print one line on stdout."""
    sys.stdout.write(text + "\n")


def grid(rows: list[dict[str, Any]]) -> None:
    """Print rows as an aligned table."""
    if not rows:
        line("(no rows)")
        return
    names = list(rows[0])
    cells = [[_cell(row[name]) for name in names] for row in rows]
    widths = [max(len(name), *(len(c[i]) for c in cells)) for i, name in enumerate(names)]
    numeric = [all(isinstance(row[name], int | float) or row[name] is None for row in rows) for name in names]
    for shown in (names, *cells):
        line("  ".join(c.rjust(w) if n else c.ljust(w) for c, w, n in zip(shown, widths, numeric, strict=True)).rstrip())


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.6g}"
    return str(value)


class Silence:
    """Shows nothing: stdout is JSON and stderr is for errors."""

    every_seconds = math.inf

    def plan(self, steps: int) -> None:
        """Ignore it."""

    def step(self, name: str) -> None:
        """Ignore it."""

    def say(self, text: str) -> None:
        """Ignore it."""

    def fetched(self, done: int, of: int, text: str) -> None:
        """Ignore it."""


class Lines:
    """One line on stderr a step and a message: what a log file wants."""

    every_seconds = 10.0

    def plan(self, steps: int) -> None:
        """Ignore it: a log needs no total."""

    def step(self, name: str) -> None:
        """Print the step's name."""
        sys.stderr.write(f"{name}\n")

    def say(self, text: str) -> None:
        """Print the first line of the message, whole: a log has no width."""
        sys.stderr.write(f"  {text.partition(chr(10))[0]}\n")

    def fetched(self, done: int, of: int, text: str) -> None:  # noqa: ARG002 - the text has both
        """Print the text."""
        self.say(text)


class Bar:
    """A progress bar over the steps with the current step, its newest message and the time; a second one over the tickers of a fetch."""

    every_seconds = 1.0

    def __init__(self, bar: "RichProgress") -> None:
        self._bar = bar
        self._steps = 0
        self._task = bar.add_task("loading", total=None, message="")
        self._tickers = bar.add_task("  tickers", total=None, message="", visible=False)

    def plan(self, steps: int) -> None:
        """Lengthen the bar."""
        self._steps += steps
        self._bar.update(self._task, total=self._steps)

    def step(self, name: str) -> None:
        """Advance by one."""
        self._bar.update(self._task, description=name, message="", advance=1)
        self._bar.update(self._tickers, visible=False)

    def say(self, text: str) -> None:
        """Show the message beside the bar."""
        self._bar.update(self._task, message=_first_line(text, _BAR_WIDTH))

    def fetched(self, done: int, of: int, text: str) -> None:
        """Show the tickers on a bar of their own."""
        self._bar.update(self._tickers, completed=done, total=of, message=_first_line(text, _BAR_WIDTH), visible=True)


def _first_line(text: str, width: int) -> str:
    line = text.partition("\n")[0]
    return line if len(line) <= width else f"{line[: width - 1]}…"


@contextmanager
def progress(*, quiet: bool) -> Iterator[Silence | Lines | Bar]:
    """Yield what shows how far a run is: a bar on a terminal, lines elsewhere, nothing when `quiet`."""
    if quiet or not sys.stderr.isatty():
        yield Silence() if quiet else Lines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description:<18}"),
        BarColumn(24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[message]}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        yield Bar(bar)
