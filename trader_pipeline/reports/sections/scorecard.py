"""How good the forecasts were out of fold, each accuracy beside its base rate."""

from collections.abc import Sequence

import numpy as np

from trader_pipeline import formats
from trader_pipeline.reports import figures
from trader_pipeline.reports.facts import Facts, Row
from trader_pipeline.reports.section import AnyBlock, Figure, Grid, Missing, Section
from trader_pipeline.reports.source_line import source_line
from trader_pipeline.schema.evaluation import IC_WINDOWS

_READ = ("evaluation.scorecard",)


def build(facts: Facts) -> Sequence[AnyBlock]:
    """Show one verdict a horizon, the calibration, and the members' rank ICs."""
    cards = facts.ensemble
    if not cards:
        return [Missing(text="No scorecard of this model.", command="trader run")]
    value, half, base = (np.array([_known(row[name]) for row in cards]) for name in ("accuracy", "accuracy_half_width", "base_rate"))
    horizons = [row["horizon_sessions"] for row in cards]
    members = sorted({row["model"] for row in facts.scorecard})
    by_member = {(row["model"], row["horizon_sessions"]): row for row in facts.scorecard}
    return [
        Figure(
            title="Directional accuracy out of fold",
            svg=figures.accuracy(horizons, value, half, base, cards[0]["target"], source=source_line(facts, _READ)),
            alt="Accuracy with its 95 % interval beside base rate and target, by horizon; the table below holds the figures.",
            sources=_READ,
        ),
        Grid(
            title="Ensemble by horizon",
            columns=("Sessions", "<Verdict", "Brier skill", "ECE (noise floor)", "5–95 % held", "Labels", "Windows of accuracy"),
            rows=tuple(_cells(row) for row in cards),
            note="Base: the better of always-up and the ticker's own past rate, on the same rows. Intervals count non-overlapping windows; "
            "the picture cuts them at 0 and 100 %. "
            "An ECE under its noise floor cannot be told from perfect calibration.",
            sources=_READ,
        ),
        Grid(
            title="Rank IC by member (95 % half width)",
            columns=("<Member", *(f"{h} sessions" if h > 1 else "1 session" for h in horizons)),
            rows=(*((member, *(_ic(by_member.get((member, h))) for h in horizons)) for member in members), *_oracle(cards)),
            note=f"Windows of rank IC, which speaks of the sessions of all folds: {_ic_windows(facts)}.",
            sources=(*_READ, "evaluation.sessions"),
        ),
    ]


def _ic_windows(facts: Facts) -> str:
    rows = facts.ask(IC_WINDOWS, {"model_id": facts.model_id})
    told = [f"{formats.count(row['ic_windows'])} at {formats.plural(row['horizon_sessions'], 'session')}" for row in rows]
    return ", ".join(told) or "unknown"


def _known(value: float | None) -> float:
    return float("nan") if value is None else value


def _cells(row: Row) -> tuple[str, ...]:
    return (
        str(row["horizon_sessions"]),
        row["verdict"],
        formats.percent(row["brier_skill"], sign=True),
        f"{formats.percent(row['ece'])} ({formats.percent(row['ece_noise_floor'])})",
        formats.percent(row["interval_90_coverage"]),
        formats.count(row["rows"]),
        formats.count(row["windows"]),
    )


def _oracle(cards: Sequence[Row]) -> list[tuple[str, ...]]:
    """Return the line of the simulated market's own expectation, which only a simulated market has."""
    if all(row["oracle_rank_ic"] is None for row in cards):
        return []
    return [("oracle (planted signal)", *(formats.number(row["oracle_rank_ic"], 3, sign=True) for row in cards))]


def _ic(row: Row | None) -> str:
    if row is None:
        return formats.MISSING
    return f"{formats.number(row['rank_ic'], 3, sign=True)} (±{formats.number(row['rank_ic_half_width'], 3)})"


SECTION = Section(key="scorecard", title="Scorecard", build=build)
