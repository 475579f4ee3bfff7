"""Three scenarios of the book, read off the forecast quantiles."""

from collections.abc import Sequence

import numpy as np

from trader_pipeline import formats
from trader_pipeline.reports import figures
from trader_pipeline.reports.facts import Facts, Floats, Row
from trader_pipeline.reports.section import AnyBlock, Figure, Grid, Missing, Section
from trader_pipeline.reports.source_line import source_line
from trader_pipeline.schema.columns import HORIZONS_SESSIONS

SCENARIOS = (("Pessimistic", "q05"), ("Base", "q50"), ("Optimistic", "q95"))
NAME_HORIZON = 20
_MAPPING = (
    "Mapping: pessimistic, base and optimistic are every name's own 5 %, 50 % and 95 % quantile at the same time, weighted by the book (a "
    "short position would take the mirrored quantile). That is exact only if all names move as one; spread over names, the true range is "
    "narrower. The rest of the equity is cash at 0 %."
)
_READ = ("decisions.daily", "predictions.daily")


def build(facts: Facts) -> Sequence[AnyBlock]:
    """Show the book and the equal-weight universe under each scenario, and the held names in price terms."""
    held = {row["ticker"]: row["target_weight"] for row in facts.decisions if row["target_weight"]}
    if not held or not facts.forecasts:
        return [Missing(text=f"No scenarios: the book of {facts.session} is empty or there are no forecasts.", command="trader run")]
    book = {h: [weighted(facts.at(h), held, quantile) for _, quantile in SCENARIOS] for h in HORIZONS_SESSIONS}
    equal = {row["ticker"]: 1 / len(facts.at(HORIZONS_SESSIONS[0])) for row in facts.at(HORIZONS_SESSIONS[0])}
    universe = {h: [weighted(facts.at(h), equal, quantile) for _, quantile in SCENARIOS] for h in HORIZONS_SESSIONS}
    low, middle, high = (np.array([book[h][k] for h in HORIZONS_SESSIONS]) for k in range(3))
    return [
        Grid(
            title="Return of the book and of the equal-weight universe by scenario",
            columns=(
                "Sessions",
                *(f"Book, {name.lower()}" for name, _ in SCENARIOS),
                *(f"Universe, {name.lower()}" for name, _ in SCENARIOS),
            ),
            rows=tuple((str(h), *(formats.percent(value, sign=True) for value in (*book[h], *universe[h]))) for h in HORIZONS_SESSIONS),
            note=_MAPPING,
            sources=_READ,
        ),
        Figure(
            title="The book by scenario",
            svg=figures.scenarios(HORIZONS_SESSIONS, low, middle, high, source=source_line(facts, _READ)),
            alt="Pessimistic, base and optimistic return of the book at 1, 5, 20 and 60 sessions; the table above holds the figures.",
            sources=_READ,
        ),
        _prices(facts, held),
    ]


def weighted(rows: Sequence[Row], weights: dict[str, float], quantile: str) -> float:
    """Return sum of weight * quantile return; a short weight takes the quantile at the other end. NaN when one is missing."""
    mirrored = {"q05": "q95", "q95": "q05"}
    values = {row["ticker"]: row for row in rows}
    total = 0.0
    for ticker, weight in weights.items():
        row = values.get(ticker)
        value = row[mirrored.get(quantile, quantile) if weight < 0 else quantile] if row else None
        total += weight * (float("nan") if value is None else value)
    return total


def _prices(facts: Facts, held: dict[str, float]) -> AnyBlock:
    rows = [row for row in facts.at(NAME_HORIZON) if row["ticker"] in held]
    rows.sort(key=lambda row: -abs(held[row["ticker"]]))

    def cells(row: Row) -> tuple[str, ...]:
        close: Floats = facts.closes.of(row["ticker"])[-1:]
        last = float(close[0]) if len(close) else float("nan")
        levels = (last * (1 + (float("nan") if row[quantile] is None else row[quantile])) for _, quantile in SCENARIOS)
        return (row["ticker"], formats.percent(held[row["ticker"]]), formats.number(last), *(formats.number(level) for level in levels))

    return Grid(
        title=f"Held names, price level after {NAME_HORIZON} sessions",
        columns=("<Ticker", "Weight", "Last close", *(name for name, _ in SCENARIOS)),
        rows=tuple(cells(row) for row in rows),
        note="Quantile returns count from the last close."
        if facts.at_close
        else "Quantile returns count from the next open; the last close stands in for it.",
        sources=(*_READ, "core.accepted_bars"),
    )


SECTION = Section(key="scenarios", title="Scenarios", build=build)
