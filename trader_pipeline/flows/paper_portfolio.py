"""The decision engine's paper portfolio on out-of-fold scores: rows of evaluation.backtest."""

import datetime as dt

import numpy as np
import pyarrow as pa

from trader_pipeline import panel
from trader_pipeline.decisions import scores
from trader_pipeline.decisions.backtest import Costs, backtest
from trader_pipeline.decisions.engine import InvestmentDecisionEngine
from trader_pipeline.entry import CLOSE, entry_of
from trader_pipeline.evaluation.judged import NO_FOLD, Judged
from trader_pipeline.flows.benchmark import benchmark_returns
from trader_pipeline.lake import Snapshot
from trader_pipeline.settings import DecisionSettings

HOLDING_SESSIONS = 5
"""Horizon that the paper portfolio trades."""

_FEATURES = ("return_1d", "intraday_return_1d", *scores.MOMENTUM_FEATURES)


def portfolio_features(snapshot: Snapshot, grid: panel.Grid) -> dict[str, scores.Floats]:
    """Return what the portfolio reads of features.panel, each [N, T]. Without any open it enters at the close, as the labels do."""
    rows = snapshot.sql(f"select ticker, session, {', '.join(_FEATURES)} from features.panel")  # noqa: S608 - names are constants
    features = panel.dense_columns(rows, grid, _FEATURES)
    if entry_of(snapshot) == CLOSE:
        features["intraday_return_1d"] = features["return_1d"]
    return features


def paper_portfolio(
    snapshot: Snapshot,
    features: dict[str, scores.Floats],
    targets: pa.Table,
    judged: list[Judged],
    grid: panel.Grid,
    *,
    decisions: DecisionSettings,
    as_of: dt.datetime,
) -> pa.Table:
    """Return the columns of evaluation.backtest after `model_id`, from the session after the first forecast on.

    `judged` holds one model's forecasts, one object a horizon; horizons count equally, for their ICs were not known then.
    """
    ml = scores.ml_score(np.stack([j.score_NT for j in judged]), scores.horizon_weights(np.zeros(len(judged))))
    forecast_T = np.max([j.fold_T for j in judged], axis=0) != NO_FOLD
    engine = engine_of(decisions)
    momentum_part, ml_part = engine.blend(scores.momentum_score({name: features[name] for name in scores.MOMENTUM_FEATURES}), ml)
    score = np.where(forecast_T & np.isfinite(ml), momentum_part + ml_part, np.nan)
    _, weights = engine.weigh(score, panel.dense(targets, grid, "volatility_daily"), issuers_of(snapshot, grid.tickers))
    paper = backtest(
        weights,
        intraday_return_NT=features["intraday_return_1d"],
        daily_return_NT=features["return_1d"],
        holding=HOLDING_SESSIONS,
        costs=Costs(),
    )
    name, benchmark = benchmark_returns(snapshot, grid, features["return_1d"], as_of=as_of)
    first = int(np.flatnonzero(forecast_T)[0]) + 1
    columns = {
        "strategy_return": paper.strategy_return,
        "gross_return": paper.gross_return,
        "cost": paper.cost,
        "turnover": paper.turnover,
        "exposure": paper.exposure,
        "benchmark_return": benchmark,
    }
    days = len(grid.sessions) - first
    table = pa.table({"session": pa.array(grid.sessions[first:]).cast(pa.date32())})
    for column, values in columns.items():
        table = table.append_column(column, pa.array(values[first:]))
    return table.append_column("benchmark", pa.array([name] * days, pa.string()))


def engine_of(settings: DecisionSettings) -> InvestmentDecisionEngine:
    """Return the engine that the settings describe."""
    return InvestmentDecisionEngine(
        momentum_weight=settings.momentum_weight,
        ml_weight=settings.ml_weight,
        name_limit=settings.name_limit,
        gross_limit=settings.gross_limit,
    )


def issuers_of(snapshot: Snapshot, tickers: tuple[str, ...]) -> list[str]:
    """Return each ticker's newest issuer; a ticker that core.ticker_map does not know is its own issuer."""
    known = snapshot.sql("select ticker, arg_max(issuer_id, valid_from) issuer from core.ticker_map group by ticker")
    by_ticker = dict(zip(known["ticker"].to_pylist(), known["issuer"].to_pylist(), strict=True))
    return [by_ticker.get(name) or name for name in tickers]
