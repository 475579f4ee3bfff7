"""The best and the worst forecasts, with their intervals."""

from collections.abc import Sequence

import numpy as np

from trader_pipeline import formats
from trader_pipeline.reports import figures
from trader_pipeline.reports.facts import HEADLINE_SESSIONS, Facts, Row
from trader_pipeline.reports.section import AnyBlock, Figure, Grid, Missing, Section
from trader_pipeline.reports.source_line import source_line

SHOWN_EACH_END = 10
_READ = ("predictions.daily",)
_TABLE_READ = (*_READ, "training.calibration")


def build(facts: Facts) -> Sequence[AnyBlock]:
    """Show the headline horizon as a picture and a table."""
    rows = facts.at(HEADLINE_SESSIONS)
    if not rows:
        return [
            Missing(
                text=f"No forecasts over {HEADLINE_SESSIONS} sessions for {facts.session}.",
                command=f"trader predict --session {facts.session}",
            )
        ]
    shown = rows if len(rows) <= 2 * SHOWN_EACH_END else [*rows[:SHOWN_EACH_END], *rows[-SHOWN_EACH_END:]]
    which = f"all {len(rows)} names" if len(shown) == len(rows) else f"the best and the worst {SHOWN_EACH_END} of {len(rows)} names"
    columns = {name: np.array([_known(row[name]) for row in shown]) for name in ("q05", "q25", "return_mean", "q75", "q95")}
    picture = figures.intervals(
        [str(row["ticker"]).replace("$", r"\$") for row in shown], columns, horizon=HEADLINE_SESSIONS, source=source_line(facts, _READ)
    )
    return [
        Figure(
            title=f"Forecast distributions over {HEADLINE_SESSIONS} sessions, {which}, best score first",
            svg=picture,
            alt="One line a ticker: 5 to 95 %, thick 25 to 75 %, a tick at the mean. The table below holds the figures.",
            sources=_READ,
        ),
        Grid(
            title=f"Forecasts over {HEADLINE_SESSIONS} sessions, from {facts.entry}",
            columns=(
                "<Ticker",
                "<Name",
                "Expected",
                "5–95 %",
                "P(up)",
                "Base rate",
                "Edge, points",
                "Confidence",
                "P(beats peers)",
                "Score",
                "<",
            ),
            rows=tuple(_cells(row) for row in shown),
            note="Simple returns, not annualised. Edge: P(up) minus the base rate, in percentage points. Confidence is relative: that "
            f"distance as a share of the largest edge the model reaches at this horizon{_attainable(facts)}; 1.00 is as sure as the model "
            "gets, not certain.",
            sources=_TABLE_READ,
        ),
    ]


def _known(value: float | None) -> float:
    return float("nan") if value is None else value


def _attainable(facts: Facts) -> str:
    rows = facts.ask(
        "select attainable from training.calibration where model_id = ? and model = 'ensemble' and fold = -1 and horizon_sessions = ?",
        [facts.model_id, HEADLINE_SESSIONS],
    )
    return f", {formats.number(100 * rows[0]['attainable'], 1)} points" if rows and rows[0]["attainable"] else ""


def _edge(row: Row) -> str:
    return formats.number(100 * (_known(row["p_up"]) - _known(row["base_rate"])), 1, sign=True)


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row["ticker"],
        row["name"] or "",
        formats.percent(row["return_mean"], 2, sign=True),
        formats.percent_range(row["q05"], row["q95"]),
        formats.percent(row["p_up"]),
        formats.percent(row["base_rate"]),
        _edge(row),
        formats.number(row["confidence"]),
        formats.percent(row["p_outperform"]),
        formats.number(row["score"], sign=True),
        "abstains" if row["abstained"] else "",
    )


SECTION = Section(key="forecasts", title="Forecasts", build=build)
