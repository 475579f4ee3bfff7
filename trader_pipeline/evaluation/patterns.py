"""Where a model fails: the segments whose accuracy lies furthest under their base rate."""

import math
from collections.abc import Sequence
from typing import Any

from trader_pipeline import formats
from trader_pipeline.evaluation.segments import ALL

Row = dict[str, Any]


def worst(segments: Sequence[Row], *, count: int = 2) -> list[Row]:
    """Return the segments furthest under their base rate in units of their own half width, the worst first.

    Only those under it, with enough windows to be shown in black; a segment is named at its worst horizon alone.
    """
    judged = [row for row in segments if row["kind"] != ALL and not row["grey"] and _distance(row) < 0]
    found: list[Row] = []
    for row in sorted(judged, key=_distance):
        if (row["kind"], row["segment"]) not in {(other["kind"], other["segment"]) for other in found}:
            found.append(row)
    return found[:count]


def sentence(row: Row) -> str:
    """Return for example `sector Energy, 20 sessions: 47.0 % vs 55.1 % base (±4.2)`."""
    half = row["high"] - row["accuracy"]
    width = f"±{100 * half:.1f}" if math.isfinite(half) else "too few windows for an interval"
    if row["grey"] and row["kind"] != ALL and math.isfinite(half):
        width = f"{100 * row['low']:.1f} to {100 * row['high']:.1f} from {formats.plural(row['windows'], 'window')}"
    what = "all" if row["kind"] == ALL else f"{row['kind']} {row['segment']}"
    what = f"confidence decile {int(row['segment'])}" if row["kind"] == "confidence" else what
    span = "session" if row["horizon_sessions"] == 1 else "sessions"
    numbers = f"{100 * row['accuracy']:.1f} % vs {100 * row['base_rate']:.1f} % base ({width})"
    return f"{what}, {row['horizon_sessions']} {span}: {numbers}"


def _distance(row: Row) -> float:
    """Return (accuracy - base rate) / half width, 0 where there is no interval."""
    half = row["high"] - row["accuracy"]
    return float((row["accuracy"] - row["base_rate"]) / half) if math.isfinite(half) and half > 0 else 0.0
