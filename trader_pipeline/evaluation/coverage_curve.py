"""Accuracy of the forecasts that are the most confident, at every coverage."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trader_pipeline import measures
from trader_pipeline.evaluation.calibrated import OutOfFold
from trader_pipeline.evaluation.judged import Flags, Floats, Judged

COVERAGES = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01)


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """The share of out-of-fold rows spoken of, and how often their direction was right, beside the better base on the same rows."""

    coverage: float
    least_confidence: float
    accuracy: float
    base_rate: float
    half_width: float
    """Half the 95 % interval, from non-overlapping windows."""
    windows: int
    rows: int


def coverage_curve(judged: Judged, said: OutOfFold, coverages: Sequence[float] = COVERAGES) -> list[Point]:
    """Return a point for each coverage that can be told from the one before, widest first; none where nothing was judged.

    Rows that are as confident as the last one asked for count too, so a forecaster that is equally confident of all has one point.
    """
    rows_NT = np.isfinite(said.confidence_NT) & judged.rows_NT
    if not rows_NT.any():
        return []
    confidence = said.confidence_NT[rows_NT]
    points: list[Point] = []
    for coverage in coverages:
        least = float(np.quantile(confidence, 1 - coverage, method="higher"))
        kept_NT = rows_NT & (said.confidence_NT >= least)
        point = _point(judged, said, kept_NT, least, float(kept_NT.sum() / rows_NT.sum()))
        if not points or point.rows != points[-1].rows:
            points.append(point)
    return points


def _point(judged: Judged, said: OutOfFold, kept_NT: Flags, least: float, coverage: float) -> Point:
    up_NT = judged.labels.up_NT > 0.5  # noqa: PLR2004 - up is 0 or 1
    own_NT = judged.labels.base_rate_NT > 0.5  # noqa: PLR2004 - more likely than not
    hits = measures.nonoverlapping_interval(_by_session((said.p_up_NT > 0.5) == up_NT, kept_NT), judged.labels.horizon)  # noqa: PLR2004 - the same
    bases = (float(np.nanmean(_by_session(right_NT, kept_NT))) for right_NT in (up_NT, own_NT == up_NT))
    return Point(
        coverage=coverage,
        least_confidence=least,
        accuracy=hits.mean,
        base_rate=max(bases),
        half_width=hits.half_width,
        windows=hits.windows,
        rows=int(kept_NT.sum()),
    )


def _by_session(right_NT: Flags, kept_NT: Flags) -> Floats:
    count_T = kept_NT.sum(axis=0)
    return np.where(count_T > 0, (right_NT & kept_NT).sum(axis=0) / np.maximum(count_T, 1), np.nan)
