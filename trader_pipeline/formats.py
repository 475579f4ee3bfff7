"""Numbers and instants as people read them: the one spelling of the dashboard, the report and the command line.

A missing value (None or NaN) is always written as an en dash, a minus sign is U+2212, percent has a space before it.
"""

import datetime as dt
import math
from zoneinfo import ZoneInfo

NEW_YORK = ZoneInfo("America/New_York")
MISSING = "\N{EN DASH}"
_MINUS = "\N{MINUS SIGN}"
_UNITS = ("B", "kB", "MB", "GB", "TB")
_STEP = 1000


def is_missing(value: float | None) -> bool:
    """Say whether `value` is None or NaN."""
    return value is None or math.isnan(value)


def number(value: float | None, decimals: int = 2, *, sign: bool = False) -> str:
    """Return `1,234.50`, with an explicit sign where `sign`; zero after rounding carries none."""
    if value is None or math.isnan(value):
        return MISSING
    shown = f"{abs(value):,.{decimals}f}"
    if not shown.strip("0.,"):
        return shown
    if value < 0:
        return f"{_MINUS}{shown}"
    return f"+{shown}" if sign else shown


def percent(fraction: float | None, decimals: int = 1, *, sign: bool = False) -> str:
    """Return a fraction as `12.3 %` (no-break space)."""
    if fraction is None or math.isnan(fraction):
        return MISSING
    return f"{number(100 * fraction, decimals, sign=sign)}\N{NO-BREAK SPACE}%"


def percent_range(low: float | None, high: float | None, decimals: int = 1) -> str:
    """Return two fractions as `+3.1 … +4.6 %`."""
    if is_missing(low) or is_missing(high):
        return MISSING
    return f"{number(100 * (low or 0.0), decimals, sign=True)}\N{NO-BREAK SPACE}…\N{NO-BREAK SPACE}{percent(high, decimals, sign=True)}"


def count(value: int | None) -> str:
    """Return `12,345`."""
    return MISSING if value is None else f"{value:,}"


def plural(n: int, noun: str) -> str:
    """Return `1 session`, `2 sessions`."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def size(n_bytes: int | None) -> str:
    """Return `1.2 MB` (decimal units)."""
    if n_bytes is None:
        return MISSING
    value, unit = float(n_bytes), 0
    while value >= _STEP and unit < len(_UNITS) - 1:
        value, unit = value / _STEP, unit + 1
    return f"{value:.0f}\N{NO-BREAK SPACE}{_UNITS[unit]}" if unit == 0 else f"{value:.1f}\N{NO-BREAK SPACE}{_UNITS[unit]}"


def new_york(moment: dt.datetime | None) -> str:
    """Return an aware instant as New York time with its zone: `2020-02-07 16:30 EST`."""
    return MISSING if moment is None else f"{moment.astimezone(NEW_YORK):%Y-%m-%d %H:%M %Z}"


def utc(moment: dt.datetime | None) -> str:
    """Return an aware instant as `2020-02-07 21:30 UTC`."""
    return MISSING if moment is None else f"{moment.astimezone(dt.UTC):%Y-%m-%d %H:%M} UTC"
