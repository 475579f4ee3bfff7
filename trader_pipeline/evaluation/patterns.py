"""Where a model fails: the segments whose accuracy lies furthest under their base rate."""

from collections.abc import Mapping, Sequence
from typing import Any

from trader_pipeline.evaluation.segments import ALL

Row = Mapping[str, Any]


def worst(segments: Sequence[Row], *, count: int = 2) -> list[Row]:
    """Return the segments furthest under their base rate in units of their own half width, the worst first.

    Only those under it, with enough windows to be shown in black; a segment is named at its worst horizon alone.
    """
    judged = [row for row in segments if row["kind"] != ALL and not row["grey"] and (_distance(row) or 0.0) < 0]
    found: list[Row] = []
    for row in sorted(judged, key=lambda row: _distance(row) or 0.0):
        if (row["kind"], row["segment"]) not in {(other["kind"], other["segment"]) for other in found}:
            found.append(row)
    return found[:count]


def sentence(row: Row) -> str:
    """Return for example `sector Energy, 20 sessions: 47.0 % vs 55.1 % base (±4.2)`."""
    half = 100 * (row["high"] - row["accuracy"])
    what = f"{row['kind']} {row['segment']}" if row["kind"] != "confidence" else f"confidence decile {int(row['segment'])}"
    span = "session" if row["horizon_sessions"] == 1 else "sessions"
    numbers = f"{100 * row['accuracy']:.1f} % vs {100 * row['base_rate']:.1f} % base (±{half:.1f})"
    return f"{what}, {row['horizon_sessions']} {span}: {numbers}"


def _distance(row: Row) -> float | None:
    """Return (accuracy - base rate) / half width, None where there is no interval."""
    if row["accuracy"] is None or row["high"] is None or row["high"] <= row["accuracy"]:
        return None
    return float((row["accuracy"] - row["base_rate"]) / (row["high"] - row["accuracy"]))
