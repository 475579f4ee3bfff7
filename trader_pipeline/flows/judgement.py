"""Calibrated forecasts of every model to rows of evaluation.segments and evaluation.tasks."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from trader_pipeline import panel
from trader_pipeline.ensembles.regimes import REGIMES, median_ticker, regimes
from trader_pipeline.evaluation import segments, tasks
from trader_pipeline.evaluation.judged import Floats
from trader_pipeline.evaluation.outcome import Outcome, mean_by_session
from trader_pipeline.evaluation.patterns import sentence, worst
from trader_pipeline.flows.paper_portfolio import issuers_of
from trader_pipeline.flows.strategies import MOMENTUM
from trader_pipeline.flows.train import sectors_on
from trader_pipeline.lake import Snapshot

Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Known:
    """What the rows are told apart by, in the grid's order: [N, T] of features.targets, and lists over the tickers."""

    volatility_NT: Floats
    forward_return_1d_NT: Floats
    index_return_NT: Floats
    issuers: list[str]
    groups: dict[str, segments.Groups]


def known_of(snapshot: Snapshot, targets: pa.Table, grid: panel.Grid, *, as_of: dt.datetime) -> Known:
    """Return it; sectors are those valid at `as_of`."""
    sectors = sectors_on(snapshot, as_of.date())
    index = f"benchmark_return_{tasks.INDEX_HORIZON}d"
    columns = panel.dense_columns(targets, grid, ["volatility_daily", "forward_return_1d", index])
    return Known(
        volatility_NT=columns["volatility_daily"],
        forward_return_1d_NT=columns["forward_return_1d"],
        index_return_NT=columns[index],
        issuers=issuers_of(snapshot, grid.tickers),
        groups=segments.groups_of(
            columns["volatility_daily"],
            np.array(REGIMES)[regimes(median_ticker(columns["volatility_daily"]))],
            [sectors.get(ticker) for ticker in grid.tickers],
            grid.sessions.astype("datetime64[Y]").astype(str),
        ),
    )


def segment_rows(outcomes: Mapping[tuple[str, int], Outcome], known: Known) -> list[Row]:
    """Return the rows of evaluation.segments without model_id and known_at; `outcomes` by model and horizon."""
    rows = [
        {"model": model, "horizon_sessions": horizon} | row
        for (model, horizon), outcome in outcomes.items()
        for row in segments.segments(outcome, groups=known.groups, issuers=known.issuers)
    ]
    for model in {row["model"] for row in rows}:
        for place, row in enumerate(worst([row for row in rows if row["model"] == model]), start=1):
            row["worst"] = place
    return [row | {"line": sentence(row)} for row in rows]


def task_rows(outcomes: Mapping[int, Outcome], known: Known, strategy: list[Row]) -> list[Row]:
    """Return the rows of evaluation.tasks without model_id and known_at: the user's own first; `outcomes` of the ensemble by horizon."""
    judged = {horizon: outcome for horizon, outcome in outcomes.items() if outcome.rows_NT.any()}
    found = [tasks.stock_direction(outcome, known.issuers) for outcome in judged.values()]
    found += [tasks.selective_stock_direction(outcome, known.issuers) for outcome in judged.values()]
    found += [
        tasks.volatility_direction(outcome, known.forward_return_1d_NT, known.volatility_NT, known.issuers)
        for horizon, outcome in judged.items()
        if horizon in tasks.VOLATILITY_HORIZONS
    ]
    if tasks.INDEX_HORIZON in judged:
        found.append(tasks.index_direction(judged[tasks.INDEX_HORIZON], known.index_return_NT))
    found += [tasks.sharpe_gain(row) for row in strategy if row["against"] == MOMENTUM and row["cost_multiple"] == 1]
    return [row | {"position": position} for position, row in enumerate(found)]


def session_rows(outcomes: Mapping[int, Outcome], grid: panel.Grid) -> list[Row]:
    """Return the rows of evaluation.sessions without model_id: every session of a fold that has a label."""
    found = []
    for horizon, outcome in outcomes.items():
        rows, labels = outcome.rows_NT, outcome.judged.labels
        inside_NT = (labels.scaled_return_NT >= outcome.quantiles_QNT[0]) & (labels.scaled_return_NT <= outcome.quantiles_QNT[-1])
        series = {
            "rank_ic": outcome.rank_ic_T,
            "accuracy": mean_by_session(outcome.hit_NT, rows),
            "base_accuracy": mean_by_session(outcome.base_hit_NT, rows),
            "p_up": mean_by_session(outcome.p_up_NT, rows),
            "up": mean_by_session(labels.up_NT, rows),
            "inside_90": mean_by_session(inside_NT, rows),
        }
        count_T = rows.sum(axis=0)
        found += [
            {"horizon_sessions": horizon, "session": grid.sessions[t].item(), "rows": int(count_T[t])}
            | {name: float(values[t]) for name, values in series.items()}
            for t in np.flatnonzero(outcome.judged.rows_NT.any(axis=0))
        ]
    return found


def curve_rows(outcomes: Mapping[int, Outcome]) -> list[Row]:
    """Return the rows of evaluation.coverage_curve without model_id."""
    return [
        {"horizon_sessions": horizon, "accuracy": point["value"]}
        | {name: point[name] for name in ("asked", "coverage", "base_rate", "low", "high", "windows")}
        for horizon, outcome in outcomes.items()
        for point in tasks.coverage_curve(outcome)
    ]
