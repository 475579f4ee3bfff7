"""How good the forecasts were out of fold, beside what needs no model."""

from typing import Any

import numpy as np

from trader_pipeline import measures
from trader_pipeline.evaluation.calibration import spells
from trader_pipeline.evaluation.distribution import interval_coverage
from trader_pipeline.evaluation.intervals import FEWEST_WINDOWS
from trader_pipeline.evaluation.judged import Flags, Floats, Judged
from trader_pipeline.evaluation.leaks import leak_alarm
from trader_pipeline.evaluation.outcome import Outcome, mean_by_session, outcome_of

TARGET_ACCURACY = 0.70
"""The user's own target: direction of a stock at full coverage."""

_FEWEST_EFFECTIVE_ROWS = 20.0
_ROUNDING = 1e-9
"""A forecast that says the base rate has a skill of 0 to so much."""


def score(judged: Judged, *, oracle_NT: Floats | None = None) -> dict[str, Any] | None:
    """Return one row of evaluation.scorecard without its keys, or None where no fold could be judged."""
    return score_outcome(outcome_of(judged), oracle_NT=oracle_NT)


def score_outcome(outcome: Outcome, *, oracle_NT: Floats | None = None) -> dict[str, Any] | None:
    """Return the same of forecasts that are calibrated already; rank IC needs no calibration and uses all folds."""
    judged, rows, p_up = outcome.judged, outcome.rows_NT, outcome.p_up_NT
    if not rows.any():
        return None
    up, base, horizon = judged.labels.up_NT, judged.labels.base_rate_NT, outcome.horizon
    accuracy = measures.nonoverlapping_interval(mean_by_session(outcome.hit_NT, rows), horizon)
    better = outcome.base_rate(rows)
    ic = measures.nonoverlapping_interval(outcome.rank_ic_T, horizon)
    oracle_ic = float("nan") if oracle_NT is None else measures.nonoverlapping_interval(_rank_ic(judged, oracle_NT), horizon).mean
    skill, skill_half = brier_skill(p_up, base, up, rows, horizon)
    ece = measures.expected_calibration_error(p_up[rows], up[rows])
    floor = noise_floor(p_up, up, rows, horizon)
    met = accuracy.mean - accuracy.half_width >= TARGET_ACCURACY
    return {
        "accuracy": accuracy.mean,
        "base_rate": better,
        "accuracy_half_width": accuracy.half_width,
        "target": TARGET_ACCURACY,
        "target_met": bool(met),
        "coverage": float(rows.sum() / outcome.judgeable_NT.sum()),
        "expected_accuracy": float(np.nanmean(mean_by_session(np.maximum(p_up, 1 - p_up), rows))),
        "rank_ic": ic.mean,
        "rank_ic_half_width": ic.half_width,
        "brier": measures.brier(p_up[rows], up[rows]),
        "brier_skill": skill,
        "brier_skill_half_width": skill_half,
        "ece": ece,
        "ece_noise_floor": floor,
        "ece_n_effective": effective_rows(p_up, up, rows, horizon),
        "calibrated": calibrated(ece, floor, skill, windows=accuracy.windows),
        "calibration": calibration_verdict(ece, floor, skill, skill_half, windows=accuracy.windows),
        "interval_90_coverage": interval_coverage(outcome.quantiles_QNT[:, rows], judged.labels.scaled_return_NT[rows]),
        "rows": int(rows.sum()),
        "windows": accuracy.windows,
        "oracle_rank_ic": oracle_ic,
        "verdict": verdict(accuracy.mean, better, accuracy.half_width, met=bool(met), windows=accuracy.windows),
        "leak_alarm": leak_alarm(
            accuracy=accuracy.mean, base_rate=better, half_width=accuracy.half_width, rank_ic=ic.mean, oracle_rank_ic=oracle_ic
        ),
    }


def verdict(accuracy: float, base_rate: float, half_width: float, *, met: bool, windows: int = FEWEST_WINDOWS) -> str:
    """Return for example `53.1 % vs 52.2 % base (±1.4), target 70 %: not met`; under 20 windows their number stands beside the interval."""
    width = f"±{100 * half_width:.1f}" if np.isfinite(half_width) else "too few windows for an interval"
    few = f", {windows} windows" if np.isfinite(half_width) and windows < FEWEST_WINDOWS else ""
    outcome = "met" if met else "not met"
    return f"{100 * accuracy:.1f} % vs {100 * base_rate:.1f} % base ({width}{few}), target {100 * TARGET_ACCURACY:.0f} %: {outcome}"


def brier_skill(p_up_NT: Floats, base_NT: Floats, up_NT: Floats, rows_NT: Flags, horizon: int) -> tuple[float, float]:
    """Return 1 - Brier / Brier of the base rate on the rows, and half its 95 % interval on non-overlapping windows by the delta method."""
    brier = measures.brier(p_up_NT[rows_NT], up_NT[rows_NT])
    base = measures.brier(base_NT[rows_NT], up_NT[rows_NT])
    skill = 1 - brier / base
    gained_NT = (1 - skill) * (base_NT - up_NT) ** 2 - (p_up_NT - up_NT) ** 2
    return skill, measures.nonoverlapping_interval(mean_by_session(gained_NT, rows_NT), horizon).half_width / base


def noise_floor(p_up_NT: Floats, up_NT: Floats, rows_NT: Flags, horizon: int, *, level: float = 0.95) -> float:
    """Return the ECE under which a perfectly calibrated forecaster stays in `level` of all cases, on labels as dependent as these."""
    _, session = np.nonzero(rows_NT)
    return measures.ece_noise_floor(p_up_NT[rows_NT], up_NT[rows_NT], spells(session, horizon), level=level)


def calibrated(ece: float, floor: float, skill: float, *, windows: int) -> bool | None:
    """Return whether the ECE lies inside the band of a perfectly calibrated forecaster, `floor`, and the Brier skill is not negative.

    None under 20 windows: their band is so wide that a forecaster who is ten points off lies in it, too.
    """
    return bool(ece <= floor and skill >= -_ROUNDING) if windows >= FEWEST_WINDOWS else None


def calibration_verdict(ece: float, floor: float, skill: float, half_width: float, *, windows: int = FEWEST_WINDOWS) -> str:
    """Return for example `ECE 2.42 % over the noise floor of 1.75 %, Brier skill -0.01 % (±0.04): not met`; few windows as in `verdict`.

    Where `calibrated` is None it ends with `not told from so few windows`. The interval has two digits that say something, so that a
    skill of next to nothing shows its sign, and the ECE as many as tell it from its floor.
    """
    places = next((n for n in range(2, 6) if f"{100 * ece:.{n}f}" != f"{100 * floor:.{n}f}"), 2)
    side = f"{'within' if ece <= floor else 'over'} the noise floor of {100 * floor:.{places}f} %"
    if np.isnan(floor):
        side = "beside no noise floor, the sessions are too few"
    digits = int(np.clip(1 - np.floor(np.log10(100 * half_width)), 2, 6)) if half_width > 0 else 2
    width = f"±{100 * half_width:.{digits}f}" if np.isfinite(half_width) else "too few windows for an interval"
    few = f", {windows} windows" if np.isfinite(half_width) and windows < FEWEST_WINDOWS else ""
    said = 100 * skill if abs(skill) > _ROUNDING else 0.0
    outcome = {True: "met", False: "not met", None: "not told from so few windows"}[calibrated(ece, floor, skill, windows=windows)]
    return f"ECE {100 * ece:.{places}f} % {side}, Brier skill {said:+.{digits}f} % ({width}{few}): {outcome}"


def effective_rows(p_up_NT: Floats, up_NT: Floats, rows_NT: Flags, horizon: int) -> float:
    """Return how many independent rows would pin the mean calibration error as well as these do: Kish's design effect, 1965.

    Names of one session move together and labels overlap, so it is usually far below the number of rows.
    """
    gap = measures.nonoverlapping_interval(mean_by_session(up_NT - p_up_NT, rows_NT), horizon)
    rows = float(rows_NT.sum())
    if not np.isfinite(gap.half_width) or gap.half_width == 0:
        return min(_FEWEST_EFFECTIVE_ROWS, rows)
    variance = float(np.mean(p_up_NT[rows_NT] * (1 - p_up_NT[rows_NT])))
    return float(np.clip(variance / (gap.half_width / 1.96) ** 2, min(_FEWEST_EFFECTIVE_ROWS, rows), rows))


def _rank_ic(judged: Judged, score_NT: Floats) -> Floats:
    out_of_fold = np.where(np.isfinite(judged.score_NT), score_NT, np.nan)
    return measures.rank_ic(out_of_fold.T, judged.labels.residual_rank_NT.T)
