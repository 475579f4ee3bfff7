"""Against the benchmark and by sector."""

import datetime as dt
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from trader_pipeline import formats
from trader_pipeline.reports import figures
from trader_pipeline.reports.facts import Facts, Row
from trader_pipeline.reports.section import AnyBlock, Figure, Grid, Missing, Section
from trader_pipeline.reports.source_line import source_line

FORECAST_SESSIONS = 20
TRAILING = (21, 63, 252)


def build(facts: Facts) -> Sequence[AnyBlock]:
    """Show the paper portfolio against the benchmark, by calendar year too, and the sectors side by side."""
    blocks: list[AnyBlock] = []
    if facts.has_backtest:
        blocks += _against_benchmark(facts)
    else:
        blocks.append(Missing(text="No backtest to compare with the benchmark.", command="trader run"))
    if facts.forecasts:
        blocks.append(_sectors(facts))
    return blocks


def _against_benchmark(facts: Facts) -> list[AnyBlock]:
    days: list[dt.date] = [day.astype("datetime64[D]").item() for day in facts.backtest["session"]]
    ours, market = facts.backtest["strategy_return"], facts.backtest["benchmark_return"]
    read = ("evaluation.backtest",)
    rows = []
    for year in sorted({day.year for day in days}):
        chosen = np.array([day.year == year for day in days])
        mine, theirs = _compound(ours[chosen]), _compound(market[chosen])
        cells = (formats.percent(mine, sign=True), formats.percent(theirs, sign=True), formats.percent(mine - theirs, sign=True))
        rows.append((str(year), formats.count(int(chosen.sum())), *cells))
    picture = figures.growth(days, ours, np.nan_to_num(market), benchmark_name=facts.benchmark, source=source_line(facts, read))
    return [
        Figure(
            title=f"Paper portfolio against {facts.benchmark}, {facts.return_kind}",
            svg=picture,
            alt="Compounded value of 1 in the strategy and in the benchmark, and the strategy's drawdown; the table below holds the years.",
            sources=read,
        ),
        Grid(
            title="By calendar year",
            columns=("<Year", "Sessions", "Strategy, net", facts.benchmark, "Difference"),
            rows=tuple(rows),
            note="Compounded; the first and the last year may be part of a year.",
            sources=read,
        ),
    ]


def _compound(returns: npt.NDArray[np.float64]) -> float:
    return float(np.prod(1 + returns[np.isfinite(returns)]) - 1)


def _sectors(facts: Facts) -> Grid:
    rows = facts.at(FORECAST_SESSIONS)
    trailing = [facts.closes.trailing_return(n) for n in TRAILING]
    weights = {row["ticker"]: row["target_weight"] or 0.0 for row in facts.decisions}
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row["sector"] or "No sector", []).append(row)
    lines = [("Equal-weight universe", rows), *sorted(groups.items())]
    cells = [_line(name, members, trailing, weights) for name, members in lines]
    benchmark = facts.universe["benchmark"]
    if benchmark in facts.closes.tickers:
        past = (formats.percent(values[benchmark], sign=True) for values in trailing)
        cells.insert(0, (benchmark, formats.MISSING, *past, formats.MISSING, formats.MISSING))
    return Grid(
        title=f"Benchmark and sectors: trailing {facts.return_kind} and forecast over {FORECAST_SESSIONS} sessions",
        columns=("<", "Names", *(f"{n} sessions" for n in TRAILING), "Expected, mean", "Book weight"),
        rows=tuple(cells),
        note="Equal weights within a line. The benchmark is never predicted.",
        strong_first=True,
        sources=("core.accepted_bars", "core.sectors", "predictions.daily", "decisions.daily"),
    )


def _line(name: str, members: Sequence[Row], trailing: Sequence[dict[str, float]], weights: dict[str, float]) -> tuple[str, ...]:
    tickers = [row["ticker"] for row in members]
    past = (formats.percent(_mean([values.get(t, float("nan")) for t in tickers]), sign=True) for values in trailing)
    expected = _mean([float("nan") if row["return_mean"] is None else row["return_mean"] for row in members])
    held = sum(weights.get(ticker, 0.0) for ticker in tickers)
    return (name, formats.count(len(members)), *past, formats.percent(expected, 2, sign=True), formats.percent(held))


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if np.isfinite(value)]
    return float(np.mean(known)) if known else float("nan")


SECTION = Section(key="comparison", title="Benchmark and sectors", build=build)
