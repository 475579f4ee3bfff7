"""What commands print: JSON or lines on stdout, everything else on stderr."""

import datetime as dt
import json
import math
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from trader_pipeline.errors import TraderError


def plain(value: Any) -> Any:
    """Return `value` as JSON has it: ISO dates, null for NaN, lists for tuples."""
    if isinstance(value, float):
        return None if math.isnan(value) or math.isinf(value) else value
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(v) for v in value]
    if isinstance(value, dt.datetime | dt.date):
        return value.isoformat()
    if value is None or isinstance(value, str | int | bool):
        return value
    return str(value)


def print_json(kind: str, facts: Mapping[str, Any]) -> None:
    """Print one object on stdout with its schema: trader.<kind>/1."""
    sys.stdout.write(json.dumps({"schema": f"trader.{kind}/1", **plain(facts)}, allow_nan=False) + "\n")


def print_rows(rows: list[dict[str, Any]]) -> None:
    """Print a list of objects on stdout."""
    sys.stdout.write(json.dumps(plain(rows), allow_nan=False) + "\n")


def fail(error: TraderError) -> None:
    """Print the fact, the mend and the runbook's code on stderr."""
    sys.stderr.write(f"error {error.code}: {error}\n(docs/runbook.md has {error.code})\n")


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


@contextmanager
def progress(*, quiet: bool) -> Iterator[Callable[[str], None]]:
    """Yield a function that shows what runs now: a spinner with the time on a terminal, lines elsewhere; `quiet` shows nothing."""
    if quiet:
        yield lambda _: None
        return
    if not sys.stderr.isatty():
        yield lambda text: print(text.splitlines()[0][:160] if text else "", file=sys.stderr, flush=True)
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting", total=None)
        yield lambda text: bar.update(task, description=text.splitlines()[0][:100] if text else "")
