"""How many findings a rule had in each of the last checks, as places in a drawing: the templates draw it without a script."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from trader_pipeline.dashboard.queries import ask
from trader_pipeline.lake import Snapshot

CHECKS_SHOWN = 250
"""A year of daily checks."""

_FINDINGS = """
with checks as (
  select run_id, max(known_at) as known_at from quality.metrics where name = 'findings' group by 1 order by 2 desc limit ?
)
select rule, (c.known_at at time zone 'America/New_York')::date as day, sum(value)::bigint as findings
from quality.metrics m join checks c using (run_id) where m.name = 'findings' group by all order by rule, day
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """One rule's findings by the day of the check, oldest first."""

    days: tuple[dt.date, ...]
    findings: tuple[int, ...]

    @property
    def most(self) -> int:
        """Largest count shown; 1 where nothing was ever found, so that an axis has a height."""
        return max(1, *self.findings)

    def steps(self, width: float, height: float) -> str:
        """Return SVG path commands of a line that keeps each check's count until the next one; 0 lies at the bottom."""
        return _steps(self.findings, width, height, self.most)

    def area(self, width: float, height: float) -> str:
        """Return SVG path commands of what lies under the line."""
        return f"{self.steps(width, height)} V{height:g} H0 Z"


def trends(snapshot: Snapshot) -> dict[str, Trend]:
    """Return the trend of every rule over the newest checks; of a rule that is new, from its first check on."""
    found: dict[str, list[tuple[dt.date, int]]] = {}
    for row in ask(snapshot, _FINDINGS, [CHECKS_SHOWN]):
        found.setdefault(row["rule"], []).append((row["day"], row["findings"]))
    return {
        rule: Trend(days=tuple(day for day, _ in points), findings=tuple(count for _, count in points)) for rule, points in found.items()
    }


def _steps(values: Sequence[int], width: float, height: float, most: int) -> str:
    each = width / len(values)
    heights = [height * (1 - value / most) for value in values]
    moves = [f"M0 {heights[0]:.1f}", *(f"V{y:.1f} H{each * (n + 1):.1f}" for n, y in enumerate(heights))]
    return " ".join(moves)
