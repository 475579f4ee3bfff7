"""The user's targets, one row and one line each: what was reached, beside its base rate, at which coverage, met or not.

A target is met where the lower end of the 95 % interval reaches it, the base rate is beaten, and at least 20 windows stand behind it;
of a target that is itself estimated the interval is that of value - target.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from trader_pipeline import measures
from trader_pipeline.evaluation import segments
from trader_pipeline.evaluation.intervals import FEWEST_WINDOWS
from trader_pipeline.evaluation.judged import Flags, Floats
from trader_pipeline.evaluation.outcome import HALF, Outcome, mean_by_session
from trader_pipeline.evaluation.scorecard import TARGET_ACCURACY
from trader_pipeline.evaluation.volatility import volatility_calls

VOLATILITY_HORIZONS = (5, 20)
INDEX_HORIZON = 60
SHARPE_GAIN = 0.15
COVERAGES = (1.0, 0.75, 0.5, 0.4, 0.3, 0.2, 0.15, 0.1, 0.05)
"""Shares of the forecasts, the most confident first, at which selective accuracy is looked at."""
Row = dict[str, Any]


def stock_direction(outcome: Outcome, issuers: Sequence[str]) -> Row:
    """Return the user's own target: direction of every stock."""
    rows, coverage = outcome.rows_NT, outcome.rows_NT.sum() / max(outcome.judgeable_NT.sum(), 1)
    interval = _interval(outcome, rows)
    base = outcome.base_rate(rows) if rows.any() else float("nan")
    facts = _facts(interval, base, rows, issuers, coverage=float(coverage))
    return {"name": f"stock_direction_{outcome.horizon}d", **facts, "line": _line(facts, "base")}


def selective_stock_direction(outcome: Outcome, issuers: Sequence[str]) -> Row:
    """Return the largest coverage at which the target is met; else the largest whose mean reaches it; else the smallest.

    The mean counts only over a base rate that is beaten for sure. A coverage is one of confidences seen whole, as `coverage_curve` says.
    """
    curve = coverage_curve(outcome)
    met = [p for p in curve if _met(p)]
    near = [p for p in curve if p["value"] >= TARGET_ACCURACY and p["low"] > p["base_rate"] and p["windows"] >= FEWEST_WINDOWS]
    name = f"selective_stock_direction_{outcome.horizon}d"
    if not curve:
        nothing = _facts(measures.Interval(mean=np.nan, half_width=np.nan, windows=0), np.nan, outcome.rows_NT, issuers, coverage=np.nan)
        return {"name": name, **nothing, "line": "no forecast is more confident than another, target 70 %: not met"}
    point = (*met, *near, curve[-1])[0]
    interval = measures.Interval(mean=point["value"], half_width=point["value"] - point["low"], windows=point["windows"])
    facts = _facts(interval, point["base_rate"], point["chosen_NT"], issuers, coverage=point["coverage"])
    said = f"{100 * facts['coverage']:.0f} % coverage: {_line(facts, 'base')}"
    told = "reached at" if met else "reached by the mean alone, at" if near else "70 % is never reached; at"
    return {"name": name, **facts, "line": f"{told} {said}"}


def coverage_curve(outcome: Outcome) -> list[Row]:
    """Return accuracy, base rate and interval of the most confident forecasts at each coverage, the largest first.

    Empty where no forecast is more confident than another. `chosen_NT` are the rows. The edges are quantiles of the confidences of all
    folds together: which forecasts are the most confident tenth is known only at the end, and a fold may hold more of them than another.
    """
    rows = outcome.rows_NT
    confidence = outcome.confidence_NT[rows]
    if not len(confidence) or np.ptp(confidence) == 0:
        return []
    curve: list[Row] = []
    for coverage in COVERAGES:
        edge = np.quantile(confidence, 1 - coverage)
        chosen = rows & (outcome.confidence_NT >= edge)
        if curve and chosen.sum() == curve[-1]["chosen_NT"].sum():
            continue  # equal confidences stay together: the same forecasts again
        interval = _interval(outcome, chosen)
        curve.append(
            {
                "asked": coverage,
                "coverage": float(chosen.sum() / outcome.judgeable_NT.sum()),
                "value": interval.mean,
                "low": interval.mean - interval.half_width,
                "high": interval.mean + interval.half_width,
                "base_rate": outcome.base_rate(chosen),
                "windows": interval.windows,
                "chosen_NT": chosen,
            }
        )
    return curve


def volatility_direction(outcome: Outcome, forward_return_1d_NT: Floats, volatility_NT: Floats, issuers: Sequence[str]) -> Row:
    """Return whether the forecast's width tells rising from falling volatility, beside mean reversion and HAR."""
    calls = volatility_calls(outcome, forward_return_1d_NT, volatility_NT)
    rows = calls.rows_NT

    def right(said_NT: Flags) -> measures.Interval:
        return measures.nonoverlapping_interval(mean_by_session(said_NT == calls.up_NT, rows), outcome.horizon)

    own, reversion, har = (right(said) for said in (calls.forecast_NT, calls.mean_reversion_NT, calls.har_NT))
    coverage = float(rows.sum() / max(outcome.judgeable_NT.sum(), 1))
    facts = _facts(own, max(reversion.mean, har.mean), rows, issuers, coverage=coverage)
    beside = f"{100 * reversion.mean:.1f} % mean reversion, {100 * har.mean:.1f} % HAR"
    return {"name": f"volatility_direction_{outcome.horizon}d", **facts, "line": _line(facts, beside)}


def index_direction(outcome: Outcome, benchmark_return_NT: Floats) -> Row:
    """Return whether the mean p_up of a session tells the benchmark's direction, beside always-up."""
    rows = outcome.rows_NT & np.isfinite(benchmark_return_NT)
    says_T, came_T = mean_by_session(outcome.p_up_NT, rows), mean_by_session(benchmark_return_NT, rows)
    known_T = np.isfinite(says_T) & np.isfinite(came_T)
    hit_T = np.where(known_T, (says_T > HALF) == (came_T > 0), np.nan)
    always_T = np.where(known_T, came_T > 0, np.nan)
    interval = measures.nonoverlapping_interval(hit_T, outcome.horizon)
    judgeable = outcome.judgeable_NT.any(axis=0).sum()
    base = float(np.nanmean(always_T)) if known_T.any() else float("nan")
    facts = _facts(interval, base, rows, [], coverage=float(known_T.sum() / max(judgeable, 1)))
    facts["n_effective"] = float(interval.windows)
    return {"name": f"index_direction_{outcome.horizon}d", **facts, "line": _line(facts, "always up")}


def sharpe_factor(baseline: float) -> float:
    """Return the factor that raises a baseline's Sharpe ratio by 15 % of its size: 1.15, or 0.85 where it is negative."""
    return float(1 + SHARPE_GAIN * np.sign(baseline))


def sharpe_gain(strategy: Mapping[str, Any]) -> Row:
    """Return the Sharpe ratio net of costs against the baseline's raised by 15 %; `strategy` is the row of evaluation.strategy.

    The baseline is estimated on the same sessions, so what must not be under 0 is the lower end of the interval of value - target.
    """
    baseline, value = strategy["baseline_sharpe"], strategy["sharpe"]
    target = sharpe_factor(baseline) * baseline
    passed = bool(strategy["over_target_low"] >= 0)
    line = (
        f"Sharpe {value:.2f} vs {baseline:.2f} {strategy['against']} ({_told('difference', strategy['difference'], strategy['high'])}), "
        f"target {target:.2f} (+{100 * SHARPE_GAIN:.0f} %, {_told('over it', value - target, strategy['over_target_high'])}): "
        f"{'met' if passed else 'not met'}"
    )
    return {
        "name": "sharpe_gain",
        "target": target,
        "value": value,
        "base_rate": baseline,
        "coverage": 1.0,
        "n_effective": float(strategy["sessions"]),
        "windows": strategy["sessions"],
        "low": strategy["sharpe_low"],
        "high": strategy["sharpe_high"],
        "passed": passed,
        "line": line,
    }


def _told(name: str, value: float, high: float) -> str:
    return f"{name} {value:+.2f} " + (f"±{high - value:.2f}" if np.isfinite(high) else "without an interval")


def _interval(outcome: Outcome, rows_NT: Flags) -> measures.Interval:
    return measures.nonoverlapping_interval(mean_by_session(outcome.hit_NT, rows_NT), outcome.horizon)


def _facts(interval: measures.Interval, base: float, rows_NT: Flags, issuers: Sequence[str], *, coverage: float) -> Row:
    count = len({issuers[ticker] for ticker in np.flatnonzero(rows_NT.any(axis=1)).tolist()}) if issuers else 0
    facts = {
        "target": TARGET_ACCURACY,
        "value": interval.mean,
        "base_rate": base,
        "coverage": coverage,
        "n_effective": segments.effective_hits(interval, rows=int(rows_NT.sum()), issuers=count),
        "windows": interval.windows,
        "low": interval.mean - interval.half_width,
        "high": interval.mean + interval.half_width,
    }
    return facts | {"passed": _met(facts)}


def _met(point: Row) -> bool:
    return bool(point["low"] >= TARGET_ACCURACY and point["value"] > point["base_rate"] and point["windows"] >= FEWEST_WINDOWS)


def _line(facts: Row, beside: str) -> str:
    """Return for example `53.1 % vs 52.2 % base (±1.4), target 70 %: not met`."""
    half = facts["value"] - facts["low"]
    width = f"±{100 * half:.1f}" if np.isfinite(half) else "too few windows for an interval"
    few = f", {facts['windows']} windows" if np.isfinite(half) and facts["windows"] < FEWEST_WINDOWS else ""
    base = beside if beside[0].isdigit() else f"{100 * facts['base_rate']:.1f} % {beside}"
    met = "met" if facts["passed"] else "not met"
    return f"{100 * facts['value']:.1f} % vs {base} ({width}{few}), target {100 * facts['target']:.0f} %: {met}"
