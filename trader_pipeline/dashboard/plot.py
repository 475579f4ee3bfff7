"""Places in a drawing: templates draw lines, bands and ticks from here without a script."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

Value = float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """A field `width` by `height` whose vertical axis runs from `low` at the bottom to `high` at the top; shares are written in percent."""

    low: float
    high: float
    width: float = 600
    height: float = 120
    share: bool = False

    def y(self, value: float) -> float:
        """Return the place of a value, inside the field."""
        inside = min(max(value, self.low), self.high)
        return round(self.height * (self.high - inside) / (self.high - self.low), 1)

    def x(self, index: float, count: int) -> float:
        """Return the place of point `index` of `count` that are evenly spaced from edge to edge."""
        return round(self.width * index / max(count - 1, 1), 1)

    def along(self, value: float) -> float:
        """Return the place of a value on a scale that runs from `low` at the left to `high` at the right, inside the field."""
        inside = min(max(value, self.low), self.high)
        return round(self.width * (inside - self.low) / (self.high - self.low), 1)

    def path(self, places: Sequence[float], values: Sequence[Value]) -> str:
        """Return SVG path commands through the values at their own places; where one is missing the line is broken."""
        moves, drawing = [], False
        for place, value in zip(places, values, strict=True):
            if value is None:
                drawing = False
                continue
            moves.append(f"{'L' if drawing else 'M'}{place:g} {self.y(value):g}")
            drawing = True
        return " ".join(moves)

    def line(self, values: Sequence[Value]) -> str:
        """Return the path through values that are evenly spaced from edge to edge."""
        return self.path([self.x(index, len(values)) for index in range(len(values))], values)

    def band(self, places: Sequence[float], lows: Sequence[Value], highs: Sequence[Value]) -> str:
        """Return SVG path commands of the area between two lines, of the places where both are known."""
        there = [(place, low, high) for place, low, high in zip(places, lows, highs, strict=True) if low is not None and high is not None]
        if not there:
            return ""
        up = [f"{x:g} {self.y(high):g}" for x, _, high in there]
        down = [f"{x:g} {self.y(low):g}" for x, low, _ in reversed(there)]
        return f"M{' L'.join([*up, *down])} Z"

    @property
    def ticks(self) -> tuple[float, float]:
        """Values at the bottom and at the top."""
        return (self.low, self.high)


def around(*series: Sequence[Value], least: float, always: Sequence[float] = ()) -> tuple[float, float]:
    """Return bounds, in steps of `least`, that hold every value of the series and of `always`."""
    values = [value for one in series for value in one if value is not None] + list(always)
    low, high = min(values, default=0.0), max(values, default=0.0)
    below, above = (round(least * step, 6) for step in (math.floor(round(low / least, 6)), math.ceil(round(high / least, 6))))
    return (below, above) if above > below else (below, below + least)


def rolling(values: Sequence[Value], window: int) -> list[Value]:
    """Return the mean of the known values among the `window` ending at each one; None until half of them are known."""
    found: list[Value] = []
    for end in range(1, len(values) + 1):
        known = [value for value in values[max(0, end - window) : end] if value is not None]
        found.append(sum(known) / len(known) if 2 * len(known) >= window else None)
    return found


def every(count: int, shown: int) -> list[int]:
    """Return at most `shown` positions of `count`, evenly spaced, the last one among them."""
    if count <= shown:
        return list(range(count))
    return [round(n * (count - 1) / (shown - 1)) for n in range(shown)]
